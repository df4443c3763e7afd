"""Record which people were told of their move, each once: before it, and after it.

A mail is recorded as begun before it is handed over, and as sent or not sent once that is known. A process
that dies in between leaves it begun: nobody knows then whether it arrived, and no later run sends it again
unless a person says so. No address is recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, select

from ledger.db.audit_log import append_event, lock_chain
from ledger.db.engine import reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.schema import event

BEGUN: Final = "notice-begun"
SENT: Final = "notice-sent"
NOT_SENT: Final = "notice-not-sent"
"""The kinds of events; a colon and the moment follow."""


class Moment(StrEnum):
    """Name the moment that a mail is about."""

    BEFORE = "before"
    AFTER = "after"


class Told(StrEnum):
    """Name what is known of a person's mail: no was sent, it was sent, or it may have been."""

    NO = "no"
    YES = "yes"
    UNSURE = "unsure"


def told(ledger: LedgerHandle, mailboxes: Collection[str], moment: Moment) -> dict[str, Told]:
    """Return what is known of the mails of these mailboxes, by mailbox."""
    with reading(ledger.engine) as connection:
        return _told(connection, mailboxes, moment)


def begin(
    ledger: LedgerHandle,
    wave: str,
    mailbox: str,
    moment: Moment,
    detail: Mapping[str, str | int],
    again: Collection[Told] = (),
) -> bool:
    """Record that a mail is about to be handed over, unless it was already.

    Args:
        ledger: an open ledger.
        wave: the mailbox's wave.
        mailbox: its id.
        moment: which mail.
        detail: who sends it, in which language, by which template. No address.
        again: what is known of an earlier one that may be sent once more.

    Returns:
        False if it was sent, or may have been, and `again` does not name that: do not send it.
    """
    with writing(ledger.engine) as connection:
        lock_chain(connection, wave)  # another process may be about to send the same mail
        known = _told(connection, (mailbox,), moment)[mailbox]
        if known is not Told.NO and known not in again:
            return False
        append_event(connection, wave, f"{BEGUN}:{moment}", detail, subject=mailbox)
    return True


def settle(ledger: LedgerHandle, wave: str, mailbox: str, moment: Moment, why: str | None) -> None:
    """Record what became of a mail that was begun.

    Args:
        ledger: an open ledger.
        wave: the mailbox's wave.
        mailbox: its id.
        moment: which mail.
        why: None if it was sent; else one word that says why it was not.
    """
    if why is None:
        ledger.event(wave, f"{SENT}:{moment}", {}, subject=mailbox)
    else:
        ledger.event(wave, f"{NOT_SENT}:{moment}", {"why": why}, subject=mailbox)


def _told(connection: Connection, mailboxes: Collection[str], moment: Moment) -> dict[str, Told]:
    """Return what is known: a mail that was ever sent counts as sent, in whichever wave the mailbox was."""
    found = dict.fromkeys(mailboxes, Told.NO)
    kinds = {f"{BEGUN}:{moment}": Told.UNSURE, f"{SENT}:{moment}": Told.YES, f"{NOT_SENT}:{moment}": Told.NO}
    for chunk in chunked(found):
        query = select(event.c.wave, event.c.subject, event.c.kind)
        query = query.where(event.c.subject.in_(chunk), event.c.kind.in_(kinds))
        newest: dict[tuple[str, str], Told] = {}
        for wave, subject, kind in connection.execute(query.order_by(event.c.wave, event.c.seq)):
            if newest.get((subject, wave)) is not Told.YES:
                newest[subject, wave] = kinds[kind]
        for (subject, _), known in newest.items():
            found[subject] = max(found[subject], known, key=_SURENESS.index)
    return found


_SURENESS = (Told.NO, Told.UNSURE, Told.YES)
