"""How many legs may be at work: a budget that workers share, a server that is slow or away and comes back."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from clocks import Clock
from memory.doubles import MemoryMailbox, MemoryStore
from walking import Trial

from engine.config.load import Config, load
from engine.context.leg_context import Opener
from engine.control.stop_signal import Stop
from engine.leg.leg_result import LegResult
from engine.leg.run_options import RunOptions
from engine.pacing import admission, leg_slots, watchdog
from engine.pacing.admission import Admission, AdmissionEntry
from engine.pacing.call_metrics import MetricsSample
from engine.pacing.leg_slots import LegSlot
from engine.pacing.server_names import UNWELL, systems_of
from flows.process import leg_runner
from flows.process.leg_runner import opened
from ledger.db.rows import LegState
from ledger.store import Ledger
from ledger.views.server_health import Health, newest, report
from model.errors import Transient
from model.kinds import Kind

SOURCE, MAIL = "source.imap", "target.mail-notes"
TOML = """
[source]
kind = "imap"
host = "mail.example.org"
username = "x"
password = { env = "X" }
[target.mail]
kind = "imap"
host = "imap.example.net"
username = "x"
password = { env = "X" }
[target.calendar]
kind = "caldav"
url = "https://cloud.example.net/dav"
password = { env = "X" }
[target.contacts]
kind = "carddav"
url = "https://cloud.example.net/dav"
password = { env = "X" }
[target.notes]
kind = "imap"
host = "imap.example.net"
username = "x"
password = { env = "X" }
[target.files]
kind = "webdav"
url = "https://files.example.net/{login}"
password = { env = "X" }
[run]
mailboxes_at_once = 4
"""


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    yield made
    made.close()


def configured(folder: Path, more: str = "") -> Config:
    (folder / "kogge.toml").write_text(TOML + more)
    return load(folder / "kogge.toml")


def begun(held: Admission, entries: list[AdmissionEntry]) -> int:
    return sum(held.begin(entry) for entry in entries)


def feel(held: Admission, system: str, reading: MetricsSample) -> None:
    """As if this had been measured."""
    meter = held._gates[system].meter
    meter.end(meter.clock() - reading.seconds, reading.calls, reading.errors)


def paces(held: Admission) -> dict[str, float]:
    return {row.system: row.pace for row in held.seen if row.worker == held._worker}


def test_a_server_is_a_host_and_a_port_and_is_named_after_all_that_use_it(tmp_path: Path) -> None:
    text = TOML.replace("imap.example.net", "cloud.example.net").replace(
        "files.example.net", "cloud.example.net:443"
    )
    (tmp_path / "kogge.toml").write_text(text)
    config = load(tmp_path / "kogge.toml")
    found = {str(kind): systems_of(config, kind)[1] for kind in config.workloads}
    assert found == {
        "mail": "target.mail-notes",
        "notes": "target.mail-notes",
        "calendar": "target.calendar-contacts-files",
        "contacts": "target.calendar-contacts-files",
        "files": "target.calendar-contacts-files",
    }, "all of one host: mail is at port 993, and https without a port is at 443"
    assert systems_of(config, Kind.MAIL)[0] == SOURCE


def test_a_dead_calendar_server_does_not_halt_the_mail_of_its_host(
    tmp_path: Path, ledger: Ledger, clock: Clock
) -> None:
    (tmp_path / "kogge.toml").write_text(TOML.replace("imap.example.net", "cloud.example.net"))
    held = Admission(load(tmp_path / "kogge.toml"), ledger, clock)
    held.join(Kind.MAIL)
    held.join(Kind.CALENDAR)
    held.period()
    feel(held, "target.calendar-contacts", MetricsSample(20, 20, 1.0))
    held.period()
    assert paces(held) == {SOURCE: 1.0, "target.mail-notes": 1.0, "target.calendar-contacts": 0.0}


def test_the_most_patient_limit_of_a_servers_workloads_counts(tmp_path: Path) -> None:
    more = '[admission]\nslow_ms_of = { "target.calendar" = 3000, "target.contacts" = 8000 }\n'
    settings = configured(tmp_path, more).admission
    assert settings.slow_seconds("target.calendar-contacts") == 8.0
    assert settings.slow_seconds("target.calendar") == 3.0
    assert settings.slow_seconds("target.mail-notes") == 2.0


def test_without_limits_every_leg_begins_at_once(tmp_path: Path, ledger: Ledger) -> None:
    held = Admission(configured(tmp_path), ledger)
    entries = [held.join(Kind.MAIL) for _ in range(9)]
    assert held.begin(entries[8])
    assert begun(held, entries[:8]) == 8
    assert held.turn(entries[0], Stop()) is None


def test_workers_keep_the_budget_of_the_source_together(tmp_path: Path, ledger: Ledger, clock: Clock) -> None:
    config = configured(tmp_path, "[admission]\nsource_at_once = 5\n")
    one, two = Admission(config, ledger, clock), Admission(config, ledger, clock)
    first = [one.join(Kind.MAIL) for _ in range(6)]
    assert begun(one, first) == 0
    assert one.due() == 0
    one.period()
    assert begun(one, first) == 4  # no more than it has slots
    second = [two.join(Kind.FILES) for _ in range(6)]
    two.period()
    one.period()
    shares = one._gates[SOURCE].share, two._gates[SOURCE].share
    assert sorted(share or 0 for share in shares) == [2, 3]
    assert begun(two, second) == shares[1]
    for entry in first[:4]:
        one.leave(entry)
    assert begun(one, first[4:]) == 2
    for entry in first:
        one.leave(entry)
    one.period()
    two.period()
    assert two._gates[SOURCE].share == 4
    two.close()
    assert {row.worker for row in newest(ledger)} == {one._worker}


def test_to_ask_a_full_server_costs_the_same_at_the_end_of_a_long_line(
    tmp_path: Path, ledger: Ledger
) -> None:
    held = Admission(configured(tmp_path, "[admission]\nsource_at_once = 4\n"), ledger)
    line = [held.join(Kind.MAIL) for _ in range(250)]
    held.period()
    assert begun(held, line) == 4

    def calls(entry: AdmissionEntry) -> int:
        seen: list[str] = []
        sys.setprofile(lambda _frame, event, _arg: seen.append(event))
        try:
            held.begin(entry)
        finally:
            sys.setprofile(None)
        return seen.count("call")

    assert calls(line[4]) == calls(line[-1])
    held.leave(line[0])
    assert not held.begin(line[5]), "another stands before it"
    assert held.begin(line[4])


def test_one_that_is_too_many_waits_and_gives_its_place_away(
    tmp_path: Path, ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "TICK_SECONDS", 0.01)
    held = Admission(configured(tmp_path), ledger, clock)
    entries = [held.join(Kind.MAIL) for _ in range(2)]
    others = [held.join(Kind.FILES) for _ in range(3)]
    assert begun(held, entries) == 2
    held.period()
    feel(held, MAIL, MetricsSample(10, 0, 100.0))
    held.period()
    clock.now += 5
    feel(held, MAIL, MetricsSample(10, 0, 100.0))
    held.period()
    clock.now += 5
    feel(held, MAIL, MetricsSample(10, 0, 100.0))
    held.period()
    assert paces(held)[MAIL] == 0.25
    assert begun(held, others) == 3  # another server's: neither is in the other's way
    assert held.turn(entries[0], Stop()) is None  # it has just begun
    ended: list[str | None] = []
    waiting = threading.Thread(target=lambda: ended.append(held.turn(entries[0], Stop())))
    waiting.start()
    wait_for(lambda: entries[0] in held._legs.held)
    held.leave(entries[1])
    waiting.join(10)
    assert ended == [None]
    late = held.join(Kind.MAIL)
    assert not held.begin(late)
    held.leave(entries[0])
    assert held.begin(late)
    monkeypatch.setattr(admission, "HOLD_SECONDS", 0.0)
    held._legs.working.append(entries[0])
    assert held.turn(entries[0], Stop()) == UNWELL


def test_a_halted_server_is_tried_by_one_leg_and_goes_on(
    tmp_path: Path, ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "HOLD_SECONDS", 0.0)
    held = Admission(configured(tmp_path), ledger, clock)
    entries = [held.join(Kind.MAIL) for _ in range(4)]
    assert begun(held, entries[:2]) == 2
    held.period()
    feel(held, MAIL, MetricsSample(4, 4, 1.0))
    held.period()
    assert paces(held) == {SOURCE: 1.0, MAIL: 0.0}
    assert held.halted(entries[0])
    assert [held.turn(entry, Stop()) for entry in entries[:2]] == [None, None]  # they have just begun
    assert [held.turn(entry, Stop()) for entry in entries[:2]] == [UNWELL, UNWELL]
    assert begun(held, entries[2:]) == 0
    clock.now += admission.PROBE_SECONDS
    assert [held.begin(entry) for entry in entries[2:]] == [True, False]
    feel(held, MAIL, MetricsSample(1, 1, 1.0))
    held.leave(entries[2])
    held.period()
    assert not held.begin(entries[3])
    clock.now += admission.PROBE_SECONDS
    assert held.begin(entries[3])
    feel(held, MAIL, MetricsSample(5, 0, 1.0))
    held.period()
    assert not held.halted(entries[3])
    for _ in range(20):
        feel(held, MAIL, MetricsSample(5, 0, 1.0))
        held.period()
    assert paces(held)[MAIL] == 1.0
    again = [held.join(Kind.MAIL) for _ in range(3)]
    assert begun(held, again) == 3


def fail_each(held: Admission, entries: list[AdmissionEntry]) -> None:
    """As if the first call of each leg had failed: the server is away, and no period has ended."""
    for _ in entries:
        feel(held, MAIL, MetricsSample(1, 1, 0.01))


def test_a_server_that_is_away_for_three_seconds_has_all_its_legs_again_five_seconds_later(
    tmp_path: Path, ledger: Ledger, clock: Clock
) -> None:
    held = Admission(configured(tmp_path), ledger, clock)
    entries = [held.join(Kind.MAIL) for _ in range(4)]
    assert begun(held, entries) == 4
    held.period()
    clock.now += 60
    fail_each(held, entries)
    assert held.is_away(entries[0])
    for entry in entries:
        held.leave(entry)
    at_work = []
    for second in range(10):
        new = [held.join(Kind.MAIL) for _ in range(4)]
        at_work.append(begun(held, new))
        for _ in range(at_work[-1]):
            feel(held, MAIL, MetricsSample(1, int(second < 3), 0.01))
        for entry in new:
            held.leave(entry)
        clock.now += admission.RECOVERY_SECONDS
        held.recovery()
    assert at_work == [1, 0, 1, 0, 1, 1, 1, 2, 4, 4]
    assert not held.is_away(entries[0])


def test_a_server_that_stays_away_is_tried_ever_more_seldom(
    tmp_path: Path, ledger: Ledger, clock: Clock
) -> None:
    held = Admission(configured(tmp_path), ledger, clock)
    entries = [held.join(Kind.MAIL) for _ in range(4)]
    begun(held, entries)
    held.period()
    fail_each(held, entries)
    for entry in entries:
        held.leave(entry)
    tried = []
    for second in range(300):
        new = [held.join(Kind.MAIL) for _ in range(2)]
        if begun(held, new):
            tried.append(second)
            feel(held, MAIL, MetricsSample(1, 1, 0.01))
        for entry in new:
            held.leave(entry)
        clock.now += admission.RECOVERY_SECONDS
        held.recovery()
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert pauses == sorted(pauses)
    assert (min(pauses), max(pauses)) == (admission.PROBE_FIRST, admission.PROBE_SECONDS)
    assert len(tried) < 35


class Mute:
    """A target that is opened without a word to its server, which never answers."""

    def identity(self) -> NoReturn:
        raise Transient("timeout")

    def close(self) -> None:
        """Nothing is open."""


def test_a_server_that_answers_nothing_stays_halted_however_often_it_is_tried(
    tmp_path: Path, ledger: Ledger, clock: Clock
) -> None:
    """Whoever tries it has opened a side at once, and waits long for the first answer."""
    held = Admission(configured(tmp_path), ledger, clock)
    first = held.join(Kind.MAIL)
    held.period()
    feel(held, MAIL, MetricsSample(3, 3, 1.0))
    held.period()
    held.leave(first)
    for _ in range(5):
        clock.now += 20
        entry = held.join(Kind.MAIL)
        assert held.begin(entry)
        opened: Any = Opener(Mute, lambda guard, moment: Mute())  # type: ignore[arg-type, return-value]
        through = held.through(entry, threading.Event())(opened)
        target = through.target(lambda: None, datetime.now(UTC))
        held.recovery()
        assert paces(held)[MAIL] == 0.0
        with suppress(Transient):
            target.identity()
        held.recovery()
        held.leave(entry)
        assert paces(held)[MAIL] == 0.0
    assert held.lost(held.join(Kind.MAIL)) is False
    clock.now += admission.LOST_SECONDS
    assert held.lost(held.join(Kind.MAIL))


def test_between_two_periods_a_server_that_is_well_is_not_judged(
    tmp_path: Path, ledger: Ledger, clock: Clock
) -> None:
    held = Admission(configured(tmp_path), ledger, clock)
    entries = [held.join(Kind.MAIL) for _ in range(4)]
    begun(held, entries)
    held.period()
    for _ in range(4):
        feel(held, SOURCE, MetricsSample(1, 1, 0.1))
        feel(held, SOURCE, MetricsSample(2, 0, 0.1))
    fail_each(held, entries)
    held.recovery()
    assert paces(held) == {SOURCE: 1.0, MAIL: 0.0}
    held.period()
    assert paces(held)[SOURCE] == 0.5


def test_a_worker_that_comes_joins_at_the_pace_of_the_others(tmp_path: Path, ledger: Ledger) -> None:
    report(ledger, [Health(MAIL, "elsewhere", 30, 0, 3.0, 0.25, 4)])
    held = Admission(configured(tmp_path), ledger)
    held.join(Kind.MAIL)
    held.period()
    assert paces(held) == {SOURCE: 1.0, MAIL: 0.25}


def test_what_is_not_to_be_regulated_is_only_measured(tmp_path: Path, ledger: Ledger) -> None:
    held = Admission(configured(tmp_path, "[admission]\nregulate = false\n"), ledger)
    held.join(Kind.MAIL)
    held.period()
    feel(held, MAIL, MetricsSample(10, 10, 1.0))
    held.period()
    (row,) = [row for row in newest(ledger) if row.system == MAIL]
    assert (row.pace, row.errors) == (1.0, 10)


@dataclass
class Queue:
    """A server that takes longer the more ask it at once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    now: int = 0
    most: list[int] = field(default_factory=list)

    def call(self) -> None:
        with self.lock:
            self.now += 1
            at_once = self.now
            self.most.append(at_once)
        time.sleep(0.004 * at_once)
        with self.lock:
            self.now -= 1


def test_legs_in_threads_settle_at_what_the_server_bears_and_all_end(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "TICK_SECONDS", 0.005)
    text = TOML.replace("at_once = 4", "at_once = 12") + "[admission]\nslow_ms = 25\n"
    (tmp_path / "kogge.toml").write_text(text)
    held, queue, ends = Admission(load(tmp_path / "kogge.toml"), ledger), Queue(), list[str | None]()
    entries = [held.join(Kind.MAIL) for _ in range(12)]
    assert begun(held, entries) == 12
    until = time.monotonic() + 4

    def work(entry: AdmissionEntry) -> None:
        meter, code = held._gates[MAIL].meter, None
        while code is None and time.monotonic() < until:
            for _ in range(3):
                meter.timed(queue.call)
            code = held.turn(entry, Stop())
        held.leave(entry)
        ends.append(code)

    threads = [threading.Thread(target=work, args=(entry,)) for entry in entries]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.1)
        held.period()
    assert ends == [None] * 12
    late = queue.most[len(queue.most) // 2 :]
    assert 1 <= sum(late) / len(late) <= 8
    assert queue.most[0] >= 1


@dataclass
class Away:
    """In place of the real work: the trial's leg, whose target fails until it is well again."""

    trial: Trial
    code: str = "timeout"
    well: threading.Event = field(default_factory=threading.Event)
    failed: int = 0
    slow: float = 0.0
    results: list[LegResult] = field(default_factory=list)

    def step(self, name: str) -> None:
        if not self.well.is_set() and name.startswith("target"):
            self.failed += 1
            time.sleep(self.slow)
            raise Transient(self.code)

    def __call__(
        self, _config: Config, _leg: int, *, stop: threading.Event,
        through: Callable[[Opener], Opener], **_asked: Any,
    ) -> LegResult:  # fmt: skip
        self.results.append(self.trial.run(self.step, stop=stop, through=through))
        return self.results[-1]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Away:
    quick = {"TICK_SECONDS": 0.02, "PERIOD_SECONDS": 0.1, "HOLD_SECONDS": 0.5, "PROBE_SECONDS": 0.2}
    for name, seconds in {**quick, "REST_MOST": 0.05}.items():
        monkeypatch.setattr(admission, name, seconds)
    monkeypatch.setattr(leg_slots, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(watchdog, "TICK_SECONDS", 0.02)
    box = MemoryMailbox()
    inbox = box.create_folder(("Inbox",))
    for number in range(30):
        box.deliver(inbox, b"Subject: %d\r\n\r\nbody\r\n" % number)
    trial = Trial(tmp_path, box, MemoryStore())
    trial.pace = replace(trial.pace, patience=100_000)
    made = Away(trial)
    monkeypatch.setattr(leg_runner, "_run_leg", made)
    return made


def run(
    away: Away, config: Config, meanwhile: Callable[[leg_runner.LegRunner], None]
) -> tuple[LegState, str | None]:
    """The leg as a batch runs it, while somebody does something else."""

    async def work() -> tuple[LegState, str | None]:
        with opened(config) as hands:
            other = threading.Thread(target=meanwhile, args=(hands,))
            other.start()
            slot = LegSlot(hands, Kind.MAIL)
            await slot.acquire()
            (row,) = away.trial.ledger.legs()
            end = await hands.run_leg(row, slot, RunOptions())
            slot.release()
            other.join()
            return end

    return asyncio.run(asyncio.wait_for(work(), 60))


def at(folder: Path) -> Config:
    return configured(folder, f'[ledger]\nurl = "sqlite:///{folder}/ledger.db"\n')


def test_a_target_that_was_away_is_written_once_it_is_back(away: Away, tmp_path: Path) -> None:
    def come_back(hands: leg_runner.LegRunner) -> None:
        wait_for(lambda: any(row.pace == 0 for row in hands.admission.seen))
        failed = away.failed
        wait_for(lambda: away.failed >= failed + 3)  # it is tried now and then
        away.well.set()

    assert run(away, at(tmp_path), come_back) == (LegState.VERIFIED, None)
    assert all(result.state is not LegState.VERIFIED for result in away.results[:-1])
    assert away.results[-1].tally.new == 30


@pytest.mark.parametrize("code", ["timeout", "server-bye"])
def test_a_run_whose_target_stays_away_ends(
    away: Away, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says all the while which server is halted, and why; the leg waits for another run."""
    away.code = code
    monkeypatch.setattr(admission, "LOST_SECONDS", 1.0)
    away.trial.pace, away.slow = replace(away.trial.pace, patience=30), 0.05
    shown: list[tuple[str, ...]] = []

    def look(hands: leg_runner.LegRunner) -> None:
        wait_for(lambda: any(row.pace == 0 for row in hands.admission.seen))
        shown.append(hands.snapshot(None).unwell)

    state, ended = run(away, at(tmp_path), look)
    assert state is LegState.WAITING
    assert ended in (UNWELL, code)  # the second where its last try fell between two halts
    (leg,) = away.trial.ledger.legs()
    assert (leg.state, leg.code, leg.owner) == (LegState.WAITING, ended, None)
    assert ended == code or leg.detail == code
    assert f"{MAIL}: halted (target-unwell: {code})" in shown[0][0]


def test_a_run_whose_target_is_away_stops_when_somebody_asks(away: Away, tmp_path: Path) -> None:
    def stop(hands: leg_runner.LegRunner) -> None:
        wait_for(lambda: any(row.pace == 0 for row in hands.admission.seen))
        hands.drain.event.ask("paused")

    state, code = run(away, at(tmp_path), stop)
    assert state in (LegState.PENDING, LegState.WAITING)
    assert code in ("paused", UNWELL, "timeout")
    assert away.trial.ledger.legs()[0].owner is None
