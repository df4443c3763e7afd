"""`kogge migrate`, `kogge verify`, `kogge retry`: start work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control import json_log
from engine.control.ledger_access import opened_ledger
from engine.control.remedies import advice
from engine.leg.run_options import RunOptions
from flows.process.parameters import workloads_of
from kogge.run.pause import WhoNow, that_may_run
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    Exit,
    Mailboxes,
    Wave,
    Workloads,
    chosen,
    echo,
    emit,
    given,
    say,
    screen,
)
from kogge.terminal.progress_display import Display
from model.errors import Blocked, MigrationError, Misconfigured, Transient, Unwritable
from model.kinds import Kind
from model.plural import many
from reports.plan_gaps import left_out
from reports.progress import LATER, Snapshot

if TYPE_CHECKING:
    from engine.planning.load_plan import LoadedPlan
    from flows.deploy.api import Api
    from flows.launch import RunResult
    from ledger.db.rows import MailboxRow, Tally
    from ledger.store import Ledger

Level = Literal["counts", "sample", "target", "both"]
PLAIN_SECONDS = 60.0
"""Without a terminal: a line of progress that often."""
NEWS_SECONDS = 5.0
"""Without a terminal: what needs attention is said that soon. The first line comes then, too."""
SAME_SECONDS = 60.0
"""What has not changed is said, or drawn, that often."""


def migrate(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    workload: Workloads = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan and look; write to no mailbox.")] = False,
    rest: Annotated[bool, typer.Option("--rest", help="Move only what is not verified yet.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Run outside of the wave's window, too.")] = False,
    by: WhoNow = None,
    as_json: AsJson = False,
) -> None:
    """Moves a wave: plans it from mailboxes.csv, proves whose each mailbox is, copies, verifies.

    Without --wave all waves of mailboxes.csv, one after the other, by priority and date.
    Run it again as often as you like: it goes on where it stopped and copies only what changed.
    Interrupt it once to stop between two batches. Exit code 0 only when every item is accounted for.
    With --rest an interrupted run goes on without a new look at what is verified already.
    Outside of its window a wave is refused (a dry run is not), and one at work stops when that closes.

    Example: kogge migrate --wave pilot --dry-run
    """
    from engine.approvals.pinned_settings import refuse_weaker
    from engine.approvals.plan_approval import START, refuse_unapproved
    from engine.approvals.signed_list import refuse_changed_list
    from engine.config.evidence_key import proven_key
    from engine.planning.load_plan import plan, waves_listed
    from engine.preflight.preflight import refuse_power
    from kogge.prepare.chosen_people import people

    settings = load(config)
    json_log.use(settings)
    kinds = workloads_of(settings, workload or (), "--workload")
    decider = given("--by", by, "who lets a wave run outside of its hours is recorded") if now else None
    with opened_ledger(settings, upgrade=not dry_run) as ledger:
        refuse_weaker(settings, ledger)  # before the list changes the plan; also of a dry run
        if wave is not None and not ledger.mailboxes(wave):
            people(settings, wave, None)
        refuse_changed_list(settings, ledger, wave)
        if dry_run and wave is not None and wave not in waves_listed(settings):
            advice = "no row of the list has this wave; without --dry-run it is withdrawn from the plan"
            raise Misconfigured("--wave", advice)
        planned = plan(settings, ledger, wave)
        asked = chosen(settings, ledger, wave, mailbox)
        wanted = _to_run(asked, planned, wave)
        for name in () if dry_run else sorted({row.wave for row in wanted}):
            refuse_unapproved(settings, ledger, name, START)  # the flow asks again; here it costs no server
            refuse_power(settings, ledger, name)
        if not dry_run:
            proven_key(settings, ledger)  # each worker asks for it again; here it costs no server
        rows = wanted if dry_run else that_may_run(settings, ledger, wanted, decider)
        _tell_conflicts(planned)
        options = RunOptions(dry_run=dry_run, rest=rest)
        behind = _behind(ledger, asked, rows)
        order = RunRequest(rows, bool(mailbox), tuple(workload or ()), kinds, options, behind)
        code = _run_all(settings, order, as_json)
    if code == Exit.OK and (planned.conflicts or behind):
        code = Exit.OPEN
    elif code == Exit.OK and len(rows) < len(wanted):
        code = Exit.AGAIN
    raise typer.Exit(code)


def _to_run(rows: Sequence[MailboxRow], planned: LoadedPlan, wave: str | None) -> list[MailboxRow]:
    """Return only the mailboxes that a row of mailboxes.csv still asks for."""
    ids = frozenset(planned.ids)
    found = [row for row in rows if row.id in ids]
    if not found:
        raise Misconfigured("--wave" if wave else "mailboxes", "no row names any of these mailboxes")
    return found


def _behind(ledger: Ledger, asked: Sequence[MailboxRow], rows: Sequence[MailboxRow]) -> frozenset[str]:
    """Return which mailboxes of these waves were asked for and are withheld.

    Those that were left out on purpose are not among them.
    """
    waves = {row.wave for row in rows}
    legs = [leg for wave in waves for leg in ledger.legs(wave)]
    ids = {row.id for row in asked if row.wave in waves}
    return frozenset({leg.mailbox for leg in legs if leg.withheld is not None} & ids - left_out(legs))


def _tell_conflicts(planned: LoadedPlan) -> None:
    for conflict in planned.conflicts:
        field = conflict.field.replace("_", " ")
        say(f"{conflict.mailbox}: {conflict.code}: its {field} is not what it was when it was bound")
    if planned.conflicts:
        say(f"  {advice('plan-changed')}")


def verify(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    workload: Workloads = None,
    level: Annotated[
        Level | None, typer.Option("--level", help="How much is read again; otherwise as configured.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compares both sides once more, with connections of its own; writes to neither.

    counts: listings only. sample: some bodies. target: every body at the target against the digest
    taken while the source was read. both: the source's bodies as well. Exit code 0 only when every
    item is accounted for.

    Example: kogge verify --wave pilot --level both
    """
    settings = load(config)
    json_log.use(settings)
    kinds = workloads_of(settings, workload or (), "--workload")
    with opened_ledger(settings) as ledger:
        rows = chosen(settings, ledger, wave, mailbox)
        options = RunOptions(verify_only=True, level=level)
        order = RunRequest(rows, bool(mailbox), tuple(workload or ()), kinds, options)
        if _has_run(ledger, order):
            code = _run_all(settings, order, as_json)
        else:
            if as_json:
                _conclude(settings, order, as_json, 0.0, None)
            say(f"Nothing of it has run yet. Next: {next_command(config, 'migrate')}")
            code = Exit.OPEN
    raise typer.Exit(code)


def _has_run(ledger: Ledger, order: RunRequest) -> bool:
    """Return True if a worker had any of it in hand."""
    legs = ledger.legs(of=[row.id for row in order.rows])
    return any(leg.started is not None for leg in legs if leg.workload in order.kinds)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Hold what a run was asked for.

    Attributes:
        some: not whole waves.
        named: the workloads as they were given.
        kinds: the workloads that it is about; all that have a target if none was given.
        behind: mailboxes that were asked for and are withheld by the plan. They are not run, and are named.
    """

    rows: Sequence[MailboxRow]
    some: bool
    named: tuple[str, ...]
    kinds: frozenset[Kind]
    options: RunOptions
    behind: frozenset[str] = frozenset()


def _run_all(config: Config, order: RunRequest, as_json: bool) -> int:
    """Run wave after wave.

    It ends with the first one that was stopped, or that met a fault of every mailbox: a wrong password is not
    tried on the next wave.
    """
    from flows.deploy.prefect_server import status as local_server
    from flows.launch import launch

    given = config.prefect.api_url or os.environ.get("PREFECT_API_URL")
    if not given and local_server(config.state_directory) is None:
        say("Starting the local Prefect server; the first time takes about 15 seconds.")
    began = time.monotonic()
    results: list[RunResult] = []
    for wave in _in_order(config, order):
        ids = [row.id for row in order.rows if row.wave == wave] if order.some else []
        with opened_ledger(config) as ledger:
            checked = _checked(ledger, order, [wave])
        with _shown(config, f"wave {wave}", as_json, checked) as on_progress:
            result = launch(
                config,
                wave,
                ids,
                workloads=order.named,
                options=order.options,
                planned=True,
                on_progress=on_progress,
                on_api=partial(_announce, config),
                on_notice=say,
            )
        say(f"wave {wave}: {result.message}")
        results.append(result)
        if result.stopped or (result.fault is not None and result.fault.code not in LATER):
            break
    _conclude(config, order, as_json, time.monotonic() - began, _tally(order, results))
    return _code(results)


def _checked(ledger: Ledger, order: RunRequest, waves: Iterable[str]) -> dict[str, int]:
    """Return how many items `kogge check` counted, by mailbox, if all of it is to be moved.

    Nothing better is known before a listing.
    """
    from ledger.plan.approvals import plan_rows

    if order.named:
        return {}
    return {row.mailbox: row.items for wave in waves for row in plan_rows(ledger, wave)}


def _in_order(config: Config, order: RunRequest) -> list[str]:
    """Return the waves to run: by priority, then by date."""
    from ledger.plan.waves import Waves

    with opened_ledger(config) as ledger:
        return Waves(ledger).in_order({row.wave for row in order.rows})


def _announce(config: Config, api: Api) -> None:
    from flows.deploy.prefect_server import login_file

    say(f"Prefect: {api.ui}")
    if api.local:
        say(f"  its pages ask for the login that stands in {login_file(config.state_directory)}")


def _code(results: Sequence[RunResult]) -> int:
    if any(result.stopped for result in results):
        return 130
    fault = next((result.fault for result in results if result.fault is not None), None)
    if fault is not None:
        return _fault_code(fault)
    if all(result.complete for result in results):
        return Exit.OK
    waiting = all(str(leg.state) == "waiting" for result in results for leg in result.seen.open)
    return Exit.AGAIN if waiting else Exit.OPEN


def _fault_code(fault: MigrationError) -> int:
    if isinstance(fault, Misconfigured | Unwritable):
        return Exit.INPUT
    return Exit.AGAIN if isinstance(fault, Transient) else Exit.OPEN


@contextmanager
def _shown(
    config: Config, title: str, as_json: bool, checked: Mapping[str, int]
) -> Iterator[Callable[[Snapshot], None] | None]:
    """Show progress: a bar that redraws itself on a terminal, a line once a minute elsewhere."""
    from engine.pacing.server_notices import hosts_of, with_host

    board, hosts = Display(title, checked), hosts_of(config)

    def named(snapshot: Snapshot) -> Snapshot:
        if json_log.is_on():
            return snapshot  # a log names no host
        return replace(snapshot, unwell=tuple(with_host(line, hosts) for line in snapshot.unwell))

    if as_json:
        yield None
    elif sys.stdout.isatty() and not json_log.is_on():
        from rich.live import Live

        with Live(console=screen(), auto_refresh=False, transient=True) as live:
            yield Changes(lambda snapshot: live.update(board.draw(named(snapshot)), refresh=True)).show
    else:
        yield Changes(lambda snapshot: say(board.line(named(snapshot))), PLAIN_SECONDS, NEWS_SECONDS).show


class Changes:
    """Pass on a snapshot if something of it changed, and without a change once in SAME_SECONDS.

    What stores the output of a container's terminal has a line of each redrawing.

    Args:
        tell: gets the snapshot.
        seconds: the least between two.
        news: the least if what needs attention changed (a server or a code), and before the first one.
    """

    def __init__(
        self,
        tell: Callable[[Snapshot], None],
        seconds: float = 0.0,
        news: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._seconds = seconds
        self._news = seconds if news is None else news
        self._clock = clock
        self._told: object = None
        self._attention: object = None
        self._at = clock()

    def show(self, snapshot: Snapshot) -> None:
        """Take the next snapshot."""
        now = self._clock()
        passed = now - self._at
        told, attention = (snapshot.legs, snapshot.unwell), _attention(snapshot)
        least = self._seconds if attention == self._attention else min(self._news, self._seconds)
        if passed < least or (told == self._told and passed < SAME_SECONDS):
            return
        self._told, self._attention, self._at = told, attention, now
        self._tell(snapshot)


def _attention(snapshot: Snapshot) -> object:
    """Return what a person should see soon: servers that are not well, and why workloads stopped."""
    servers = frozenset(line.partition(":")[0] for line in snapshot.unwell)
    stuck = {str(leg.state): leg.code for leg in snapshot.legs if str(leg.state) in ("blocked", "differs")}
    return servers, frozenset(stuck.items())


def _tally(order: RunRequest, results: Sequence[RunResult]) -> Tally | None:
    """Return what the whole pass did; None if nothing was to be written, or workers elsewhere wrote."""
    from ledger.db.rows import Tally

    told = [result.tally for result in results if result.tally is not None]
    if not order.options.writes or len(told) < len(results):
        return None
    whole = Tally()
    for one in told:
        whole.add(one)
    return whole


def _conclude(config: Config, order: RunRequest, as_json: bool, seconds: float, tally: Tally | None) -> None:
    from kogge.shown import failed_items
    from kogge.shown.run_summary import drawn, pass_document, result_of

    wanted = frozenset(row.id for row in order.rows) | order.behind
    with opened_ledger(config) as ledger:
        checked = _checked(ledger, order, {row.wave for row in order.rows})
        summaries = ledger.summary()
        if not order.some:
            wanted -= left_out(summaries)
        result = result_of(summaries, wanted, order.kinds if order.named else None, checked)
        amiss = failed_items.document(ledger.differing(), wanted, order.kinds) if as_json else {}
    if as_json:
        did = None if tally is None else pass_document(tally)
        emit({**result.document(), **amiss, "pass": did, "seconds": round(seconds, 1)})
    else:
        out = screen()
        out.print(drawn(result, seconds, order.options.dry_run, tally, out.width))


def retry(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    workload: Workloads = None,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Give rejected items new attempts as well.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sends blocked, waiting and differing mailboxes back into the queue; `kogge migrate` runs them.

    A blocked mailbox is never tried again by itself: a wrong password, tried often enough, locks a
    person out.

    Example: kogge retry --mailbox m-7f3a9c01 --rejected
    """
    from engine.cutover.given_back import GIVING_BACK
    from engine.cutover.requeue import going_back, requeue

    settings = load(config)
    kinds = workloads_of(settings, workload, "--workload") if workload else frozenset(Kind)
    with opened_ledger(settings) as ledger:
        rows = chosen(settings, ledger, wave, mailbox)
        leaving = going_back(ledger, settings.hooks, rows)
        if leaving and mailbox:
            raise Blocked(GIVING_BACK, f"{', '.join(sorted(leaving))}: {advice(GIVING_BACK)}")
        boxes: dict[str, list[str]] = {}
        for row in rows:
            if row.id not in leaving:
                boxes.setdefault(row.wave, []).append(row.id)
        done = [
            requeue(ledger, name, wanted, kinds=kinds, rejected=rejected)
            for name, wanted in sorted(boxes.items())
        ]
    count, items = sum(one.legs for one in done), sum(one.items for one in done)
    moved = sorted({number for one in done for number in one.mailboxes})
    if as_json:
        emit({"requeued": count, "rejected": items})
    else:
        more = f", {many(items, 'rejected item', 'rejected items')} with new attempts" if rejected else ""
        verb = "is" if count == 1 else "are"
        workloads = f"{many(count, 'workload', 'workloads')} of {many(len(moved), 'mailbox', 'mailboxes')}"
        boxes_asked = many(len(rows), "mailbox", "mailboxes")
        none = f"Nothing is pending again: no workload of {boxes_asked} waits for a person"
        echo(f"{workloads} {verb} pending again{more}" if count or items else none)
        if leaving:
            say(f"Left out, {GIVING_BACK}: {', '.join(sorted(leaving))}. {advice(GIVING_BACK)}")
        if count:
            whose = "".join(f" -m {number}" for number in moved) if mailbox else ""
            say(f"Next: {next_command(config, f'migrate{whose}')}")
