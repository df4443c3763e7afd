"""`kogge cutover`: from the first freeze hook to a mailbox that its user works in, or back."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.config.hints import DEFAULT, each_mailbox, next_command
from engine.config.load import Config, load
from engine.control import json_log
from engine.control.ledger_access import opened_ledger
from engine.control.remedies import PASSING, advice
from engine.control.stop_signal import STOPPED
from engine.cutover.given_back import GIVEN_BACK, GIVING_BACK, TAKING_BACK
from kogge.run.pause import may_work
from kogge.shown.way_back_table import DONE, by_hand_lines, routes_of, show_routes
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    Decider,
    Exit,
    Mailboxes,
    Wave,
    chosen,
    emit,
    given,
    report,
    say,
    screen,
)
from kogge.terminal.tables import QUIET, moment, table
from ledger.db.rows import ROLLED_BACK, ROLLING, SCORE_LOW, Phase
from model.errors import Blocked, MigrationError, Misconfigured, Transient
from model.plural import many
from reports.progress import LATER

if TYPE_CHECKING:
    from engine.approvals.score import Score
    from engine.cutover.steps import CutoverResult
    from engine.cutover.stopped import Stop
    from engine.pacing.watchdog import WavePolicy
    from ledger.db.rows import MailboxRow
    from ledger.leg.cutover_steps import StepRow
    from ledger.store import Ledger

SHOWN = 40
LIVE, RELEASED = "live-phase", "release-begun"
"""The codes of what cannot be taken back any more."""
LOOK = "Score low, not approved, not live yet: {:,}. A person has to look; `kogge score` says why."
WOULD = "would go on"
NOTHING_BACK = "Nothing goes back: what is live or released does not, and in staging nothing was begun."
NOTHING_OVER = "Nothing goes over: each of these is live already, was given back, or is on its way back."
WAY_BACK = frozenset({GIVING_BACK, TAKING_BACK, ROLLING, ROLLED_BACK})
"""The codes of a live mailbox from which something was taken back: no cutover leads on from there."""
STAYS_OPEN = "nothing: somebody may work there; `kogge give-back` takes back what Kogge wrote first"
WAITS = (
    "What is in staging stays as it is: no freeze hook runs before somebody approves its score. What is"
    " frozen stops frozen, after its final delta, if the score is still low then."
)


def cutover(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    by: Decider = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say which mailboxes would go live, and what stops others; with --back, which go back.",
        ),
    ] = False,
    status: Annotated[
        bool,
        typer.Option("--status", help="Show each mailbox's steps; ends with 1 while one needs a person."),
    ] = False,
    back: Annotated[
        bool, typer.Option("--back", help="Take back what is not live yet: to staging, with the undo hooks.")
    ] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Run outside of the wave's window, too; recorded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Cuts mailboxes over: freeze hooks, the final delta, verification, score, release hooks, live.

    Only mailboxes whose every workload is verified begin, and only with the approvals of the stage
    "cutover". Run it again to go on where it stopped: a hook that is recorded as done is not run again. A
    mailbox that fails stays where it is, with a code; the others go on. It begins in the wave's window alone;
    when that closes no other mailbox begins, and those at work go on to their end.

    Example: kogge cutover --wave pilot --by "Cutover team"
    """
    settings = load(config)
    json_log.use(settings)
    if wave is None and not mailbox:
        raise Misconfigured("cutover", "give --wave or --mailbox")
    if status and (dry_run or back):
        raise Misconfigured("--status", "goes with neither --dry-run nor --back")
    if now and (status or back):
        raise Misconfigured("--now", "is for a cutover; --status and --back know no window")
    with opened_ledger(settings, upgrade=not (status or dry_run)) as ledger:
        rows = chosen(settings, ledger, wave, mailbox, by_line=status or dry_run)
        if status:
            raise typer.Exit(_show(settings, ledger, rows, as_json))
        if dry_run and back:
            raise typer.Exit(_look_back(settings, ledger, rows, as_json))
        if dry_run:
            raise typer.Exit(_look(settings, ledger, rows, as_json, now=now, named=bool(mailbox)))
        who = given("--by", by, "who decides is recorded")
        whose = " ".join(f"-m {row.id}" for row in rows) if mailbox else f"--wave {wave}"
        way = Way(who, back, now, whose, named=bool(mailbox))
        routes = routes_of(settings.hooks, ledger, rows) if back else []
        ended = act(settings, ledger, rows, way, None if as_json else config)
        code = _conclude(ended, rows, way, as_json, config)
        for line in by_hand_lines([one for one in routes if one.way == "undo"]):
            say(line)
        raise typer.Exit(code)


def _show(config: Config, ledger: Ledger, rows: Sequence[MailboxRow], as_json: bool) -> int:
    """Show how far cutovers are, and write nothing. It ends as `kogge status` does."""
    from engine.approvals.score import scores
    from engine.cutover.stopped import stops
    from kogge.shown.cutover_rows import cutover_table
    from ledger.leg.cutover_steps import Steps

    steps = Steps(ledger).of(row.id for row in rows)
    found = scores(ledger, [row.id for row in rows])
    legs = [leg for wave in sorted({row.wave for row in rows}) for leg in ledger.legs(wave)]
    stopped = stops(ledger, config.hooks, rows, legs)
    ends = Exit.OPEN if stopped else Exit.OK
    if as_json:
        emit([_document(row, steps.get(row.id, []), found.get(row.id), stopped.get(row.id)) for row in rows])
        return ends
    out = screen()
    if len(rows) == 1 and steps:
        cells = (_step_cells(one) for one in steps[rows[0].id])
        out.print(table(["step", "state", "count", "at", "code"], cells))
    out.print(cutover_table(rows, steps, found, stopped))
    if len(rows) > 1 and steps:
        out.print(Text("kogge cutover --status -m ID shows every step of one mailbox", style=QUIET))
    out.print()
    _tell_codes([stop.code for stop in stopped.values()])
    _tell_scores(ledger, rows, found)
    return ends


def _tell_codes(codes: Sequence[str]) -> None:
    """Print each code with what to do."""
    for code, count in sorted(Counter(codes).items()):
        screen().print(f"{code} ({count:,}): {advice(code)}", soft_wrap=True)


def _step_cells(one: StepRow) -> list[str]:
    code = one.code or "" if one.state != "begun" else ""
    return [one.name, one.state, f"{one.attempts}", moment(one.at), code]


def _tell_scores(ledger: Ledger, rows: Sequence[MailboxRow], found: Mapping[str, Score]) -> None:
    """Print each wave's score, and what to do about low ones that are not approved."""
    from engine.approvals.low_score_approval import would_stop
    from kogge.shown.score_tables import wave_line, waves_of

    out = screen()
    for one in waves_of(rows, found):
        out.print(wave_line(one), soft_wrap=True)
    staying = [row for row in rows if row.phase is not Phase.LIVE]
    if low := len(would_stop(ledger, staying, found)):
        out.print(LOOK.format(low), soft_wrap=True)


def _document(
    row: MailboxRow, steps: Sequence[StepRow], score: Score | None, stop: Stop | None
) -> dict[str, object]:
    from reports.facts import score_document

    return {
        "mailbox": row.id,
        "phase": str(row.phase),
        "stop": None if stop is None else stop.document(),
        "score": None if score is None else score_document(score),
        "steps": [
            {
                "step": one.name,
                "state": one.state,
                "code": one.code or "" if one.state != "begun" else "",
                "attempts": one.attempts,
                "at": one.at,
            }
            for one in steps
        ],
    }


@dataclass(frozen=True, slots=True)
class Way:
    """Hold how a cutover was asked for.

    Attributes:
        by: who decides.
        back: it goes back.
        now: a window does not matter.
        whose: the mailboxes, as options.
    """

    by: str
    back: bool
    now: bool
    whose: str
    reason: str = ""
    named: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """Hold how it went; `refusals` say why some mailboxes may go on only at another time."""

    cuts: Sequence[CutoverResult]
    refusals: Sequence[Transient]
    fault: MigrationError | None


def _look(
    config: Config, ledger: Ledger, rows: Sequence[MailboxRow], as_json: bool, *, now: bool, named: bool
) -> int:
    """Say of each mailbox what would stop it first, as the ledger is now. It writes nothing and runs no hook.

    A mailbox may not be ready, its wave may not begin, or its score may be low.
    """
    from engine.approvals.low_score_approval import would_stop
    from engine.approvals.score import scores
    from engine.cutover.given_back import stay_out
    from engine.cutover.steps import CutoverResult, readiness, steps_of

    staying = [row for row in rows if row.phase is not Phase.LIVE]
    found = scores(ledger, [row.id for row in staying])
    refusals = _refusals(config, ledger, rows, hours=not now)
    low = would_stop(ledger, staying, found)
    out = frozenset[str]() if named else stay_out(ledger, staying)

    def code(row: MailboxRow) -> str | None:
        if row.phase is Phase.LIVE:
            return readiness(ledger, row.id)
        if row.id in out:
            return GIVEN_BACK
        refused = refusals[row.wave].code if row.wave in refusals else None
        return readiness(ledger, row.id) or refused or (SCORE_LOW if row.id in low else None)

    seen = [CutoverResult(row.id, row.phase, code(row)) for row in rows]
    if as_json:
        ratings = {number: str(one.rating) for number, one in found.items()}
        cells = [{**_cell(one), "score": ratings.get(one.mailbox)} for one in seen]
        emit({"mailboxes": cells, "refused": [str(one) for one in refusals.values()]})
    else:
        _tell(seen, WOULD)
        if any(one.code == SCORE_LOW for one in seen):
            say(WAITS)
        _tell_scores(ledger, staying, found)
        say(f"steps: {', '.join(steps_of(config.hooks))}")
        for refusal in refusals.values():
            say(str(refusal))
    return Exit.OPEN if refusals or any(one.code for one in seen) else Exit.OK


def _look_back(config: Config, ledger: Ledger, rows: Sequence[MailboxRow], as_json: bool) -> int:
    """Say of each mailbox whether --back would take it back. It writes nothing and undoes no hook."""
    routes = [
        one if one.way != "roll-back" else replace(one, undo=(), by_hand=())
        for one in routes_of(config.hooks, ledger, rows)
    ]
    if as_json:
        emit([asdict(one) for one in routes])
    else:
        show_routes(routes, {**DONE, "roll-back": STAYS_OPEN})
    return Exit.OPEN if any(one.way == "roll-back" for one in routes) else Exit.OK


def _refusals(
    config: Config, ledger: Ledger, rows: Sequence[MailboxRow], *, hours: bool
) -> dict[str, MigrationError]:
    """Return, by wave, why it may not be cut over.

    A cutover is not approved, the wave is paused or, if hours count, it is out of its window.
    """
    from engine.cutover.run_many import permit
    from engine.planning.maintenance_windows import refuse_closed

    found: dict[str, MigrationError] = {}
    for wave in sorted({row.wave for row in rows if row.phase is not Phase.LIVE}):
        try:
            permit(config, ledger, wave)
            if hours:
                refuse_closed(config, ledger, wave, datetime.now(UTC))
        except (Blocked, Transient) as error:
            found[wave] = error
    return found


def act(
    config: Config, ledger: Ledger, rows: Sequence[MailboxRow], way: Way, path: Path | None = None
) -> Ended:
    """Cut mailboxes over, or take them back.

    A mailbox without something to do is neither announced nor recorded as done; its result says why.

    Args:
        config: the configuration.
        ledger: is read and written.
        rows: the mailboxes.
        way: how it was asked for.
        path: of the configuration, for what is printed on the way; None prints nothing.
    """
    from engine.control.error_log import defect_log
    from engine.cutover.run_many import all_of, announce, concerned, opened, tell_end
    from engine.pacing.worker_slots import open_worker_slots
    from flows.display.from_command import show_cutovers, telling
    from flows.display.prefect_events import tell
    from flows.launch import signals
    from flows.process.leg_runner import Shutdown

    for refusal in () if way.back else _refusals(config, ledger, rows, hours=False).values():
        raise refusal
    duties = _duties(config, ledger, rows, way)
    going = {duty.wave: [row for row in rows if row.wave == duty.wave] for duty in duties}
    begun = {row.id: row for row in concerned(ledger, rows, back=way.back, named=way.named)}
    cuts: list[CutoverResult] = []
    drain = Shutdown()

    def report_one(cut: CutoverResult) -> None:
        cuts.append(cut)
        if cut.mailbox in begun:
            shown(cut)

    with (
        signals(drain),
        defect_log(config.state_directory),
        telling(config),
        open_worker_slots(config, ledger, drain.event) as worker_slots,
        opened(config, ledger, way.by, worker_slots, tell, back=way.back) as order,
        _telling(ledger, list(begun.values()), None if path is None else _first(begun, way, path)) as shown,
    ):
        for duty in worker_slots.heeded(duties):
            own = [row for row in going[duty.wave] if row.id in begun]
            announce(order, own, way.reason, named=way.named)
            before = len(cuts)
            all_of(order, [row.id for row in going[duty.wave]], report_one)
            ended = [cut for cut in cuts[before:] if cut.mailbox in begun]
            tell_end(order, duty.wave, ended, len(own), way.reason)
    show_cutovers(config, ledger, {cut.mailbox: cut.code for cut in cuts})
    return Ended(cuts, worker_slots.refusals, order.boundary.fault)


def _first(begun: Collection[str], way: Way, path: Path) -> str:
    """Return what is about to be done, or that there is nothing to do."""
    if not begun:
        return NOTHING_BACK if way.back else NOTHING_OVER
    count = many(len(begun), "mailbox", "mailboxes")
    does = "goes" if len(begun) == 1 else "go"
    what = f"{count} {does} back to staging" if way.back else f"{count} {does} over"
    return f"{what}; each step: {next_command(path, f'cutover {way.whose} --status')}"


@contextmanager
def _telling(
    ledger: Ledger, rows: Sequence[MailboxRow], first: str | None
) -> Iterator[Callable[[CutoverResult], None]]:
    from kogge.shown.cutover_progress import telling_how_far

    if first is None:
        yield lambda _cut: None
        return
    with telling_how_far(ledger, rows, first) as shown:
        yield shown


def give_back(config: Config, ledger: Ledger, rows: Sequence[MailboxRow], by: str, path: ConfigPath) -> None:
    """Undo the hooks of mailboxes that were rolled back, bring these to staging, and say how it went."""
    whose = " ".join(f"-m {row.id}" for row in rows)
    routes = routes_of(config.hooks, ledger, rows)
    ended = act(config, ledger, rows, Way(by, back=True, now=False, whose=whose))
    for line in by_hand_lines(routes):
        say(line)
    for one in ended.cuts:
        say(f"{one.mailbox}: {one.code or f'its hooks are undone, it is in {one.phase}'}")
    if ended.fault is not None:
        report(ended.fault)
    elif any(one.code for one in ended.cuts):
        say(f"To go on: {next_command(path, f'give-back {whose} --by NAME')}")


def _duties(config: Config, ledger: Ledger, rows: Sequence[MailboxRow], way: Way) -> list[WavePolicy]:
    """Return what the work goes by. It is always possible to go back."""
    from engine.pacing.watchdog import WavePolicy

    if way.back:
        return [WavePolicy(wave, hours=False, pause=False) for wave in sorted({row.wave for row in rows})]
    now_by = way.by if way.now else None
    return may_work(config, ledger, rows, "cutover", now_by, paused_too=False, ends=False)


def _conclude(ended: Ended, rows: Sequence[MailboxRow], way: Way, as_json: bool, path: ConfigPath) -> int:
    if as_json:
        emit([_cell(one) for one in ended.cuts])
    else:
        _tell(ended.cuts, "")
        say(f"Each step: {next_command(path, f'cutover {way.whose} --status')}")
    for refusal in ended.refusals:
        say(f"not ended: {refusal}")
    for line in _next_steps(ended.cuts, len(rows), way, path):
        say(line)
    if ended.fault is not None:
        return report(ended.fault)
    codes = {one.code for one in ended.cuts if one.code}
    if STOPPED in codes:
        return 130
    if (codes or ended.refusals or len(ended.cuts) < len(rows)) and codes <= PASSING.keys() | LATER.keys():
        return Exit.AGAIN
    return Exit.OPEN if codes else Exit.OK


def _next_steps(cuts: Sequence[CutoverResult], asked: int, way: Way, path: ConfigPath) -> Iterator[str]:
    """Yield what to type now, a line each."""
    by = f"--by {shlex.quote(way.by)}"
    again, back = (f"cutover {way.whose}{option} {by}" for option in (" --now" * way.now, " --back"))
    left = {one.code for one in cuts if one.code} | ({STOPPED} if len(cuts) < asked else set())
    if way.back:
        yield from _after_back(cuts, left, next_command(path, back), path)
    elif left:
        if low := _whose(cuts, SCORE_LOW):
            command = next_command(path, f"approve score-low {low} --by NAME --reason TEXT")
            yield f"First, if they may go live so: {command}"
        if out := _whose(cuts, GIVEN_BACK):
            command = next_command(path, f"cutover {out} {by}")
            yield f"Who was given back, when their time has come: {command}"
        if some := _shown([one for one in cuts if one.phase is Phase.LIVE and one.code in WAY_BACK]):
            command = next_command(path, f"give-back {some} --by NAME --reason TEXT")
            yield f"To go on giving back: {command}"
        if any(one.phase is not Phase.LIVE for one in cuts if one.code != GIVEN_BACK and one.code) or (
            STOPPED in left
        ):
            yield f"To go on: {next_command(path, again)}"
        frozen = [one for one in cuts if one.code and one.phase is Phase.FROZEN]
        if frozen:
            yield f"Or back, what is frozen and not released: {next_command(path, back)}"
            command = next_command(path, f"give-back {_shown(frozen)} --dry-run")
            yield f"Or back, released or not: {command}"
    else:
        yield f"Next: {next_command(path, f'migrate {way.whose}')} brings late mail, while the source lives"


def _after_back(cuts: Sequence[CutoverResult], left: Set[str], back: str, path: ConfigPath) -> Iterator[str]:
    if left - {LIVE, RELEASED}:
        yield f"To go on taking back: {back}"
    if some := _whose(cuts, None):
        yield f"Next: {next_command(path, f'migrate {some}')} brings what changed; a cutover begins anew"
    if some := _whose(cuts, RELEASED):
        yield f"What was released goes on: {next_command(path, f'cutover {some}')} --by NAME"
        command = next_command(path, f"give-back {some} --dry-run")
        yield f"Or back, with what Kogge wrote taken back: {command}"
    if some := _whose(cuts, LIVE):
        command = next_command(path, f"give-back {some} --dry-run")
        yield f"What is live: {command} looks what giving it back would take back"


def _whose(cuts: Sequence[CutoverResult], code: str | None) -> str:
    """Return, as options, the mailboxes that ended with this code."""
    return _shown([one for one in cuts if one.code == code])


def _shown(cuts: Sequence[CutoverResult]) -> str:
    """Return mailboxes as options, or a word that stands for each if there are many."""
    return " ".join(each_mailbox([one.mailbox for one in cuts]))


def _cell(one: CutoverResult) -> dict[str, str]:
    return {"mailbox": one.mailbox, "phase": str(one.phase), "code": one.code or ""}


def _tell(ended: Sequence[CutoverResult], well: str) -> None:
    """Print how each ended, first those that need a person."""
    order = sorted(ended, key=lambda one: (one.code is None, one.mailbox))
    cells = [
        [one.mailbox, str(one.phase), one.code or (well if one.phase is not Phase.LIVE else "")]
        for one in order[:SHOWN]
    ]
    out = screen()
    out.print(table(["mailbox", "phase", "code"], cells))
    if len(order) > SHOWN:
        out.print(f"and {len(order) - SHOWN:,} more (--json)")
    phases = {phase: sum(one.phase is phase for one in ended) for phase in Phase}
    out.print(", ".join(f"{count:,} {phase}" for phase, count in phases.items() if count))
    _tell_codes([one.code for one in ended if one.code])
