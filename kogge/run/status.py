"""`kogge status`: how far every mailbox is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT
from kogge.terminal.options import AsJson, ConfigPath, Exit, Mailboxes, Wave, Workloads, chosen, emit, screen
from model.errors import Misconfigured

if TYPE_CHECKING:
    from engine.config.load import Config
    from engine.planning.eta import Eta
    from engine.planning.throughput_estimate import Estimate
    from kogge.shown.wave_status import WaveStatus
    from ledger.store import Ledger
    from ledger.views.reports import LegSummary
    from model.kinds import Kind

SHOWN = 40
TICK_SECONDS = 2.0
LOG_SECONDS = 60.0
"""Without a terminal --watch writes the whole view that often, for a log."""
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
    by_workload: Annotated[
        bool, typer.Option("--by-workload", help="Show a row for each workload of a mailbox.")
    ] = False,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help=f"Show every row, not only what needs a person and the {SHOWN} most urgent."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shows every mailbox: its phase, how far each workload is, time left and what needs a person.

    What needs a person comes first. `kogge show ID` tells everything about one mailbox. It also says how long
    each wave still takes. Names random ids only; `kogge who ID` resolves one. Exit code 0 only when every
    mailbox is verified and no cutover has stopped on its way, or did not begin for a low score.

    Example: kogge status --wave pilot --watch
    """
    from engine.config.load import load
    from engine.control.ledger_access import opened_ledger
    from engine.pacing.server_notices import servers
    from engine.planning.eta import Eta
    from flows.display.from_command import settle_killed_commands
    from kogge.shown.mailbox_rows import document
    from ledger.plan.approvals import plan_rows
    from ledger.views.seal_chain import Seals
    from ledger.views.server_health import newest

    if watch and as_json:
        raise Misconfigured("--watch", "shows a screen, and --json writes one document: give one of them")
    settings = load(config)
    kinds = _kinds(settings, workload)
    settle_killed_commands(settings)
    with opened_ledger(settings) as ledger:
        rows = chosen(settings, ledger, wave, mailbox) if wave is not None or mailbox else ()
        wanted = frozenset(row.id for row in rows) if mailbox else None
        ahead = None if mailbox or workload else Eta(settings, ledger)
        checked = {} if workload else {row.mailbox: row.items for row in plan_rows(ledger, wave)}
        view = _View(settings, ledger, wave, wanted, kinds, ahead, checked)
        if watch:
            fleet = _watched(view, everything, by_workload)
        else:
            fleet, left = view.fleet(ledger.summary(wave)), view.left()
            if as_json:
                waves = {name: one.document() for name, one in left.items()}
                more = {"left": waves, "notices": view.notices(), "servers": servers(newest(ledger))}
                boxes = {"by_mailbox": [document(line) for line in fleet.lines()]}
                emit({**fleet.totals(), **more, **boxes, "list": [ship.document() for ship in fleet.ships]})
            else:
                _print(view, fleet, left, everything=everything, by_workload=by_workload)
                _print_changed(Seals(ledger).changed(wave), config)
    raise typer.Exit(Exit.OK if fleet.settled else Exit.OPEN)


def _kinds(config: Config, workload: Sequence[str] | None) -> frozenset[Kind] | None:
    """Return the workloads that are looked at; None for all."""
    if not workload:
        return None
    from flows.process.parameters import workloads_of

    return workloads_of(config, workload, "--workload")


def _print(
    view: _View, fleet: WaveStatus, left: Mapping[str, Estimate], *, everything: bool, by_workload: bool
) -> None:
    from kogge.shown.status_screen import Look, drawn

    out = screen()
    look = Look(None if everything else SHOWN, out.width, by_workload)
    out.print(drawn(fleet, look, left, view.notices()))


def _print_changed(waves: Iterable[str], config: Path) -> None:
    from rich.text import Text

    from kogge.terminal.tables import BAD

    for name in waves:
        screen().print(Text(_reseal(name, config), style=BAD), soft_wrap=True)


def _reseal(wave: str, config: Path) -> str:
    from kogge.shown.seal_messages import SealOptions

    asked = SealOptions(wave, None, Path(), False, None, None, None, config)
    return f"{wave}: changed since it was sealed: {asked.correction()}"


@dataclass(frozen=True, slots=True)
class _View:
    """Hold what is looked at.

    Attributes:
        wanted: only these mailbox ids; None for all.
        kinds: only these workloads; None for all.
        ahead: None if not whole waves are looked at.
        checked: see WaveStatus.
    """

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
        from engine.cutover.stopped import stops
        from kogge.shown.wave_status import gather

        boxes, legs = self.ledger.mailboxes(self.wave), self.ledger.legs(self.wave)
        now, chosen = self.ledger.clock(), (self.wanted, self.kinds)
        stopped = stops(self.ledger, self.config.hooks, boxes, legs)
        return gather(boxes, legs, summaries, now, *chosen, is_dead, self.checked, stopped)


def _watched(view: _View, everything: bool, by_workload: bool) -> WaveStatus:
    from rich.live import Live
    from rich.text import Text

    from kogge.shown.status_screen import WAVES_SHOWN, Look, drawn
    from kogge.shown.wave_status import RateWindow
    from kogge.terminal.tables import moment

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
            look = Look(None if everything else room, out.width, by_workload, fixed=True)
            shown = drawn(fleet, look, left, notices)
            if out.is_terminal:
                live.update(shown, refresh=True)
            else:
                out.print(Text(moment(datetime.now(UTC))), shown, Text())
            if fleet.settled:
                return fleet
            time.sleep(TICK_SECONDS if out.is_terminal else LOG_SECONDS)
