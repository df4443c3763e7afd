"""`kogge rollback`: takes back what was moved; looks first, and acts only when told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT, each_mailbox, next_command
from engine.config.load import Config, load
from engine.control import json_log
from engine.control.ledger_access import opened_ledger
from kogge.run.pause import OutsideHours, may_look, may_work
from kogge.shown.rollback_counts import after_look, codes_of, lines_of_added, passes, show_counts
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    Decider,
    Exit,
    Mailboxes,
    Reason,
    Wave,
    chosen,
    emit,
    given,
    report,
    say,
    write_csv,
)
from model.errors import MigrationError, Misconfigured, Transient
from model.plural import many
from reports.progress import LATER

if TYPE_CHECKING:
    from engine.pacing.watchdog import WavePolicy
    from engine.rollback.run_many import RollbackResult
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger


def rollback(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    recall: Annotated[
        bool,
        typer.Option(
            "--recall", help="Take misdirected mail out of every folder, and say what of it was read."
        ),
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Remove it; without this, only look.")] = False,
    undo_hooks: Annotated[
        bool,
        typer.Option(
            "--undo-hooks",
            help="With --execute: run the undo of each cutover hook, too; the mailbox is in staging then.",
        ),
    ] = False,
    now: OutsideHours = False,
    by: Decider = None,
    reason: Reason = None,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write every item to FILE, one a line, for you alone."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Takes back what Kogge wrote and no user has changed since, in any phase; looks first.

    What somebody changed or added stays and is listed; flags do not count. Folders that we made go when they
    are empty. Without --execute nothing is written anywhere. With it, --by and --reason approve it, unless
    `kogge approve rollback` did; run it again to go on where it stopped. It goes by the wave's hours and
    pauses; a look may at any time. Afterwards the mailboxes are blocked (rolled-back) until `kogge retry`.
    What was frozen or live stays so, and its hooks stay in force, but with --undo-hooks.

    Example: kogge rollback --wave pilot --execute --by "A. Auditor" --reason "wrong time zone"
    """
    from engine.cutover.steps import is_rolled_back
    from ledger.db.rows import Phase

    settings = load(config)
    json_log.use(settings)
    _refuse_half(wave, mailbox, execute, by, reason)
    _refuse_alone(settings, by, execute=execute, now=now, undo_hooks=undo_hooks)
    with opened_ledger(settings, upgrade=execute) as ledger:
        rows = chosen(settings, ledger, wave, mailbox, by_line=not execute)
        duties = _duties(settings, ledger, rows, execute, by if now else None)
        waves = {duty.wave for duty in duties}
        going = [row for row in rows if row.wave in waves]
        left = [row for row in going if not (execute and is_rolled_back(ledger, row.id))]
        if execute and left:
            record_approval(ledger, wave if not mailbox else None, left, Responsibility(by, reason, recall))
        asked = RollbackSelection(left, duties, recall, execute, csv_file is not None or as_json)
        run = run_rollback(settings, ledger, asked)
        if execute and len(left) < len(going):
            say(f"Nothing of ours is left there: {many(len(going) - len(left), 'mailbox', 'mailboxes')}.")
        if execute:
            _about_phases(settings, ledger, going, config, by if undo_hooks else None)
        is_live = execute and any(ledger.mailbox(row.id).phase is Phase.LIVE for row in going)
    whose = " ".join(f"-m {row.id}" for row in rows) if mailbox else f"--wave {wave}"
    again = " and ".join(next_command(config, f"{name} {whose}") for name in ("retry", "migrate"))
    again = f"To move them again{', once they are given back' * is_live}: {again}"
    if not execute:
        again = next_command(
            config, f"rollback {whose}{' --recall' * recall} --execute --by NAME --reason TEXT"
        )
    _tell(run.ended, csv_file, as_json, execute, again, config)
    for refusal in run.refusals:
        say(f"not ended: {refusal}")
    if run.fault is not None:
        raise typer.Exit(report(run.fault))
    code = exit_code(run, execute)
    raise typer.Exit(Exit.AGAIN if code == Exit.OK and len(going) < len(rows) else code)


@dataclass(frozen=True, slots=True)
class RollbackSelection:
    """Hold what is to be rolled back, or looked at, and what that goes by."""

    rows: Sequence[MailboxRow]
    duties: Sequence[WavePolicy]
    recall: bool
    execute: bool
    lines: bool


@dataclass(frozen=True, slots=True)
class Run:
    """Hold how it went.

    Attributes:
        left: how many workloads were not begun.
        refusals: why waves go on at another time.
    """

    ended: Sequence[RollbackResult]
    left: int
    refusals: Sequence[Transient]
    fault: MigrationError | None


def _about_phases(
    config: Config, ledger: Ledger, rows: Sequence[MailboxRow], path: Path, undo_by: str | None
) -> None:
    """Print which mailboxes are rolled back and still frozen or live, and what their hooks do; or undo that.

    Args:
        config: the configuration.
        ledger: is read and written.
        rows: the mailboxes.
        path: of the configuration.
        undo_by: who wants it undone; None only prints.
    """
    from engine.cutover.steps import in_force, is_rolled_back
    from kogge.run.cutover import give_back
    from ledger.db.rows import Phase
    from ledger.leg.cutover_steps import Steps

    now = [ledger.mailbox(row.id) for row in rows if is_rolled_back(ledger, row.id)]
    now = [row for row in now if row.phase is not Phase.STAGING]
    if not now:
        return
    if undo_by is not None:
        give_back(config, ledger, now, undo_by.strip(), path)
        return
    done = Steps(ledger).of(row.id for row in now)
    begun = [{one.name for one in done.get(row.id, [])} for row in now]
    hooks = {hook.name for names in begun for _, hook in in_force(config.hooks, names)}
    whose = " ".join(each_mailbox([row.id for row in now]))
    are = f"{many(len(now), 'mailbox is', 'mailboxes are')} rolled back and still frozen or live"
    force = f"; in force: {', '.join(sorted(hooks))}" if hooks else ""
    say(f"{are}{force}. Whoever works there has an empty account, and no pass mirrors it.")
    say(f"To undo the hooks, and back to staging: {next_command(path, f'give-back {whose} --by NAME')}")


def _duties(
    config: Config, ledger: Ledger, rows: Sequence[MailboxRow], execute: bool, now_by: str | None
) -> list[WavePolicy]:
    return may_work(config, ledger, rows, "rollback", now_by) if execute else may_look(ledger, rows)


def run_rollback(config: Config, ledger: Ledger, asked: RollbackSelection) -> Run:
    """Take the selected workloads back, or only look."""
    from engine.approvals.pinned_settings import refuse_weaker
    from engine.control.error_log import defect_log
    from engine.cutover.steps import is_undone
    from engine.pacing.run_legs import Boundary
    from engine.pacing.worker_slots import open_worker_slots
    from engine.rollback.run import Scope, approved
    from engine.rollback.run_many import RollbackRequest, all_of, with_earlier
    from flows.launch import signals
    from flows.process.leg_runner import Shutdown

    ids = frozenset(row.id for row in asked.rows)
    if asked.execute:
        refuse_weaker(config, ledger)
    going = approved(ledger, asked.rows, recall=asked.recall) if asked.execute else ids
    legs = {duty.wave: [leg for leg in ledger.legs(duty.wave) if leg.mailbox in ids] for duty in asked.duties}
    if asked.execute:  # of what is rolled back already nothing is left, and nobody has to approve that
        legs = {wave: [leg for leg in own if not is_undone(leg)] for wave, own in legs.items()}
    drain = Shutdown()
    boundary = Boundary(drain.event, config=config)
    ended: list[RollbackResult] = []
    with (
        signals(drain),
        defect_log(config.state_directory),
        open_worker_slots(config, ledger, drain.event) as worker_slots,
    ):
        scope = Scope(ledger, going)
        order = RollbackRequest(
            config, scope, boundary, worker_slots, asked.recall, asked.execute, asked.lines
        )
        for duty in worker_slots.heeded(asked.duties):
            ended += all_of(order, legs[duty.wave])
    left = sum(map(len, legs.values())) - len(ended)
    if asked.recall and asked.execute:
        ended = [with_earlier(ledger, one) for one in ended]
    return Run(ended, left, worker_slots.refusals, boundary.fault)


def _refuse_alone(settings: Config, by: str | None, *, execute: bool, now: bool, undo_hooks: bool) -> None:
    """Raise Misconfigured for an option that goes with others, or if hooks could not be undone."""
    from engine.cutover.hooks import refuse_unreadable

    if now:
        given("--by", by, "who lets it run outside of the wave's hours is recorded")
        if not execute:
            raise Misconfigured("--now", "is for what --execute does; a look may at any time")
    if undo_hooks:
        given("--by", by, "who has the hooks undone is recorded")
        if not execute:
            raise Misconfigured("--undo-hooks", "goes with --execute")
        refuse_unreadable(settings.hooks)


def _refuse_half(
    wave: str | None, mailbox: Sequence[str] | None, execute: bool, by: str | None, reason: str | None
) -> None:
    if wave is None and not mailbox:
        raise Misconfigured("rollback", "give --wave or --mailbox")
    if (by is None) != (reason is None):
        raise Misconfigured("rollback", "give --by and --reason together")
    if by is not None and not execute:
        raise Misconfigured("--by", "approves, and nothing is to be done without --execute")
    for name, text in (("--by", by), ("--reason", reason)):
        if text is not None and not text.strip():
            raise Misconfigured(name, "is empty; an auditor will ask")


@dataclass(frozen=True, slots=True)
class Responsibility:
    """Hold who takes responsibility, and why.

    Attributes:
        reason: None if it was taken before.
        recall: also for every folder.
    """

    by: str | None
    reason: str | None
    recall: bool


def record_approval(
    ledger: Ledger, wave: str | None, rows: Sequence[MailboxRow], answer: Responsibility
) -> None:
    """Record who takes responsibility; without a reason it must have been taken before."""
    from engine.rollback.run import approved
    from ledger.leg.rollback import APPROVAL, RECALL

    codes = [APPROVAL, RECALL] if answer.recall else [APPROVAL]
    if answer.by is not None and answer.reason is not None:
        for subject in [f"wave:{wave}"] if wave is not None else [row.id for row in rows]:
            for code in codes:
                ledger.approve(subject, code, answer.by.strip(), answer.reason.strip())
        return
    if not approved(ledger, rows, recall=answer.recall):
        what = " and ".join(codes)
        if answer.by is not None:
            raise Misconfigured("--reason", f"is missing; nobody approved this rollback yet ({what})")
        raise Misconfigured("--by", f"nobody approved this rollback yet ({what}): give --by and --reason")


def _tell(
    ended: Sequence[RollbackResult],
    csv_file: Path | None,
    as_json: bool,
    execute: bool,
    again: str,
    path: Path,
) -> None:
    """Print how each ended, and what to type next."""
    lines = items_of(ended, csv_file)
    if as_json:
        emit({"executed": execute, "legs": [one.document() for one in ended], "items": lines})
        return
    if ended:
        show_counts(ended, execute)
    if execute and not codes_of(ended):
        for line in lines_of_added(ended, path):
            say(line)
        say(again)
    if not execute:
        say(after_look(ended, "Nothing was removed.", again))


def items_of(ended: Sequence[RollbackResult], csv_file: Path | None) -> list[dict[str, object]]:
    """Return every item for --json, and write them as CSV if a file is given."""
    from engine.rollback.report import RollbackLine

    lines = [asdict(line) for one in ended for line in one.report.lines or ()]
    if csv_file is not None:
        write_csv(csv_file, lines, [one.name for one in fields(RollbackLine)], "lines")
    return lines


def exit_code(run: Run, execute: bool) -> int:
    """Return the exit code of a rollback."""
    codes = codes_of(run.ended)
    if run.refusals:
        return Exit.OPEN if codes.keys() - LATER.keys() else Exit.AGAIN
    if execute and ("stopped" in codes or run.left):
        return 130
    if not execute and passes(run.ended):
        return Exit.AGAIN if codes else Exit.OK
    return Exit.OPEN if codes else Exit.OK
