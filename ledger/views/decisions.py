"""Read what people decided, and when: over the chains of all waves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select

from ledger.db.audit_log import Event, as_event, read_events
from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.schema import event

VOIDED = "plan-voided"
"""Nobody decided it, and it undoes a decision: an approval ended because the plan changed."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Choose events.

    Attributes:
        wave: only this wave's chain; None means all.
        mailboxes: only about these mailbox ids; empty means all.
        by: only of deciders in whose name this stands, in any case; "" means all.
        since: not before this moment, in seconds since 1970 UTC; None means no limit.
        until: before this moment; None means no limit.
        recorded: True for what the program recorded by itself as well.
    """

    wave: str | None = None
    mailboxes: Collection[str] = ()
    by: str = ""
    since: float | None = None
    until: float | None = None
    recorded: bool = False

    def admits(self, one: Event) -> bool:
        """Return True if this event is asked for."""
        who = decider(one)
        if not (self.recorded or who or one.kind == VOIDED):
            return False
        if self.mailboxes and one.subject not in self.mailboxes:
            return False
        if self.by and self.by.casefold() not in who.casefold():
            return False
        return (self.since is None or one.at >= self.since) and (self.until is None or one.at < self.until)


def decider(one: Event) -> str:
    """Return who decided; of a plan, who signed it. "" if the program recorded the event by itself."""
    return str(one.detail.get("by") or one.detail.get("approver") or "")


def chains(ledger: LedgerHandle) -> list[str]:
    """Return the waves that have events, by name."""
    with reading(ledger.engine) as connection:
        return sorted(connection.scalars(select(event.c.wave).distinct()))


def events_of(ledger: LedgerHandle, asked: EventFilter) -> list[Event]:
    """Return the events that are asked for, the oldest first; those of one wave in the order of its chain."""
    waves = chains(ledger) if asked.wave is None else [asked.wave]
    found = list(_read(ledger, waves, asked))
    return found if len(waves) == 1 else sorted(found, key=lambda one: one.at)


def _read(ledger: LedgerHandle, waves: Iterable[str], asked: EventFilter) -> Iterator[Event]:
    for wave in waves:
        with reading(ledger.engine) as connection:
            yield from (one for one in read_events(connection, wave) if asked.admits(one))


def about(ledger: LedgerHandle, subject: str) -> list[Event]:
    """Return what was decided about a mailbox or another subject, in any wave's chain, the oldest first."""
    query = select(event).where(event.c.subject == subject).order_by(event.c.at, event.c.seq)
    asked = EventFilter()
    with reading(ledger.engine) as connection:
        return [one for one in map(as_event, connection.execute(query)) if asked.admits(one)]


def of_kinds(ledger: LedgerHandle, subjects: Iterable[str], kinds: Iterable[str]) -> list[Event]:
    """Return the events of these kinds about these subjects; those of one chain in its order."""
    found: list[Event] = []
    with reading(ledger.engine) as connection:
        for chunk in chunked(sorted(set(subjects))):
            chosen = event.c.subject.in_(chunk), event.c.kind.in_(list(kinds))
            found += map(as_event, connection.execute(select(event).where(*chosen)))
    return sorted(found, key=lambda one: (one.wave, one.seq))


def counted(ledger: LedgerHandle, wave: str | None) -> int:
    """Return how many events there are, of a wave or of all."""
    waves = chains(ledger) if wave is None else [wave]
    return sum(1 for _ in _read(ledger, waves, EventFilter(recorded=True)))
