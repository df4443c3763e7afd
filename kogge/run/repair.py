"""`kogge repair`: dates, flags and folders of what has moved, put right in place; looks first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.file_errors import unknown
from engine.config.hints import DEFAULT, next_command
from engine.config.load import load
from engine.control import json_log
from engine.control.ledger_access import opened_ledger
from engine.control.remedies import advice
from flows.process.parameters import workloads_of
from kogge.run.pause import OutsideHours, may_look, may_work
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    Decider,
    Exit,
    Mailboxes,
    Reason,
    Wave,
    Workloads,
    chosen,
    emit,
    given,
    report,
    say,
    screen,
)
from kogge.terminal.tables import table
from model.errors import MigrationError, Misconfigured, Transient
from reports.progress import LATER

if TYPE_CHECKING:
    from engine.config.load import Config
    from engine.pacing.watchdog import WavePolicy
    from engine.repair import RepairResult
    from ledger.db.rows import LegRow, MailboxRow
    from ledger.store import Ledger

WHAT = ("dates", "flags", "folders")
AUDITOR = "an auditor will ask who had this done, and why"
COUNTS = ("right", "repaired", "user", "refused", "unread")


def repair(
    what: Annotated[str, typer.Argument(metavar="WHAT", help=f"What to put right: {', '.join(WHAT)}.")],
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    workload: Workloads = None,
    execute: Annotated[
        bool, typer.Option("--execute", help="Put it right; without this, only look.")
    ] = False,
    now: OutsideHours = False,
    by: Decider = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Compares what has moved with its source, and puts dates, flags or folders right in place.

    For mailboxes that Kogge moved. In the live phase only what is still as it was last written is touched:
    what its user changed stays ("user"). A message gets another date by being written once more; the old copy
    goes only when the new one is there. Run it again after an interruption.

    --execute needs --by and --reason, because it touches what may be in use, and the approvals of the wave's
    plan, as a pass does. It goes by the wave's hours and pauses; a look may at any time.

    Example: kogge repair dates --wave pilot --execute --by "A. Auditor" --reason "dates of the first pass"
    """
    from engine.approvals.plan_approval import START, refuse_unapproved

    if what not in WHAT:
        raise Misconfigured("WHAT", unknown(what, dict.fromkeys(WHAT)))
    if wave is None and not mailbox:
        raise Misconfigured("repair", "give --wave or --mailbox")
    if now and not execute:
        raise Misconfigured("--now", "is for what --execute does; a look may at any time")
    said: dict[str, str] = {}
    if execute:
        said = {"by": given("--by", by, AUDITOR), "reason": given("--reason", reason, AUDITOR)}
    settings = load(config)
    json_log.use(settings)
    kinds = workloads_of(settings, workload or (), "--workload")
    with opened_ledger(settings, upgrade=execute) as ledger:
        rows = chosen(settings, ledger, wave, mailbox, by_line=not execute)
        duties = _duties(settings, ledger, rows, said.get("by"), now=now)
        names = {duty.wave for duty in duties}
        ids = {row.id: row.wave for row in rows if row.wave in names}
        for name in names if execute else ():
            refuse_unapproved(settings, ledger, name, START)  # each leg asks again; here it costs no server
        for name, count in Counter(ids.values()).items() if execute else ():
            ledger.event(name, "repair-started", {**said, "what": what, "mailboxes": count})
        legs = [leg for leg in ledger.legs(wave) if leg.mailbox in ids and leg.workload in kinds]
        work = [(duty, [leg for leg in legs if ids[leg.mailbox] == duty.wave]) for duty in duties]
        done = _walk(settings, ledger, what, work, execute=execute)
    whose = " ".join(f"-m {row.id}" for row in rows) if mailbox else f"--wave {wave}"
    again = next_command(config, f"repair {what} {whose} --execute --by NAME --reason TEXT")
    _tell(done.legs, execute, as_json, again)
    raise typer.Exit(_exit(done, all_waves=len(duties) == len({row.wave for row in rows})))


@dataclass(frozen=True, slots=True)
class Done:
    """Hold how it went.

    Attributes:
        fault: what concerns every mailbox.
        refusals: why some may go on only at another time.
    """

    legs: Sequence[RepairResult]
    fault: MigrationError | None
    refusals: Sequence[Transient]
    stopped: bool


def _walk(
    config: Config,
    ledger: Ledger,
    what: str,
    work: Sequence[tuple[WavePolicy, Sequence[LegRow]]],
    *,
    execute: bool,
) -> Done:
    from engine.control.error_log import defect_log
    from engine.leg.repair_walk import What
    from engine.pacing.run_legs import Boundary
    from engine.pacing.worker_slots import open_worker_slots
    from engine.repair import RepairRequest, all_of
    from flows.launch import signals
    from flows.process.leg_runner import Shutdown

    drain = Shutdown()
    boundary = Boundary(drain.event, config=config)
    legs = dict(work)
    ended: list[RepairResult] = []
    with (
        signals(drain),
        defect_log(config.state_directory),
        open_worker_slots(config, ledger, drain.event) as worker_slots,
    ):
        order = RepairRequest(config, What(what), boundary, worker_slots, execute)
        for duty in worker_slots.heeded(legs):
            ended += all_of(order, legs[duty])
    return Done(ended, boundary.fault, worker_slots.refusals, drain.stopping)


def _exit(done: Done, *, all_waves: bool) -> int:
    """Print what is left, and return the exit code; `all_waves`: none was left out at the beginning."""
    if done.fault is not None:
        return report(done.fault)
    for refusal in done.refusals:
        say(f"not ended: {refusal}")
    if done.stopped and not done.refusals:
        return 130
    if {one.code for one in done.legs if one.code is not None} - LATER.keys():
        return Exit.OPEN
    return Exit.AGAIN if done.refusals or not all_waves else Exit.OK


def _duties(
    config: Config, ledger: Ledger, rows: Sequence[MailboxRow], by: str | None, *, now: bool
) -> list[WavePolicy]:
    """Return what the work goes by; without a `by` it only looks."""
    if by is None:
        return may_look(ledger, rows)
    return may_work(config, ledger, rows, "repair", by if now else None)


def _tell(ended: Sequence[RepairResult], execute: bool, as_json: bool, again: str) -> None:
    """Print how each ended; `again` is the command that repairs, after a look."""
    if as_json:
        legs = [
            {
                "mailbox": one.leg.mailbox,
                "workload": str(one.leg.workload),
                "code": one.code or "",
                **{name: one.order.counts[name] for name in COUNTS},
            }
            for one in ended
        ]
        emit({"executed": execute, "legs": legs})
        return
    whole: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in ended:
        whole[str(one.leg.workload)].update(one.order.counts)
    head = ["workload", "right", "repaired" if execute else "to repair", "user", "refused", "unread"]
    cells = [
        [kind, *(f"{counts[name]:,}" for name in COUNTS)]
        for kind, counts in sorted(whole.items())
        if counts.total()  # the others have nothing of the kind
    ]
    out = screen()
    out.print(table(head, cells))
    codes = Counter(one.code for one in ended if one.code is not None)
    for code, count in sorted(codes.items()):
        out.print(f"{code} ({count:,}): {advice(code)}", soft_wrap=True)
    if not execute and any(counts["repaired"] for counts in whole.values()):
        say(f"Nothing was changed. To do it: {again}")
    elif not execute and not codes:
        say("Nothing is to be repaired.")
    elif not execute:
        say("What is to be repaired is not known in full.")
