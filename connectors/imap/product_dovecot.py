"""IMAP servers, as data: what they can or cannot do, and do not announce.

Looked up by the name a server gives of itself (RFC 2971 ID); core code asks the facts only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Quirks:
    """mailbox_id: a STATUS item that survives a rename and changes on re-creation, where the server
    has one without announcing OBJECTID. oldest_date: the earliest INTERNALDATE that it keeps, in seconds
    since 1970."""

    mailbox_id: str | None = None
    oldest_date: int = 0


PLAIN: Final = Quirks()

# Dovecot 2.4.1: STATUS (X-GUID) is the mailbox's GUID; OBJECTID is not announced.
DOVECOT: Final = Quirks(mailbox_id="X-GUID")

# Cyrus 3.10.2: INTERNALDATE 0, the first second of 1970, is stored as the moment of the APPEND.
CYRUS: Final = Quirks(oldest_date=1)

BY_NAME: Final = {"Dovecot": DOVECOT, "Cyrus IMAPD": CYRUS}
