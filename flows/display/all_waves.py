"""All waves in Prefect's UI, a row each: mailboxes, and the share that the wave's own page tells. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.planning.throughput_estimate import Estimate
from flows.display.artifact_text import span
from flows.display.mailbox_rows import mailbox_lines
from ledger.db.rows import LegRow, LegState, MailboxRow
from model.plural import many
from reports.mailbox_facts import count
from reports.progress import Snapshot, expected, share


@dataclass(frozen=True, slots=True)
class WaveLine:
    """Count one wave.

    Attributes:
        wave: its name.
        mailboxes: how many it has.
        verified: mailboxes that are verified whole.
        person: mailboxes that need a person.
        other: mailboxes that are neither.
        items: listed, or counted by the newest check where that is more.
        done: settled.
        percent: how much is done, 0 to 100.
        running: True if one of its workloads is at work.
    """

    wave: str
    mailboxes: int
    verified: int
    person: int
    other: int
    items: int
    done: int
    percent: float
    running: bool


def wave_lines(
    legs: Iterable[LegRow],
    boxes: Iterable[MailboxRow],
    checked: Mapping[str, int],
    stopped: Collection[str] = (),
) -> list[WaveLine]:
    """Return a line for each wave, by name.

    Args:
        legs: the workloads of all waves.
        boxes: the mailboxes of all waves.
        checked: items that `kogge check` counted, by mailbox.
        stopped: mailboxes that need a person, whatever their workloads say.
    """
    mine: defaultdict[str, list[MailboxRow]] = defaultdict(list)
    for row in boxes:
        mine[row.wave].append(row)
    waves = {row.id: name for name, rows in mine.items() for row in rows}
    own: defaultdict[str, list[LegRow]] = defaultdict(list)
    for leg in legs:
        if leg.mailbox in waves:
            own[waves[leg.mailbox]].append(leg)
    return [_line(name, own[name], rows, checked, stopped) for name, rows in sorted(mine.items())]


def _line(
    name: str,
    legs: Sequence[LegRow],
    mine: Sequence[MailboxRow],
    checked: Mapping[str, int],
    stopped: Collection[str],
) -> WaveLine:
    counts = count(mailbox_lines(legs, mine, checked), stopped)
    shot, items = Snapshot(tuple(legs)), expected(legs, checked)
    return WaveLine(
        wave=name,
        mailboxes=len(mine),
        verified=counts.verified,
        person=counts.person,
        other=counts.other + len(mine) - counts.mailboxes,
        items=items,
        done=shot.done,
        percent=share(shot, items),
        running=any(leg.state is LegState.RUNNING for leg in legs),
    )


def overall_text(
    waves: Sequence[WaveLine], left: Mapping[str, Estimate], now: datetime, still: Collection[str] = ()
) -> str:
    """Return all waves, a line each. still: waves in which nothing moves, which tell no time left."""
    rows = [_row(one, left.get(one.wave) if one.running and one.wave not in still else None) for one in waves]
    items, done = sum(one.items for one in waves), sum(one.done for one in waves)
    boxes, of = sum(one.mailboxes for one in waves), many(len(waves), "wave", "waves")
    head = f"{many(boxes, 'mailbox', 'mailboxes')} in {of}; {done:,} of {items:,} items are done."
    table = ["| wave | mailboxes | verified | need a person | other | items done | left |"]
    table += ["|---|---:|---:|---:|---:|---:|---|"]
    at = f"As of {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return "\n".join(["## All waves", "", head, "", *table, *rows, "", at]) + "\n"


def overall_phrase(waves: Sequence[WaveLine], now: datetime) -> str:
    """Return all waves in the line that their card shows."""
    ended = sum(one.verified == one.mailboxes for one in waves)
    person = sum(one.person for one in waves)
    needs = many(person, "mailbox needs a person", "mailboxes need a person")
    told = f"{ended:,} of {many(len(waves), 'wave', 'waves')} verified"
    return f"{told}, {needs if person else 'none needs a person'} ({now.astimezone(UTC):%H:%M} UTC)"


def _row(one: WaveLine, left: Estimate | None) -> str:
    cells = [one.wave, f"{one.mailboxes:,}", f"{one.verified:,}", f"{one.person:,}", f"{one.other:,}"]
    cells += [f"{one.percent:.0f} %", span(left.seconds) if left is not None else ""]
    return f"| {' | '.join(cells)} |"
