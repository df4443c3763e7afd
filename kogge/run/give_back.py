"""`kogge give-back`: a person works at the source again, wherever their cutover stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control import json_log
from engine.control.ledger_access import opened_ledger
from engine.control.remedies import PASSING, advice
from engine.control.stop_signal import STOPPED
from kogge.run.cutover import Ended, Way, act
from kogge.run.pause import may_look, may_work
from kogge.run.rollback import (
    Responsibility,
    RollbackSelection,
    Run,
    items_of,
    record_approval,
    run_rollback,
)
from kogge.shown.rollback_counts import after_look, codes_of, lines_of_added, passes, show_counts
from kogge.shown.way_back_table import Route, by_hand_lines, routes_of, show_routes
from kogge.terminal.options import (
    NAMES,
    AsJson,
    ConfigPath,
    Decider,
    Exit,
    Reason,
    chosen,
    emit,
    given,
    report,
    say,
    screen,
)
from ledger.db.rows import HELD_ELSEWHERE, ROLLED_BACK, ROLLING, Phase
from ledger.leg.rollback import APPROVAL
from reports.progress import LATER

if TYPE_CHECKING:
    from engine.pacing.watchdog import WavePolicy
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

STAYS = (
    "What people wrote, changed or received in the new account stays there, and the old account lacks it."
    " Bring it there before they move once more. It is listed by: {command}"
)
HELD = (
    "A worker is at work on it, or died on another machine. Pause the wave, or wait until the lease ends"
    " (lease_seconds)."
)


def give_back(
    mailbox: Annotated[
        list[str],
        typer.Option("--mailbox", "-m", metavar="M", help=f"The mailbox ({NAMES}); repeatable."),
    ],
    config: ConfigPath = DEFAULT,
    by: Decider = None,
    reason: Reason = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and what would stay.")
    ] = False,
    csv_file: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write every item that goes or stays to FILE, for you alone."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Gives a person back to the source, wherever their cutover stopped: frozen, half released or live.

    Of a frozen mailbox each hook is undone, the last first, and it is in staging again. Where its user may
    work in the new account already, what Kogge wrote there and nobody changed is taken back first; that needs
    --reason, or an earlier `kogge approve rollback`. What people added or changed there stays there. It runs
    at any hour, which is recorded. Interrupt it as you like, and run it again: it goes on.

    Example: kogge give-back -m m-088347f5 --by "Night shift" --reason "she cannot log in"
    """
    from engine.cutover.hooks import refuse_unreadable
    from engine.cutover.way_back import WayBack, way_back

    settings = load(config)
    json_log.use(settings)
    who = "" if dry_run else given("--by", by, "who decides is recorded")
    if reason is not None:
        given("--reason", reason, "an auditor will ask")
    refuse_unreadable(settings.hooks)
    with opened_ledger(settings, upgrade=not dry_run) as ledger:
        rows = chosen(settings, ledger, None, mailbox, by_line=dry_run)
        order = Order(settings, ledger, who, reason, lines=as_json or csv_file is not None)
        routes = routes_of(settings.hooks, ledger, rows)
        opened = [row for row, route in zip(rows, routes, strict=True) if route.way is WayBack.ROLL_BACK]
        run = _roll_back(order, opened, dry_run) if opened else None
        undone = [row for row in rows if not dry_run and way_back(ledger, row.id) is WayBack.UNDO]
        ended = _undo(order, undone) if undone else None
        phases = {row.id: ledger.mailbox(row.id).phase for row in rows}
        asks = bool(opened) and not {row.id for row in opened} <= _without_reason(ledger, opened)
    found = [Given(one, phases[one.mailbox], _code(one.mailbox, run, ended)) for one in routes]
    looked = run.ended if run else ()
    lines = items_of(looked, csv_file)
    if as_json:
        legs, mailboxes = [one.document() for one in looked], [one.document() for one in found]
        emit({"executed": not dry_run, "mailboxes": mailboxes, "legs": legs, "items": lines})
    elif dry_run:
        _show(found, run, config, " --reason TEXT" if asks else "")
    else:
        _tell(found, run, config, " --reason TEXT" if asks else "")
    raise typer.Exit(_exit(found, run, ended, dry_run))


@dataclass(frozen=True, slots=True)
class Order:
    """Hold who gives back, and why.

    Attributes:
        reason: None if the rollback was approved before.
        lines: every item is asked for.
    """

    config: Config
    ledger: Ledger
    by: str
    reason: str | None
    lines: bool


@dataclass(frozen=True, slots=True)
class Given:
    """Hold what became of one mailbox.

    Attributes:
        route: what was needed.
        phase: where it is now.
        code: why it is not given back; None if it is, or if there was nothing to do.
    """

    route: Route
    phase: Phase
    code: str | None

    @property
    def is_back(self) -> bool:
        """Return True if the mailbox is given back."""
        return self.code is None and self.phase is Phase.STAGING

    def document(self) -> dict[str, object]:
        """Return the mailbox for JSON."""
        return {**asdict(self.route), "phase": self.phase, "code": self.code or ""}


def _roll_back(order: Order, rows: Sequence[MailboxRow], dry_run: bool) -> Run:
    """Take back what Kogge wrote for these, or only look.

    The reason that was given approves this command alone: it is not used later for a mailbox of which nothing
    was begun.
    """
    if dry_run:
        return _run(order, rows, may_look(order.ledger, rows), execute=False)
    before = _approved(order.ledger, rows)
    record_approval(order.ledger, None, rows, Responsibility(order.by, order.reason, recall=False))
    _record(order, rows)
    try:
        duties = may_work(order.config, order.ledger, rows, "give-back", order.by)
        return _run(order, rows, duties, execute=True)
    finally:
        _spend_unused(order.ledger, [row for row in rows if row.id not in before])


def _run(order: Order, rows: Sequence[MailboxRow], duties: Sequence[WavePolicy], *, execute: bool) -> Run:
    asked = RollbackSelection(rows, duties, recall=False, execute=execute, lines=order.lines)
    return run_rollback(order.config, order.ledger, asked)


def _approved(ledger: Ledger, rows: Sequence[MailboxRow]) -> frozenset[str]:
    from engine.rollback.run import approved

    return approved(ledger, rows)


def _without_reason(ledger: Ledger, rows: Sequence[MailboxRow]) -> frozenset[str]:
    """Return the mailboxes that the same command gives back without another reason."""
    from engine.cutover.steps import is_rolled_back

    return _approved(ledger, rows) | {row.id for row in rows if is_rolled_back(ledger, row.id)}


def _spend_unused(ledger: Ledger, rows: Sequence[MailboxRow]) -> None:
    for row in rows:
        if all(leg.code not in (ROLLING, ROLLED_BACK) for leg in ledger.legs(mailbox=row.id)):
            ledger.event(row.wave, f"approval-spent:{APPROVAL}", {}, subject=row.id)


def _record(order: Order, rows: Sequence[MailboxRow]) -> None:
    """Record that the next cutover of their wave leaves these out.

    It comes before anything is undone, because a second run of an interrupted command may find nothing left
    to undo.
    """
    from engine.cutover.given_back import record_begin

    record_begin(order.ledger, rows, order.by)


def _undo(order: Order, rows: Sequence[MailboxRow]) -> Ended:
    _record(order, rows)
    way = Way(order.by, back=True, now=False, whose="", reason=(order.reason or "").strip())
    return act(order.config, order.ledger, rows, way)


def _code(mailbox: str, run: Run | None, ended: Ended | None) -> str | None:
    """Return why this mailbox is where it is: the first thing that stopped it."""
    results = [(one.leg.mailbox, one.code) for one in (run.ended if run else ())]
    results += [(one.mailbox, one.code) for one in (ended.cuts if ended else ())]
    return next((code for number, code in results if number == mailbox and code), None)


def _show(found: Sequence[Given], run: Run | None, path: Path, why: str) -> None:
    """Show what would be done; `why` is the option with the reason, if one is asked for."""
    show_routes([one.route for one in found])
    if run is not None:
        screen().print()
        show_counts(run.ended, execute=False)
        if any(one.leg.code in (ROLLING, ROLLED_BACK) for one in run.ended):
            say("This was begun before: what it has removed already counts as not there any more.")
    if any(one.route.way != "nothing" for one in found):
        command = next_command(path, f"give-back {_whose(found)} --by NAME{why}")
        say(after_look(run.ended if run else (), "Nothing was done.", command))


def _tell(found: Sequence[Given], run: Run | None, path: Path, why: str) -> None:
    """Print what was done, and what to type now; `why` is the option with the reason, if asked for again."""
    if run is not None:
        show_counts(run.ended, execute=True)
    for one in found:
        say(f"{one.route.mailbox}: {_outcome(one)}")
    for line in by_hand_lines([one.route for one in found if one.route.way != "nothing"]):
        say(line)
    rolled = [one for one in found if one.route.way == "roll-back" and one.is_back]
    frozen = [one for one in found if one.route.way == "undo" and one.is_back]
    left = [one for one in found if not one.is_back]
    if left:
        say(f"To go on: {next_command(path, f'give-back {_whose(left)} --by NAME{why}')}")
    if rolled:
        say(STAYS.format(command=next_command(path, f"rollback {_whose(rolled)} --csv stays.csv")))
        for line in lines_of_added(run.ended if run is not None else (), path):
            say(line)
        again = " and ".join(next_command(path, f"{name} {_whose(rolled)}") for name in ("retry", "migrate"))
        say(f"To move them once more: {again}")
    if frozen:
        command = next_command(path, f"migrate {_whose(frozen)}")
        say(f"Next: {command} brings what changed")
    if back := [*rolled, *frozen]:
        say(f"The next cutover of the whole wave leaves them out. {_later(back, path)}")


def _later(back: Sequence[Given], path: Path) -> str:
    return f"When their time has come: {next_command(path, f'cutover {_whose(back)} --by NAME')}"


def _outcome(one: Given) -> str:
    if one.route.way == "nothing":
        return "its user works at the source already; nothing was to be done"
    if one.is_back:
        undone = f"undone: {', '.join(one.route.undo)}; " if one.route.undo else ""
        return f"given back; {undone}it is in staging"
    code = one.code or STOPPED
    return f"not given back ({code}): {HELD if code == HELD_ELSEWHERE else advice(code)}"


def _whose(found: Sequence[Given]) -> str:
    return " ".join(f"-m {one.route.mailbox}" for one in found)


def _exit(found: Sequence[Given], run: Run | None, ended: Ended | None, dry_run: bool) -> int:
    for one in (run, ended):
        if one is not None and one.fault is not None:
            return report(one.fault)
    if dry_run:
        looked = run.ended if run is not None else ()
        if passes(looked):
            return Exit.AGAIN if codes_of(looked) else Exit.OK
        return Exit.OPEN
    codes = {one.code for one in found if one.code}
    if STOPPED in codes or (run is not None and run.left and not run.refusals):
        return 130
    if all(one.is_back for one in found):
        return Exit.OK
    return Exit.AGAIN if codes <= PASSING.keys() | LATER.keys() else Exit.OPEN
