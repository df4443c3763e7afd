"""One mailbox of a wave goes first, alone, and is verified fully; otherwise no other begins."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from scripted import SIDES, Ended, add, opened, serving

from engine.config.load import Config
from engine.config.sources import Sources
from engine.leg.run_options import RunOptions
from flows import canary_mailbox, launch, leg_task, migrate
from flows.canary_mailbox import UNFINISHED, Stages, apart, passed
from flows.deploy import prefect_server
from flows.process import leg_runner
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters
from ledger.db.rows import ROLLED_BACK, LegState, Phase
from ledger.plan.approvals import Check, keep_checks
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.wave_control import put_priorities
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import Kind
from reports import progress

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TOML = f"{SIDES}[run]\nbatch = 2\n"


@dataclass
class Place:
    config: Config
    ledger: Ledger
    ids: list[str]

    def shards(self, size: int = 2) -> list[BatchParameters]:
        ready = [row.mailbox for row in self.ledger.legs("w") if row.state is not LegState.BLOCKED]
        parts = [ready[start : start + size] for start in range(0, len(ready), size)]
        return [
            BatchParameters(wave="w", mailboxes=part, number=number, of=len(parts))
            for number, part in enumerate(parts, 1)
        ]

    def apart(self, **asked: Any) -> Stages:
        return apart(self.config, self.ledger, WaveParameters(wave="w", **asked), self.shards())

    def end(self, mailbox: str, state: LegState, code: str | None = None) -> None:
        for leg in self.ledger.legs(mailbox=mailbox):
            lease = self.ledger.claim(leg.id, f"worker/{leg.epoch}", 60)
            assert lease is not None
            self.ledger.release(lease, state, code)

    def passed(self, first: str) -> str | None:
        return passed(self.config, self.ledger, WaveParameters(wave="w"), first)

    def kinds(self) -> list[str]:
        return [one.kind for one in self.ledger.events("w")]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    people = [f"p{number}@old.example" for number in range(5)]
    with opened(tmp_path, TOML) as (config, ledger):
        yield Place(config, ledger, add(ledger, "w", zip(people, people, strict=True)))


def everyone(stages: Stages) -> list[str]:
    return [one for shard in (*stages.alone, *stages.others) for one in shard.mailboxes]


def test_one_goes_alone_and_is_verified_fully_and_nobody_is_forgotten(place: Place) -> None:
    stages = place.apart()
    (alone,) = stages.alone
    assert (alone.mailboxes, alone.level) == ([stages.first], "both")
    assert sorted(everyone(stages)) == sorted(place.ids)
    assert {shard.level for shard in stages.others} == {"configured"}
    numbers = [(shard.number, shard.of) for shard in (*stages.alone, *stages.others)]
    assert numbers == [(number, len(numbers)) for number in range(1, len(numbers) + 1)]


def test_the_smallest_that_has_something_goes_first(place: Place) -> None:
    keep_checks(
        place.ledger,
        [
            Check(one, "directory", None, count, 0)
            for one, count in zip(place.ids, (9, 0, 4, 5), strict=False)
        ],
    )
    assert place.apart().first == place.ids[2]


def test_among_those_of_the_highest_priority(place: Place) -> None:
    keep_checks(place.ledger, [Check(one, None, None, 10 - n, 0) for n, one in enumerate(place.ids)])
    put_priorities(place.ledger, {place.ids[0]: 5, place.ids[1]: 5})
    assert place.apart().first == place.ids[1]


def test_what_the_plan_says_goes_first(place: Place) -> None:
    Waves(place.ledger).put([WaveRow("w", canary=place.ids[3])])
    assert place.apart().first == place.ids[3]


def test_who_was_chosen_stays_first_until_verified(place: Place) -> None:
    first = place.apart().first
    assert first is not None
    keep_checks(place.ledger, [Check(one, None, None, 1, 0) for one in place.ids if one != first])
    place.end(first, LegState.DIFFERS, "verification-differs")
    assert place.passed(first) == "verification-differs"
    assert place.apart().first == first
    assert place.kinds().count("first-mailbox") == 1
    assert place.kinds()[-1] == "canary-failed"
    place.end(first, LegState.VERIFIED)
    assert place.passed(first) is None
    assert place.apart() == Stages(place.shards())
    place.end(first, LegState.COPIED, "changed-since")
    assert place.apart().first is None, "once is enough"


def test_a_first_mailbox_that_no_fault_stopped_is_not_said_to_have_failed(place: Place) -> None:
    """Prefect did not answer its worker, or a machine died: nothing is known against the mailbox."""
    first = place.apart().first
    assert first is not None
    assert place.passed(first) == UNFINISHED
    assert "canary-failed" not in place.kinds()
    runner: Any = SimpleNamespace(fault=None, refusal=None, drain=SimpleNamespace(stopping=False), cut=False)
    seen = progress.read(place.ledger, "w")
    state = migrate._wave_state(seen, runner, first, UNFINISHED)
    assert state.name == "Incomplete"
    assert str(state.message).endswith(
        f"the first mailbox, {first}, was not tried to its end, so no other has begun: start it again"
    )
    assert migrate._wave_state(seen, runner, first, "auth-refused").name == "CanaryFailed"


def with_source(config: Config, **changed: object) -> Config:
    assert config.source.whole is not None
    sources = Sources(config.source.whole.model_copy(update=changed), {})
    return config.model_copy(update={"source": sources})


def test_other_systems_are_tried_with_one_mailbox_again(place: Place) -> None:
    first = place.apart().first
    assert first is not None
    place.end(first, LegState.VERIFIED)
    assert place.passed(first) is None
    assert place.apart().first is None
    place.config = with_source(place.config, connections=1)
    assert place.apart().first is None, "a slower pace is no other system"
    place.config = with_source(place.config, host="other")
    assert place.apart().first == first


def goes(place: Place, first: str | None) -> None:
    assert first is not None
    place.end(first, LegState.VERIFIED)
    assert place.passed(first) is None


def test_another_that_the_plan_names_is_tried_although_one_has_passed(place: Place) -> None:
    first = place.apart().first
    goes(place, first)
    other, third = [one for one in place.ids if one != first][:2]
    Waves(place.ledger).put([WaveRow("w", canary=other)])
    stages = place.apart()
    assert (stages.first, [one.mailboxes for one in stages.alone]) == (other, [[other]])
    goes(place, other)
    assert place.apart().first is None
    Waves(place.ledger).put([WaveRow("w")])
    assert place.apart().first is None, "no plan asks for another"
    Waves(place.ledger).put([WaveRow("w", canary=third)])
    assert place.apart().first == third
    Waves(place.ledger).put([WaveRow("w", canary=other)])
    assert place.apart().first is None, "it was this one that passed"


def test_one_that_moved_to_another_wave_speaks_for_this_one_no_more(place: Place) -> None:
    first = place.apart().first
    goes(place, first)
    number = place.ids.index(str(first))
    row = PlannedMailbox(
        f"p{number}@old.example", f"p{number}@old.example", "x", Phase.STAGING, frozenset({Kind.MAIL})
    )
    assert place.ledger.add_mailboxes([row]) == [first]
    assert place.apart().first not in (None, first)


def test_after_the_first_was_rolled_back_another_goes_first(place: Place) -> None:
    first = place.apart().first
    assert first is not None
    place.end(first, LegState.VERIFIED)
    assert place.passed(first) is None
    place.ledger.event("w", ROLLED_BACK, {"workload": "mail"}, subject=first)
    place.end(first, LegState.BLOCKED, ROLLED_BACK)
    second = place.apart().first
    assert second not in (None, first)
    place.ledger.requeue()
    assert place.apart().first == second
    assert second is not None
    place.end(second, LegState.VERIFIED)
    assert place.passed(second) is None
    assert place.apart().first is None


def test_a_blocked_first_one_holds_the_others_back(place: Place) -> None:
    first = place.apart().first
    assert first is not None
    place.end(first, LegState.BLOCKED, "login-refused")
    stages = place.apart()
    assert (stages.first, stages.alone) == (first, [])
    assert first not in everyone(stages)
    assert place.passed(first) == "login-refused"


def test_who_is_in_the_plan_no_more_is_first_no_more(place: Place) -> None:
    first = place.apart().first
    rest = [one for one, number in zip(range(5), place.ids, strict=True) if number != first]
    people = [f"p{number}@old.example" for number in rest]
    planned = [PlannedMailbox(one, one, "w", Phase.STAGING, frozenset({Kind.MAIL})) for one in people]
    place.ledger.add_mailboxes(planned, whole=True)
    assert place.apart().first not in (None, first)


@pytest.mark.parametrize("asked", [{"dry_run": True}, {"mailboxes": ["0"]}])
def test_what_needs_no_first_one(place: Place, asked: dict[str, Any]) -> None:
    if "mailboxes" in asked:
        asked = {"mailboxes": place.ids[:1]}
    assert place.apart(**asked) == Stages(place.shards())
    assert place.kinds() == []


def test_a_verification_and_an_opt_out_need_none(place: Place) -> None:
    shards = place.shards()
    assert apart(place.config, place.ledger, VerifyParameters(wave="w"), shards) == Stages(shards)
    run = place.config.run.model_copy(update={"canary": False})
    config = place.config.model_copy(update={"run": run})
    assert apart(config, place.ledger, WaveParameters(wave="w"), shards) == Stages(shards)


def test_of_some_workloads_it_has_passed_only_for_them(place: Place) -> None:
    planned = PlannedMailbox(
        "p0@old.example", "p0@old.example", "w", Phase.STAGING, frozenset({Kind.MAIL, Kind.NOTES})
    )
    place.ledger.add_mailboxes([planned])
    (mail,) = place.ledger.legs(mailbox=place.ids[0], workload=Kind.MAIL)
    lease = place.ledger.claim(mail.id, "worker", 60)
    assert lease is not None
    place.ledger.release(lease, LegState.VERIFIED)
    assert (
        passed(place.config, place.ledger, WaveParameters(wave="w", workloads=["mail"]), place.ids[0]) is None
    )
    assert canary_mailbox.PASSED not in place.kinds()
    assert place.passed(place.ids[0]) == UNFINISHED


def batch_of(place: Place, *numbers: int, **asked: Any) -> BatchParameters:
    return BatchParameters(wave="w", mailboxes=[place.ids[number] for number in numbers], **asked)


def may_run(place: Place, *numbers: int, **asked: Any) -> bool:
    try:
        canary_mailbox.refuse_before_first(place.config, place.ledger, batch_of(place, *numbers, **asked))
    except Blocked as refusal:
        return refusal.code != "canary-failed"
    return True


def test_a_batch_without_its_wave_waits_for_the_first_mailbox_too(place: Place) -> None:
    assert not may_run(place, 0, 1)
    assert may_run(place, 0)
    assert may_run(place, 0, 1, verify_only=True)
    assert may_run(place, 0, 1, dry_run=True)
    first = place.apart().first
    assert not may_run(place, 0, 1)
    place.end(str(first), LegState.DIFFERS, "verification-differs")
    assert place.passed(str(first)) == "verification-differs"
    assert not may_run(place, 0, 1)
    goes(place, first)
    assert all(may_run(place, *pair) for pair in ((0, 1), (2, 3), (3, 4)))
    other = next(number for number, one in enumerate(place.ids) if one != first)
    Waves(place.ledger).put([WaveRow("w", canary=place.ids[other])])
    assert not may_run(place, other, (other + 1) % 5)
    goes(place, place.ids[other])
    assert may_run(place, other, (other + 1) % 5)
    place.config = with_source(place.config, host="other")
    place.end(str(first), LegState.COPIED)
    place.end(place.ids[other], LegState.COPIED)
    assert not may_run(place, 0, 1), "other systems"


def test_a_batch_of_some_workloads_goes_by_what_the_first_one_showed_of_them(place: Place) -> None:
    first = place.apart(workloads=["mail"]).first
    planned = PlannedMailbox(
        f"p{place.ids.index(str(first))}@old.example",
        f"p{place.ids.index(str(first))}@old.example",
        "w",
        Phase.STAGING,
        frozenset({Kind.MAIL, Kind.NOTES}),
    )
    place.ledger.add_mailboxes([planned])
    (mail,) = place.ledger.legs(mailbox=first, workload=Kind.MAIL)
    lease = place.ledger.claim(mail.id, "worker", 60)
    assert lease is not None
    place.ledger.release(lease, LegState.VERIFIED)
    assert may_run(place, 0, 1, workloads=["mail"])
    assert not may_run(place, 0, 1)


@pytest.mark.prefect
def test_a_batch_that_somebody_starts_asks_for_all_that_its_wave_asks_for(
    place: Place, api: prefect_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", api.api)
    monkeypatch.setenv("KOGGE_CONFIG", str(place.config.path))
    with temporary_settings({PREFECT_API_URL: api.api}):
        ended = asyncio.run(migrate.batch(batch_of(place, 0, 1), return_state=True))
        assert (ended.name, str(ended.message).partition(":")[0]) == ("Failed", "canary-failed")
        assert all(leg.started is None for leg in place.ledger.legs("w"))
        people = "\n".join(f"p{number}@old.example,p{number}@new.example,w" for number in range(5))
        (place.config.path.parent / "mailboxes.csv").write_text(f"source,target,wave\n{people}\n")
        ended = asyncio.run(migrate.batch(batch_of(place, 0), return_state=True))
    assert "mailboxes.csv: differs from the plan in 1 place; start the wave" in str(ended.message)
    assert all(leg.started is None for leg in place.ledger.legs("w"))


@pytest.fixture(scope="module")
def api(prefect_state: Callable[[], Path]) -> Iterator[prefect_server.Server]:
    with serving(prefect_state()) as running:
        yield running


@pytest.mark.prefect
def test_a_wave_stops_at_its_first_mailbox_and_goes_on_once_it_is_verified(
    place: Place, api: prefect_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str | None]] = []
    ends = [Ended(LegState.DIFFERS, "verification-differs")]

    def work(_config: Config, leg_id: int, *, options: RunOptions, stop: threading.Event, **_: Any) -> Ended:
        row = place.ledger.leg(leg_id)
        calls.append((row.mailbox, options.level))
        lease = place.ledger.claim(leg_id, f"{leg_id}/{len(calls)}", 60)
        assert lease is not None
        assert not stop.is_set()
        end = ends.pop() if ends else Ended(LegState.VERIFIED)
        place.ledger.release(lease, end.state, end.code)
        return end

    monkeypatch.setenv("PREFECT_API_URL", api.api)
    monkeypatch.setattr(leg_task, "RETRY_SECONDS", (0.1, 0.1))
    monkeypatch.setattr(leg_runner, "_run_leg", work)
    result = launch.launch(place.config, "w")
    assert not result.complete
    ((first, level),) = calls
    assert level == "both"
    assert result.message.startswith(f"canary-failed: {first} is not verified (verification-differs)")
    place.ledger.requeue()
    assert launch.launch(place.config, "w").complete
    assert calls[1] == (first, "both")
    assert sorted(one for one, _ in calls[1:]) == sorted(place.ids)
    assert {level for one, level in calls[2:]} == {None}
