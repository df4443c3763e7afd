"""Hold, as data, what IMAP servers can or cannot do without announcing it.

Quirks are looked up by the name that a server gives itself (RFC 2971, ID). Core code asks the facts only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Quirks:
    """Hold the facts about one product.

    Attributes:
        mailbox_id: a STATUS item that survives a rename and changes on re-creation, where the server has one
            without announcing OBJECTID; None otherwise.
        tells_origin: True if FETCH X-MAILBOX tells the folder that a message is really in.
        oldest_date: the earliest INTERNALDATE that the server keeps, in seconds since 1970.
    """

    mailbox_id: str | None = None
    oldest_date: int = 0
    tells_origin: bool = False


PLAIN: Final = Quirks()

# Dovecot 2.4.1: STATUS (X-GUID) is the mailbox's GUID; OBJECTID is not announced.
DOVECOT: Final = Quirks(mailbox_id="X-GUID", tells_origin=True)

# Cyrus 3.10.2: INTERNALDATE 0, the first second of 1970, is stored as the moment of the APPEND.
CYRUS: Final = Quirks(oldest_date=1)

BY_NAME: Final = {"Dovecot": DOVECOT, "Cyrus IMAPD": CYRUS}
