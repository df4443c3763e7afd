"""Collect all that the ledger knows about one mailbox, and show it as facts, a table and JSON.

It contains no address, no folder and no item, only codes, counts and random ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.server_settings import ServerSettings
from engine.approvals.score import Score, scores
from engine.config.hints import next_command
from engine.control.remedies import advice, is_tried_again
from engine.control.server_words_file import Words
from engine.cutover.given_back import TAKING_BACK
from engine.cutover.stopped import Stop, stops
from engine.pacing.server_names import DEFAULT_PORTS
from kogge.shown.mailbox_name import NamedMailbox
from kogge.shown.run_summary import WORDS
from kogge.terminal.tables import bytes_cell, code_cell, moment, state_cell, table
from ledger.db.rows import NEEDS_PERSON, SCORE_LOW, LegRow, LegState, Phase, State
from ledger.leg.cutover_steps import StepRow, Steps
from ledger.plan.approvals import PlanRow, plan_rows
from ledger.views.decisions import about, decider
from ledger.views.reports import AMISS, LegSummary
from model.kinds import Kind
from model.plural import many
from reports.facts import loss_documents, lost_of, score_document
from reports.mailbox_facts import OPEN_STATES

if TYPE_CHECKING:
    from rich.text import Text

    from engine.config.load import Config
    from kogge.terminal.tables import Grid
    from ledger.db.audit_log import Event
    from ledger.store import Ledger

DECISIONS_SHOWN = 12
COLUMNS = ("workload", "state", "items", "verified", "written", "skipped", "rejected", "open", "size", "code")
SPARSE = ("written", "skipped", "rejected", "open", "code")
"""Columns that are shown only where there is something in them."""
OF_CONNECTIONS = frozenset({"login-refused", "server-unreachable", "tls-failed", "unreachable"})
"""Codes for which it helps to know which servers were asked, as for each that is tried again."""
PROOFS: Mapping[str, str] = {
    "directory": "proven by the directory export, which names both accounts",
    "address": "proven by the address that the target itself states",
    "asserted": "not proven: only the list of mailboxes pairs them, and somebody approved that",
}


@dataclass(frozen=True, slots=True)
class MailboxPage:
    """Hold what the ledger knows about a mailbox.

    Attributes:
        named: the mailbox, and how it was named.
        plan: how it is planned; None if it is not.
        legs: its workloads.
        summaries: the same in numbers.
        steps: the recorded steps of its cutover.
        decisions: the recorded decisions about it, the oldest first.
        score: None while it has none.
        rejected: rejected items, by workload and code.
        words: how many sentences of servers this machine has stored about it.
        servers: host and port of each source and target; see servers_of.
        stop: why only a person moves it on, whatever its workloads say; None if there is no such reason.
    """

    named: NamedMailbox
    plan: PlanRow | None
    legs: Sequence[LegRow]
    summaries: Sequence[LegSummary]
    steps: Sequence[StepRow]
    decisions: Sequence[Event]
    score: Score | None
    rejected: Mapping[tuple[Kind, str], int]
    words: int = 0
    servers: Mapping[str, str] = field(default_factory=dict)
    stop: Stop | None = None

    @property
    def cut_off(self) -> Stop | None:
        """Return the stop of a cutover that may lock its user out; None if there is none."""
        return self.stop if self.stop is not None and self.stop.locked else None

    @property
    def id(self) -> str:
        """Return the random id."""
        return self.named.row.id

    @property
    def phase(self) -> Phase:
        """Return the phase."""
        return self.named.row.phase

    @property
    def level(self) -> str | None:
        """Return how its accounts were proven when they were bound; before that, by the last check."""
        bound = next((leg.level for leg in self.legs if leg.level), None)
        return bound or (None if self.plan is None else self.plan.level)

    @property
    def stopped(self) -> dict[str, list[Kind]]:
        """Return the workloads that are stopped, by code.

        A code is left out if the stop of the mailbox says what to do in its place.
        """
        found: dict[str, list[Kind]] = {}
        for leg in self.legs:
            covered = self.stop is not None and leg.code is not None and self.stop.covers(leg.code)
            if leg.code and leg.state is not LegState.VERIFIED and not covered:
                found.setdefault(leg.code, []).append(leg.workload)
        return found

    @property
    def lost(self) -> Counter[tuple[Kind, str, str]]:
        """Count the items that lost something, by workload, field and reason."""
        return lost_of(self.summaries)

    @property
    def amiss(self) -> Counter[str]:
        """Count what the newest verification found to be wrong, by its description."""
        counts: Counter[str] = Counter()
        for one in self.summaries:
            for (outcome, _), count in one.findings.items():
                if outcome in AMISS:
                    counts[WORDS[outcome]] += count
        return counts

    @property
    def halted(self) -> bool:
        """Return True if one of its workloads waits for a person."""
        return any(leg.state in NEEDS_PERSON for leg in self.legs)

    @property
    def verified(self) -> bool:
        """Return True if it has workloads, and all of them are verified."""
        return bool(self.legs) and all(leg.state is LegState.VERIFIED for leg in self.legs)


def gather(config: Config, ledger: Ledger, named: NamedMailbox) -> MailboxPage:
    """Read the page. Nothing is written or recorded, and no server is asked."""
    number = named.row.id
    legs = ledger.legs(mailbox=number)
    rejected: Counter[tuple[Kind, str]] = Counter()
    for _, container, item in ledger.rejected(mailbox=number):
        rejected[container.kind, item.code or ""] += 1
    return MailboxPage(
        named,
        next(iter(plan_rows(ledger, mailbox_id=number)), None),
        legs,
        ledger.summary(mailbox=number),
        Steps(ledger).all(number),
        about(ledger, number),
        scores(ledger, [number]).get(number),
        rejected,
        len(Words(config.state_directory).of(number)),
        servers_of(config),
        stops(ledger, config.hooks, [named.row], legs).get(number),
    )


def servers_of(config: Config) -> dict[str, str]:
    """Return host and port of each source and of each workload's target, as configured.

    Returns:
        By name: the side of a source ("source", "source.mail") or a workload. One with no host is left out.
    """
    found = {side: _place(source) for side, source in config.sources.items()}
    found |= {str(kind): _place(config.target.of(kind)) for kind in config.workloads}
    return {name: place for name, place in found.items() if place}


def _place(settings: ServerSettings) -> str:
    """Return host and port; "" if the configuration names no host."""
    host, port, scheme = settings.endpoint
    port = port or DEFAULT_PORTS.get(scheme)
    return f"{host}:{port}" if host and port else host


def head(page: MailboxPage, list_name: str) -> Iterator[tuple[str, str]]:
    """Yield what the mailbox is and how far it is, as pairs of a name and a text.

    Args:
        page: the mailbox.
        list_name: the name of the list, which is shown with its line.
    """
    row = page.named.row
    yield "mailbox", row.id + (f"  (line {page.named.line} of {list_name})" if page.named.line else "")
    yield "wave", row.wave
    steps = f"; cutover: {_step(page.steps[-1])}" if page.steps else ""
    yield "phase", f"{row.phase}{steps}"
    yield "accounts", _accounts(page)
    yield "check", _check(page.plan)
    if page.plan is not None and page.plan.withheld:
        yield "held back", f"{page.plan.withheld}: {advice(page.plan.withheld)}"
    yield "score", _score(page)


def _accounts(page: MailboxPage) -> str:
    """Return how the accounts are proven, and whether they are bound.

    Until they are bound, the proof is that of the last check. A run may find another one.
    """
    proof = PROOFS.get(page.level or "")
    if page.named.row.source_identity:
        return f"{proof or 'nothing is proven yet'}; bound"
    return (
        f"{proof}, when they were last checked; not bound yet"
        if proof
        else "nothing is proven yet; not bound yet"
    )


def _step(step: StepRow) -> str:
    code = f" ({step.code})" if step.code and step.state == "failed" else ""
    return f"{step.name} {step.state}{code}, {moment(step.at)} UTC"


def _check(plan: PlanRow | None) -> str:
    if plan is None or plan.at is None:
        return "never checked as it is planned now: kogge check"
    result = "ready" if plan.code is None else f"{plan.code}: {advice(plan.code)}"
    counted = f"{many(plan.items, 'item', 'items')}, {bytes_cell(plan.bytes)} at the source"
    return f"{result}; {counted}; {moment(datetime.fromtimestamp(plan.at, UTC))} UTC"


def _score(page: MailboxPage) -> str:
    if page.score is None:
        return "none: not everything is verified and read back"
    one = page.score
    lacking = many(one.lacking, "of them lacks", "of them lack") + " something" if one.lacking else "whole"
    return f"{one.rating}: {one.arrived:,} of {many(one.items, 'item', 'items')} arrived, {lacking}"


def workloads(page: MailboxPage) -> Grid:
    """Return a table with a row for each workload, and its items by fate."""
    states = {one.leg: one for one in page.summaries}
    rows = [_row(leg, states[leg.id]) for leg in page.legs if leg.id in states]
    gone = {name for name in SPARSE if all(str(row[name]) in ("0", "") for row in rows)}
    columns = [name for name in COLUMNS if name not in gone]
    return table(columns, [[row[name] for name in columns] for row in rows], wrap=("code",))


def _row(leg: LegRow, one: LegSummary) -> dict[str, str | Text]:
    counts = one.counts
    return {
        "workload": str(leg.workload),
        "state": state_cell(leg.state),
        "items": f"{one.items:,}",
        **{
            state.name.lower(): f"{counts.get(state, 0):,}"
            for state in (State.VERIFIED, State.WRITTEN, State.SKIPPED, State.REJECTED)
        },
        "open": f"{sum(counts.get(state, 0) for state in OPEN_STATES):,}",
        "size": bytes_cell(one.bytes),
        "code": code_cell(leg.code, leg.detail),
    }


def passes(page: MailboxPage) -> Iterator[tuple[str, str]]:
    """Yield when each workload was last worked on."""
    for leg in page.legs:
        if leg.state is LegState.RUNNING:
            yield str(leg.workload), f"at work since {moment(leg.started)} UTC"
        elif leg.finished is not None:
            begun = moment(leg.started)
            yield str(leg.workload), f"ended {moment(leg.finished)} UTC; first begun {begun} UTC"


def errors(page: MailboxPage) -> Iterator[tuple[str, str]]:
    """Yield each code, with the workloads or the number of items that have it, and what to do."""
    if page.cut_off is not None:
        yield page.cut_off.code, _cut_off(page.cut_off)
    elif page.stop is not None and page.stop.code == SCORE_LOW:
        yield SCORE_LOW, f"A cutover did not begin with it. {advice(SCORE_LOW)}"
    for code, kinds in page.stopped.items():
        is_of_connection = code in OF_CONNECTIONS or is_tried_again(code)
        asked = f" Asked: {_asked(page, kinds)}." if is_of_connection and page.servers else ""
        yield code, f"{', '.join(map(str, kinds))}. {advice(code)}{asked}"
    for (kind, code), count in sorted(page.rejected.items()):
        yield code, f"{many(count, 'item', 'items')} of {kind} rejected. {advice(code)}"
    for words, count in page.amiss.most_common():
        yield "verification", f"{many(count, 'item', 'items')}: {words}; kogge failures names each"


def _cut_off(stop: Stop) -> str:
    """Return where the cutover stopped, what to do, and which command leads back to the source."""
    how = f" ({stop.detail})" if stop.detail else ""
    where = f" at {stop.step}{how}" if stop.step else ""
    back = "" if "give-back" in advice(stop.code) else " Back to the source: `kogge give-back`."
    return f"The cutover stopped{where}, and its user may be locked out. {advice(stop.code)}{back}"


def _asked(page: MailboxPage, kinds: Sequence[Kind]) -> str:
    """Return the sources and the targets of these workloads, with host and port."""
    own = [f"source.{kind}" for kind in kinds if f"source.{kind}" in page.servers]
    names = [*(["source"] if len(own) < len(kinds) or not kinds else []), *own, *map(str, kinds)]
    return ", ".join(f"{name} {page.servers[name]}" for name in names if name in page.servers)


def decisions(page: MailboxPage) -> Iterator[tuple[str, str]]:
    """Yield the newest decisions about it, the oldest of them first."""
    for one in page.decisions[-DECISIONS_SHOWN:]:
        told = ((name, value) for name, value in one.detail.items() if name not in ("by", "approver"))
        rest = ", ".join(f"{name}: {value}" for name, value in told)
        who = f" by {decider(one)}" if decider(one) else ""
        yield moment(one.moment), f"{one.kind}{who}" + (f" ({rest})" if rest else "")


def next_steps(page: MailboxPage, config: Config) -> Iterator[str]:
    """Yield the commands to type next, which end its stop or take it further."""
    only = f"-m {page.id}"
    if page.cut_off is not None:
        yield from _on_or_back(page, page.cut_off, config)
    elif page.stopped:
        code = next(iter(page.stopped))
        yield next_command(config.path, f"failures {only}") if page.amiss else f"kogge explain {code}"
        if page.halted:
            yield next_command(config.path, f"retry {only}")
        yield next_command(config.path, f"migrate {only}")
    elif not page.verified:
        yield next_command(config.path, f"migrate {only}")
    elif page.phase is Phase.LIVE:
        yield next_command(config.path, f"report --wave {page.named.row.wave}")
    elif page.score is not None and page.score.is_low:
        yield next_command(config.path, f"score {only}")
        yield next_command(config.path, f"approve score-low {only} --by NAME --reason TEXT")
    else:
        yield next_command(config.path, f"cutover {only} --dry-run")


def _on_or_back(page: MailboxPage, stop: Stop, config: Config) -> Iterator[str]:
    """Yield what takes a stopped cutover further, and what gives the old mailbox back to its user."""
    only = f"-m {page.id}"
    if stop.code == SCORE_LOW:
        yield next_command(config.path, f"score {only}")
        yield next_command(config.path, f"approve score-low {only} --by NAME --reason TEXT")
    elif page.stopped:
        yield f"kogge explain {next(iter(page.stopped))}"
        if not stop.back and page.halted:
            yield next_command(config.path, f"retry {only}")
    if not stop.back and stop.code != TAKING_BACK:
        yield next_command(config.path, f"cutover {only} --by NAME")
    why = " --reason TEXT" if stop.released else ""
    yield next_command(config.path, f"give-back {only} --by NAME{why}")


def document(page: MailboxPage, config: Config) -> dict[str, object]:
    """Return the page as plain data, for --json."""
    row, plan = page.named.row, page.plan
    return {
        "mailbox": row.id,
        "line": page.named.line,
        "wave": row.wave,
        "phase": str(row.phase),
        "proof": page.level,
        "bound": row.source_identity is not None,
        "checked": None if plan is None or plan.at is None else _checked(plan),
        "withheld": None if plan is None else plan.withheld,
        "cutover_stopped": None if page.cut_off is None else page.cut_off.document(),
        "workloads": [_workload(leg, page) for leg in page.legs],
        "rejected": [
            {"workload": str(kind), "code": code, "items": count}
            for (kind, code), count in sorted(page.rejected.items())
        ],
        "losses": loss_documents(page.lost),
        "score": None if page.score is None else score_document(page.score),
        "steps": [
            {"step": one.name, "state": one.state, "attempts": one.attempts, "at": one.at}
            for one in page.steps
        ],
        "decisions": [
            {"at": one.moment, "kind": one.kind, "wave": one.wave, "detail": dict(one.detail)}
            for one in page.decisions
        ],
        "servers": dict(page.servers),
        "server_words": page.words,
        "next": list(next_steps(page, config)),
    }


def _checked(plan: PlanRow) -> dict[str, object]:
    at = None if plan.at is None else datetime.fromtimestamp(plan.at, UTC)
    return {"at": at, "code": plan.code, "level": plan.level, "items": plan.items, "bytes": plan.bytes}


def _workload(leg: LegRow, page: MailboxPage) -> dict[str, object]:
    one = next((one for one in page.summaries if one.leg == leg.id), None)
    counted = leg if one is None else one
    counts = {} if one is None else {state.name.lower(): count for state, count in sorted(one.counts.items())}
    return {
        "workload": str(leg.workload),
        "state": str(leg.state),
        "code": leg.code,
        "detail": leg.detail,
        "advice": advice(leg.code or ""),
        "items": counted.items,
        "bytes": counted.bytes,
        "fates": counts,
        "started": leg.started,
        "finished": leg.finished,
    }
