"""Show for `kogge status` a row for each mailbox or workload, then totals, codes and time left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from engine.control.remedies import advice
from kogge.shown.mailbox_rows import (
    codes_cell,
    fitting,
    kinds_of,
    legend,
    share_cell,
    share_of,
    workload_cells,
)
from kogge.shown.wave_status import LegStatus, WaveStatus
from kogge.terminal.options import WIDTH
from kogge.terminal.tables import (
    BAD,
    GOOD,
    QUIET,
    Grid,
    bytes_cell,
    code_cell,
    duration,
    state_cell,
    table,
)
from model.kinds import KINDS
from model.plural import many
from reports.mailbox_facts import MailboxFacts

if TYPE_CHECKING:
    from engine.cutover.stopped import Stop
    from engine.planning.throughput_estimate import Estimate

COLUMNS = (
    "mailbox", "wave", "workload", "state", "done", "items", "size", "rate", "left", "rejected", "code",
)  # fmt: skip
WAVES_SHOWN = 8
CODES_SHOWN = 8
DECIDES = {
    "throttle": "; the source's throttle decides",
    "target": "; the target's rate limit decides",
}


@dataclass(frozen=True, slots=True)
class Look:
    """Say how a status is shown.

    Attributes:
        most: about how many rows; None for all.
        width: of the screen, in columns.
        by_workload: True for a row for each workload, False for one for each mailbox.
        fixed: True to draw never more rows than `most`, because the screen is redrawn.
    """

    most: int | None = None
    width: int = WIDTH
    by_workload: bool = False
    fixed: bool = False


def drawn(
    fleet: WaveStatus,
    look: Look,
    left: Mapping[str, Estimate] | None = None,
    notices: Sequence[str] = (),
) -> RenderableType:
    """Return the whole view.

    Args:
        fleet: the status.
        look: how it is shown.
        left: how long each wave still takes, by name.
        notices: lines about servers.
    """
    if not fleet.ships:
        return Text("No mailboxes in the ledger yet: `kogge check` plans them.")
    rows = _by_workload(fleet, look) if look.by_workload else _by_mailbox(fleet, look)
    noticed = [Text(line, style=BAD) for line in notices]
    # Of one wave that is watched, the rate of the last minute says more than the estimate.
    estimates = {} if fleet.left is not None and len(left or {}) == 1 else left or {}
    return Group(*rows, Text(), *_summary(fleet), *noticed, *_ahead(estimates))


def _by_workload(fleet: WaveStatus, look: Look) -> Iterator[RenderableType]:
    # What is the same in every row only takes room away from the codes.
    idle = all(ship.rate is None and ship.left is None for ship in fleet.ships)
    same = {
        "wave": len({ship.wave for ship in fleet.ships}) == 1,
        "workload": len({ship.row.workload for ship in fleet.ships}) == 1,
        **dict.fromkeys(("rate", "left"), idle and look.width < WIDTH),
        "size": look.width < WIDTH and bool(fleet.codes),
    }
    columns = [name for name in COLUMNS if not same.get(name)]
    urgent = sum(ship.needs_person for ship in fleet.ships)
    most = look.most if look.most is None or look.fixed else max(look.most, urgent)
    shown = fleet.ships[:most]
    rows = [[cells[name] for name in columns] for cells in map(_cells, shown)]
    yield table(columns, rows, wrap=("code",))
    if len(shown) < len(fleet.ships):
        hidden = many(len(fleet.ships) - len(shown), "workload", "workloads")
        yield Text(f"and {hidden} more{_unseen(urgent - len(shown))} (--all)", style=QUIET)


def _unseen(count: int) -> str:
    """Return how many of the rows that are not shown need a person, as text."""
    return f", {count:,} of them need a person" if count > 0 else ", less urgent"


def _cells(ship: LegStatus) -> dict[str, str | Text]:
    row = ship.row
    return {
        "mailbox": row.mailbox,
        "wave": ship.wave,
        "workload": str(row.workload),
        "state": state_cell(row.state),
        "done": share_of(row.done, row.items, row.state),
        "items": f"{row.items:,}",
        "size": bytes_cell(row.bytes),
        "rate": "-" if ship.rate is None else f"{ship.rate:,.0f}/s",
        "left": duration(ship.left),
        "rejected": Text(f"{ship.rejected:,}", style=BAD if ship.rejected else QUIET),
        "code": code_cell(row.code, row.detail) or (ship.stop.code if ship.stop is not None else ""),
    }


def _by_mailbox(fleet: WaveStatus, look: Look) -> Iterator[RenderableType]:
    lines = fleet.lines()
    if look.fixed and look.most is not None:
        shown: Sequence[MailboxFacts] = lines[: look.most]
        unseen = _unseen(sum(line.needs_person for line in lines) - len(shown))
        hidden = many(len(lines) - len(shown), "mailbox", "mailboxes")
        more = f"and {hidden} more{unseen} (--all)" if len(shown) < len(lines) else ""
    else:
        shown, more = fitting(lines, look.most)
    yield mailbox_table(shown, lines)
    for line in (more, legend(shown)):
        if line:
            yield Text(line, style=QUIET)


def mailbox_table(shown: Sequence[MailboxFacts], every: Sequence[MailboxFacts]) -> Grid:
    """Return the table of these rows.

    Args:
        shown: the rows.
        every: all rows, also those that are not shown. They decide which columns are left out.
    """
    kinds = kinds_of(every)
    wanted = {
        "wave": len({line.wave for line in every}) > 1,
        "phase": len({line.phase for line in every}) > 1,
        "left": any(line.left is not None for line in every),
        "rejected": any(line.rejected for line in every),
        "code": any(codes_cell(line) for line in every),
    }
    cells = [_mailbox_cells(line) for line in shown]
    first = [name for name in ("mailbox", "wave", "phase") if wanted.get(name, True)]
    last = [name for name in ("done", "items", "left", "rejected", "code") if wanted.get(name, True)]
    rows = [
        [*(own[name] for name in first), *workload_cells(line, kinds), *(own[name] for name in last)]
        for line, own in zip(shown, cells, strict=True)
    ]
    return table([*first, *(KINDS[kind].column for kind in kinds), *last], rows, wrap=("code",))


def _mailbox_cells(line: MailboxFacts) -> dict[str, str | Text]:
    return {
        "mailbox": Text(line.mailbox, style=BAD if line.needs_person else ""),
        "wave": line.wave,
        "phase": line.phase,
        "done": share_cell(line),
        "items": f"{line.items:,}",
        "left": duration(line.left),
        "rejected": Text(f"{line.rejected:,}", style=BAD if line.rejected else QUIET),
        "code": codes_cell(line),
    }


def _summary(fleet: WaveStatus) -> Iterator[Text]:
    totals = fleet.totals()
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(fleet.states.items()))
    boxes = many(_whole(totals["mailboxes"]), "mailbox", "mailboxes")
    phases = ", ".join(f"{count:,} {phase}" for phase, count in sorted(fleet.phases.items()))
    yield Text(f"{boxes} ({phases}), {many(_whole(totals['legs']), 'workload', 'workloads')}: {states}")
    line = f"{totals['done']:,} of {totals['expected']:,} items, {bytes_cell(_whole(totals['bytes']))}"
    pace = f", {fleet.rate:,.0f}/s" if fleet.rate else ""
    ahead = f", about {duration(fleet.left)} left" if fleet.left is not None else ""
    rejected = f", {totals['rejected']:,} rejected" if totals["rejected"] else ""
    yield Text(f"{line}{pace}{ahead}{rejected}")
    if _whole(totals["expected"]) > _whole(totals["items"]):
        yield Text(f"{totals['items']:,} items are listed; the rest is as `kogge check` counted", style=QUIET)
    if count := len(fleet.uncounted):
        boxes = many(count, "mailbox", "mailboxes")
        yield Text(f"not counted here: {boxes} that no run has listed and no check has counted", style=QUIET)
    if fleet.fates:
        fates = ", ".join(f"{count:,} {state.name.lower()}" for state, count in sorted(fleet.fates.items()))
        yield Text(f"items by fate: {fates}")
    if fleet.stopped:
        yield Text(_stopped(fleet.stopped), style=BAD)
    for code, count in fleet.codes.most_common(CODES_SHOWN):
        yield Text(f"{code} ({count:,}): {advice(code)}")
    if len(fleet.codes) > CODES_SHOWN:
        rest = many(len(fleet.codes) - CODES_SHOWN, "other code", "other codes")
        yield Text(f"and {rest}: kogge explain CODE", style=QUIET)
    if fleet.left_out:
        out = many(len(fleet.left_out), "mailbox is", "mailboxes are")
        yield Text(f"{out} left out: without a row in mailboxes.csv, and rolled back", style=QUIET)
    if fleet.settled:
        yield Text("every item is accounted for", style=GOOD)


def _stopped(stopped: Mapping[str, Stop]) -> str:
    """Return how many users may be locked out, and which command leads on or back."""
    told = many(len(stopped), "cutover has stopped: its user", "cutovers have stopped: their users")
    first = min(stopped)
    return f"{told} may be locked out. kogge show {first} says what leads on, or back (kogge give-back)"


def _ahead(left: Mapping[str, Estimate]) -> Iterator[Text]:
    """Yield how long each wave still takes, the longest last. Only the first of many waves are shown."""
    order = sorted(left.items(), key=lambda pair: (pair[1].seconds, pair[0]))
    for name, one in order[:WAVES_SHOWN]:
        why = DECIDES.get(one.by, "")
        why += "; one mailbox decides" if one.alone else ""
        count = f"{many(one.items, 'item', 'items')} of {many(one.mailboxes, 'mailbox', 'mailboxes')}"
        yield Text(f"wave {name}: about {duration(one.seconds)} left, {count}{why}")
    if len(order) > WAVES_SHOWN:
        yield Text(f"and {len(order) - WAVES_SHOWN:,} more waves (--json)", style=QUIET)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
