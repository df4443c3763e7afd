"""Dovecot, as data: what it can do and does not announce.

Looked up by the name a server gives of itself (RFC 2971 ID); core code asks the facts only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Quirks:
    """mailbox_id: a STATUS item that survives a rename and changes on re-creation, where the server
    has one without announcing OBJECTID."""

    mailbox_id: str | None = None


PLAIN: Final = Quirks()

# Dovecot 2.4.1: STATUS (X-GUID) is the mailbox's GUID; OBJECTID is not announced.
DOVECOT: Final = Quirks(mailbox_id="X-GUID")

BY_NAME: Final = {"Dovecot": DOVECOT}
