"""One leg of a mailbox copied and verified by the real walk, in a process of its own: what it took.

    python bench_job.py '{"source": {...}, "target": {...}, "ledger": "sqlite:///...", ...}'

prints one line of JSON, a Taken. Copying ends and verification begins when the walk opens both sides anew: so
the copy is everything from the claim on (gate, listing, collections, ledger), and the walk's own connections.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from bench_folder import FolderSource
from bench_records import RecordedSource

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.ews.source import EwsSettings, EwsSource
from connectors.files.target import FilesSettings, FilesTarget
from connectors.graph.source import GraphSettings, GraphSource
from connectors.imap.settings import ImapSettings
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.settings import Account
from engine.context.leg_context import BatchLimits, Opener
from engine.identity.identity_gate import GateRules, Pair
from engine.leg.leg_result import LegResult
from engine.leg.run import Leg, LegSetting, Task
from engine.planning.mailbox_list import Directory
from ledger.db.rows import Lease, Phase, State, Tally
from ledger.leg.leg_session import LegLedger
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from mappings import registry
from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from model.protocols import Guard, Source, Target

T = TypeVar("T")
ONE = frozenset({1})


@dataclass(frozen=True, slots=True)
class Job:
    """source and target are settings as in kogge.toml; a source of the kind "records" has file and copies
    (see bench_records), one of the kind "folder" its path. The accounts are login and address at
    once, unless target_address is given. kind: the leg."""

    source: dict[str, Any]
    target: dict[str, Any]
    source_account: str
    target_account: str
    ledger: str
    spool: str
    kind: str = "mail"
    target_address: str = ""

    @property
    def pair(self) -> Pair:
        return Pair(
            Account(login=self.source_account, address=self.source_account),
            Account(login=self.target_account, address=self.target_address or self.target_account),
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """seconds by the clock; cpu seconds of this process, in all its threads."""

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Taken:
    """parts: CPU seconds of the copy by what they were spent on; peak_mb: VmHWM; ledger_bytes: its file's."""

    state: str
    code: str | None
    states: dict[str, int]
    copy: Cost
    verify: Cost
    parts: dict[str, float]
    peak_mb: float
    ledger_bytes: int


@dataclass
class Meter:
    """Adds up CPU time by name. Each name belongs to one thread at a time."""

    spent: Counter[str] = field(default_factory=Counter)

    def charge(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """call, metered; an iterator it returns is metered for each of its items."""

        def metered(*args: Any, **named: Any) -> Any:
            with self._running(name):
                result = call(*args, **named)
            return self._stepped(name, result) if isinstance(result, Iterator) else result

        return metered

    def _stepped(self, name: str, steps: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self._running(name):
                found = list(_first(steps))
            if not found:
                return
            yield found[0]

    @contextmanager
    def _running(self, name: str) -> Iterator[None]:
        before = time.thread_time()
        try:
            yield
        finally:
            self.spent[name] += time.thread_time() - before


def _first(steps: Iterator[Any]) -> Iterator[Any]:
    for step in steps:
        yield step
        return


@dataclass(frozen=True, slots=True)
class Metered:
    """Stands in for an object; every method it is asked for is charged to name."""

    real: Any
    name: str
    meter: Meter

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self.real, attribute)
        return self.meter.charge(self.name, value) if callable(value) else value

    def __enter__(self) -> Metered:
        self.real.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.real.__exit__(*error)


def metered(real: T, name: str, meter: Meter) -> T:
    """The object itself, what its class defines charged to name: what it can do stays to be seen."""
    for attribute in dir(type(real)):
        value = getattr(type(real), attribute)
        if not attribute.startswith("_") and callable(value):
            setattr(real, attribute, meter.charge(name, getattr(real, attribute)))
    return real


class MeteredLedger(Ledger):
    """A ledger whose sessions are metered."""

    meter: Meter

    def session(self, lease: Lease, *, mirror: bool, tally: Tally | None = None) -> LegLedger:
        session = super().session(lease, mirror=mirror, tally=tally)
        return Metered(session, "ledger", self.meter)  # type: ignore[return-value]


@dataclass
class Watch:
    """Notes clock and CPU whenever a side is opened."""

    marks: list[Cost] = field(default_factory=list)

    def note(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.marks.append(Cost(time.perf_counter(), used.ru_utime + used.ru_stime))

    def between(self, first: int, second: int) -> Cost:
        start, end = self.marks[first], self.marks[second]
        return Cost(end.seconds - start.seconds, end.cpu - start.cpu)


def run(job: Job) -> Taken:
    """Raises AssertionError when the walk needed more than one pass: then the phases mean nothing."""
    ledger, meter, watch = MeteredLedger(job.ledger), Meter(), Watch()
    ledger.meter = meter
    ledger.migrate()
    kind = Kind(job.kind)
    planned = PlannedMailbox(
        source=job.pair.source.address,
        target=job.pair.target.address,
        wave="bench",
        phase=Phase.STAGING,
        workloads=frozenset({kind}),
        target_login=job.target_account,
    )
    ledger.add_mailboxes([planned])
    copied: dict[str, float] = {}

    def source() -> Source:
        watch.note()
        copied.update(meter.spent)
        return metered(_source(job), "fetch and parse", meter)

    def target(guard: Guard, moment: datetime) -> Target:
        return metered(_target(job, guard, moment), "write", meter)

    charged = {
        (own, form): replace(described, map=meter.charge("map and digest", described.map))
        for (own, form), described in registry.FORMS.items()
        if own is kind
    }
    registry.FORMS = {**registry.FORMS, **charged}
    watch.note()
    result = _walk(ledger, job, Opener(source, target))
    watch.note()
    assert len(watch.marks) == 4, "not one pass and one verification"
    (summary,) = ledger.summary()
    states = {State(state).name: count for state, count in summary.counts.items() if count}
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    size = Path(job.ledger.removeprefix("sqlite:///")).stat().st_size
    copy = watch.between(0, 2)
    copied["the rest"] = copy.cpu - sum(copied.values())
    return Taken(result.state, result.code, states, copy, watch.between(2, 3), copied, peak_mb(), size)


def _source(job: Job) -> Source:
    account = Account(login=job.source_account, address=job.source_account)
    if job.source["kind"] == "records":
        copies = int(job.source.get("copies", 1))
        return RecordedSource(Path(job.source["file"]), Kind(job.kind), job.source_account, copies)
    if job.source["kind"] == "folder":
        return FolderSource(Path(job.source["folder"]), job.source_account)
    if job.source["kind"] == "graph":
        settings = GraphSettings.model_validate(job.source)
        return GraphSource(settings, account, Path(job.spool), frozenset({Kind(job.kind)}))
    if job.source["kind"] == "ews":
        return EwsSource(EwsSettings.model_validate(job.source), account, Path(job.spool))
    return ImapSource(ImapSettings.model_validate(job.source), account, Path(job.spool))


def _target(job: Job, guard: Guard, moment: datetime) -> Target:
    account, kind = Account(login=job.target_account), Kind(job.kind)
    if job.target["kind"] == "imap":
        return ImapTarget(ImapSettings.model_validate(job.target), account, guard, Path(job.spool))
    if kind is Kind.FILES:
        return FilesTarget(FilesSettings.model_validate(job.target), account, guard, Path(job.spool))

    def digest(stream: BinaryIO) -> bytes:
        return ITEM_FORMS[kind].digest(stream, moment)

    settings = DavSettings.model_validate(job.target)
    return DavTarget(settings, account, guard, Path(job.spool), kind=kind, digest=digest)


def _walk(ledger: Ledger, job: Job, opener: Opener) -> LegResult:
    (row,) = ledger.legs()
    setting = LegSetting(
        ledger=ledger,
        mailbox=ledger.mailbox(row.mailbox),
        pair=job.pair,
        opener=opener,
        rules=GateRules(directory=Directory({job.pair.source.address: ONE}, {job.pair.target.address: ONE})),
        pace=BatchLimits(),
        task=Task(),
        stop=threading.Event(),
        kek=lambda: bytes(32),
    )
    return Leg(setting, row).run()


def peak_mb() -> float:
    """The most memory this process ever held, in MB (10**6 bytes)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0


if __name__ == "__main__":
    print(json.dumps(asdict(run(Job(**json.loads(sys.argv[1]))))))  # noqa: T201
