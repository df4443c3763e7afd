"""`kogge status`, `kogge log`: what the ledger knows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from engine.config.hints import DEFAULT
from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from engine.control.remedies import advice
from flows.process.parameters import workloads_of
from kogge.terminal.options import AsJson, ConfigPath, Exit, Mailboxes, Wave, Workloads, chosen, emit, screen
from kogge.terminal.tables import (
    BAD,
    GOOD,
    QUIET,
    WIDTH,
    bytes_cell,
    code_cell,
    duration,
    moment,
    number_cell,
    state_cell,
    table,
)
from model.plural import many

if TYPE_CHECKING:
    from engine.config.load import Config
    from engine.planning.eta import Eta
    from engine.planning.throughput_estimate import Estimate
    from kogge.shown.wave_status import LegStatus, WaveStatus
    from ledger.store import Ledger
    from ledger.views.reports import LegSummary
    from model.protocols import Kind

COLUMNS = (
    "mailbox", "wave", "workload", "state", "done", "items", "size", "rate", "left", "rejected", "code",
)  # fmt: skip
SHOWN = 40
TICK_SECONDS = 2.0
LOG_SECONDS = 60.0
"""Without a terminal --watch writes the whole view that often, for a log."""
WAVES_SHOWN = 8
SUMMARY_SHARE = 20
"""The per-item counts are asked for at most a twentieth of the time: 110 million rows are not free."""


def status(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    workload: Workloads = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh until interrupted or all is verified.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Every workload, not the {SHOWN} most urgent.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shows every mailbox and workload: its state, progress, rate, time left and failures.

    It also says how long each wave still takes. Names random ids only; `kogge who ID` resolves one. Exit
    code 0 only when every mailbox is verified.

    Example: kogge status --wave pilot --watch
    """
    from engine.pacing.server_notices import servers
    from engine.planning.eta import Eta
    from ledger.plan.approvals import plan_rows
    from ledger.views.seal_chain import Seals
    from ledger.views.server_health import newest

    settings = load(config)
    kinds = workloads_of(settings, workload, "--workload") if workload else None
    with opened_ledger(settings) as ledger:
        rows = chosen(settings, ledger, wave, mailbox) if wave is not None or mailbox else ()
        wanted = frozenset(row.id for row in rows) if mailbox else None
        ahead = None if mailbox or workload else Eta(settings, ledger)
        checked = {} if workload else {row.mailbox: row.items for row in plan_rows(ledger, wave)}
        view = _View(settings, ledger, wave, wanted, kinds, ahead, checked)
        if watch and not as_json:
            fleet = _watched(view, everything)
        else:
            fleet, left = view.fleet(ledger.summary(wave)), view.left()
            if as_json:
                waves = {name: one.document() for name, one in left.items()}
                more = {"left": waves, "notices": view.notices(), "servers": servers(newest(ledger))}
                emit({**fleet.totals(), **more, "list": [ship.document() for ship in fleet.ships]})
            else:
                out = screen()
                most = None if everything else SHOWN
                out.print(_drawn(fleet, most, out.width, left, view.notices()))
                for name in Seals(ledger).changed(wave):
                    out.print(Text(_reseal(name, config), style=BAD), soft_wrap=True)
    raise typer.Exit(Exit.OK if fleet.settled else Exit.OPEN)


def _reseal(wave: str, config: Path) -> str:
    from kogge.shown.seal_messages import SealOptions

    asked = SealOptions(wave, None, Path(), False, None, None, None, config)
    return f"{wave}: changed since it was sealed: {asked.correction()}"


@dataclass(frozen=True, slots=True)
class _View:
    """What is looked at. wanted, kinds: only these mailbox ids and workloads; None means all. ahead: None
    where not whole waves are looked at. checked: see WaveStatus."""

    config: Config
    ledger: Ledger
    wave: str | None
    wanted: frozenset[str] | None
    kinds: frozenset[Kind] | None
    ahead: Eta | None
    checked: Mapping[str, int]

    def left(self) -> Mapping[str, Estimate]:
        return {} if self.ahead is None else self.ahead.left(self.wave)

    def notices(self) -> Sequence[str]:
        from engine.pacing.server_notices import notices

        return notices(self.config, self.ledger, self.wave)

    def fleet(self, summaries: Sequence[LegSummary]) -> WaveStatus:
        from engine.control.lease import is_dead
        from kogge.shown.wave_status import gather

        boxes, legs = self.ledger.mailboxes(self.wave), self.ledger.legs(self.wave)
        now, chosen = self.ledger.clock(), (self.wanted, self.kinds)
        return gather(boxes, legs, summaries, now, *chosen, is_dead, self.checked)


def _watched(view: _View, everything: bool) -> WaveStatus:
    from kogge.shown.wave_status import RateWindow

    out = screen()
    summaries: Sequence[LegSummary] = ()
    left: Mapping[str, Estimate] = {}
    due = 0.0
    watch = RateWindow()
    with Live(console=out, auto_refresh=False, screen=False) as live:
        while True:
            began = time.monotonic()
            if began >= due:
                summaries, left = view.ledger.summary(view.wave), view.left()
                due = time.monotonic() + SUMMARY_SHARE * (time.monotonic() - began)
            fleet, notices = watch.paced(view.fleet(summaries), datetime.now(UTC)), view.notices()
            room = max(5, out.height - 8 - min(len(left), WAVES_SHOWN + 1) - len(notices))
            drawn = _drawn(fleet, None if everything else room, out.width, left, notices)
            if out.is_terminal:
                live.update(drawn, refresh=True)
            else:
                out.print(Text(moment(datetime.now(UTC))), drawn, Text())
            if fleet.settled:
                return fleet
            time.sleep(TICK_SECONDS if out.is_terminal else LOG_SECONDS)


def _drawn(
    fleet: WaveStatus,
    most: int | None,
    width: int = WIDTH,
    left: Mapping[str, Estimate] | None = None,
    notices: Sequence[str] = (),
) -> RenderableType:
    if not fleet.ships:
        return Text("No mailboxes in the ledger yet: `kogge migrate --dry-run` plans them.")
    # What is the same in every row only takes room away from the codes.
    idle = all(ship.rate is None and ship.left is None for ship in fleet.ships)
    same = {
        "wave": len({ship.wave for ship in fleet.ships}) == 1,
        "workload": len({ship.row.workload for ship in fleet.ships}) == 1,
        **dict.fromkeys(("rate", "left"), idle and width < WIDTH),
        "size": width < WIDTH and bool(fleet.codes),
    }
    columns = [name for name in COLUMNS if not same.get(name)]
    shown = fleet.ships[:most]
    rows = [[cells[name] for name in columns] for cells in map(_cells, shown)]
    parts: list[RenderableType] = [table(columns, rows, wrap=("code",))]
    if len(shown) < len(fleet.ships):
        parts.append(Text(f"and {len(fleet.ships) - len(shown):,} more, less urgent (--all)", style=QUIET))
    noticed = [Text(line, style=BAD) for line in notices]
    return Group(*parts, Text(), *_summary(fleet), *noticed, *_ahead(left or {}))


def _cells(ship: LegStatus) -> dict[str, str | Text]:
    row = ship.row
    return {
        "mailbox": row.mailbox,
        "wave": ship.wave,
        "workload": str(row.workload),
        "state": state_cell(row.state),
        "done": f"{100 * row.done / row.items:.0f}%" if row.items else "-",
        "items": f"{row.items:,}",
        "size": bytes_cell(row.bytes),
        "rate": "-" if ship.rate is None else f"{ship.rate:,.0f}/s",
        "left": duration(ship.left),
        "rejected": Text(f"{ship.rejected:,}", style=BAD if ship.rejected else QUIET),
        "code": code_cell(row.code, row.detail),
    }


def _summary(fleet: WaveStatus) -> Iterator[Text]:
    totals = fleet.totals()
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(fleet.states.items()))
    boxes = many(_whole(totals["mailboxes"]), "mailbox", "mailboxes")
    yield Text(f"{boxes}, {many(_whole(totals['legs']), 'leg', 'legs')}: {states}")
    line = f"{totals['done']:,} of {totals['expected']:,} items, {bytes_cell(_whole(totals['bytes']))}"
    if _whole(totals["expected"]) > _whole(totals["items"]):
        line += f" ({totals['items']:,} listed; the rest as `kogge check` counted)"
    yield Text(f"{line}, {totals['rate']:,}/s, {totals['rejected']:,} rejected")
    if fleet.fates:
        fates = ", ".join(f"{count:,} {state.name.lower()}" for state, count in sorted(fleet.fates.items()))
        yield Text(f"items by fate: {fates}")
    for code, count in fleet.codes.most_common(8):
        yield Text(f"{code} ({count:,}): {advice(code)}")
    if fleet.settled:
        yield Text("every item is accounted for", style=GOOD)


DECIDES = {
    "throttle": "; the source's throttle decides",
    "target": "; the target's rate limit decides",
}


def _ahead(left: Mapping[str, Estimate]) -> Iterator[Text]:
    """How long each wave still takes, the longest last; of many waves the first."""
    order = sorted(left.items(), key=lambda pair: (pair[1].seconds, pair[0]))
    for name, one in order[:WAVES_SHOWN]:
        why = DECIDES.get(one.by, "")
        why += "; one mailbox decides" if one.alone else ""
        count = f"{one.items:,} items, mailboxes: {one.mailboxes:,}"
        yield Text(f"wave {name}: about {duration(one.seconds)} left, {count}{why}")
    if len(order) > WAVES_SHOWN:
        yield Text(f"and {len(order) - WAVES_SHOWN:,} more waves (--json)", style=QUIET)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def log(
    wave: Annotated[str, typer.Argument(metavar="WAVE", help="The wave.")],
    config: ConfigPath = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Shows the decisions about a wave, oldest first: what was bound, approved, resolved, by whom and when.

    Checks the hash chain first: exit code 1 when it was altered.

    Example: kogge log pilot
    """
    settings = load(config)
    with opened_ledger(settings) as ledger:
        ledger.verify_events()
        events = ledger.events(wave)
        if not events:
            chosen(settings, ledger, wave, option="WAVE")
    if as_json:
        emit(
            [
                {
                    "seq": event.seq,
                    "at": event.moment,
                    "kind": event.kind,
                    "subject": event.subject,
                    "detail": dict(event.detail),
                    "hash": event.hash.hex(),
                }
                for event in events
            ]
        )
        return
    rows = [
        (number_cell(event.seq), moment(event.moment), event.kind, event.subject or "", _detail(event.detail))
        for event in events
    ]
    out = screen()
    out.print(table(("event", "when (UTC)", "what", "about", "detail"), rows, wrap=("detail",)))
    out.print(f"{len(rows)} events; the chain is intact")


def _detail(detail: Mapping[str, str | int]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in detail.items())
