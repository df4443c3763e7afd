"""What batches leave because they died is taken up by the same run of the wave, and no more than that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripted import SIDES, add, opened

from engine.config.load import Config
from flows import rounds
from flows.batches import seen_of, shared_out
from flows.process.leg_runner import LegRunner, Shutdown
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters
from flows.rounds import DEATHS, FRUITLESS, Rounds
from ledger.db.rows import LegState
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.kinds import Kind
from reports.progress import WORKER_GONE, verdict

BOXES = 6
WINDOW = '[windows.always]\nspans = ["mon-sun 00:00-24:00"]\n'
GONE_SECONDS = 0.01
"""A lease of a worker that died has run out by the next look."""

Act = Callable[[Ledger, int, str], None]


def verified(ledger: Ledger, leg: int, worker: str) -> None:
    lease = ledger.claim(leg, worker, 60)
    if lease is not None:
        ledger.release(lease, LegState.VERIFIED)


def ends(state: LegState, code: str | None) -> Act:
    def act(ledger: Ledger, leg: int, worker: str) -> None:
        lease = ledger.claim(leg, worker, 60)
        assert lease is not None
        ledger.release(lease, state, code)

    return act


def dies(ledger: Ledger, leg: int, worker: str) -> None:
    assert ledger.claim(leg, worker, GONE_SECONDS) is not None


def untouched(_ledger: Ledger, _leg: int, _worker: str) -> None:
    """Its batch died before it came to this mailbox."""


@dataclass
class Night:
    """acts: what batches do to each mailbox, one after the other; the last is repeated."""

    config: Config
    ledger: Ledger
    ids: list[str]
    acts: dict[str, list[Act]] = field(default_factory=dict)
    sent: list[list[BatchParameters]] = field(default_factory=list)
    meanwhile: Callable[[LegRunner], None] = lambda _runner: None

    async def send(self, _batch: Any, shards: Sequence[BatchParameters], runner: LegRunner) -> None:
        self.sent.append([*shards])
        legs = {leg.mailbox: leg.id for leg in self.ledger.legs()}
        for box in [one for shard in shards for one in shard.mailboxes]:
            acts = self.acts.get(box, [verified])
            acts[0](self.ledger, legs[box], f"worker/{len(self.sent)}")
            self.acts[box] = acts[1:] or acts
        self.meanwhile(runner)

    def run(self, asked: WaveParameters | VerifyParameters | None = None) -> LegRunner:
        asked = asked or WaveParameters(wave="w")

        async def whole() -> LegRunner:
            runner = LegRunner(self.config, self.ledger, Shutdown())
            runner.follow("w")
            seen = seen_of(runner, asked)
            shards = shared_out(seen.legs, asked, 4)
            epochs = {leg.id: leg.epoch for leg in seen.legs}
            self.ran = Rounds(runner, asked, self.send, None, epochs, [*shards])  # type: ignore[arg-type]
            await self.ran.run(shards)
            runner.pool.shutdown()
            return runner

        return asyncio.run(whole())

    def boxes(self) -> list[list[int]]:
        """The mailboxes of each round, by their places."""
        return [
            sorted(self.ids.index(one) for shard in some for one in shard.mailboxes) for some in self.sent
        ]

    def states(self) -> list[tuple[str, str | None]]:
        legs = {leg.mailbox: leg for leg in self.ledger.legs()}
        return [(str(legs[one].state), legs[one].code) for one in self.ids]


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    monkeypatch.setattr(rounds, "get_run_logger", lambda: logging.getLogger("rounds"))
    with opened(tmp_path, SIDES + WINDOW) as (config, ledger):
        ids = add(ledger, "w", [(f"{n}@a.example", f"{n}@b.example") for n in range(BOXES)])
        yield Night(config, ledger, sorted(ids))


def windowed(night: Night) -> None:
    Waves(night.ledger).put([WaveRow("w", window="always")])


def by_workers(night: Night) -> None:
    prefect = night.config.prefect.model_copy(update={"dispatch": "deployment"})
    night.config = night.config.model_copy(update={"prefect": prefect})


def test_a_run_that_leaves_nothing_is_one_round(night: Night) -> None:
    assert not night.run().cut
    assert night.boxes() == [[0, 1, 2, 3, 4, 5]]


def test_what_a_died_batch_left_is_taken_up(night: Night) -> None:
    """One mailbox was in hand, two had their turn before them, one was verified by an earlier run."""
    (old,) = [leg.id for leg in night.ledger.legs() if leg.mailbox == night.ids[3]]
    verified(night.ledger, old, "earlier")
    night.acts = {night.ids[0]: [dies, verified]}
    night.acts |= {night.ids[n]: [untouched, verified] for n in (1, 2, 3)}
    runner = night.run()
    assert night.boxes() == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3]]
    assert {state for state, _ in night.states()} == {"verified"}
    assert not runner.cut
    again = {box: shard for shard in night.sent[1] for box in shard.mailboxes}
    assert [again[one].rest for one in night.ids[:4]] == [True, True, True, False]
    numbers = [(one.number, one.of) for one in night.ran.batches]
    assert numbers == [(1, 2), (2, 2), (3, 4), (4, 4)]


def test_a_mailbox_that_kills_its_workers_goes_alone_and_not_for_ever(night: Night) -> None:
    night.acts = {night.ids[0]: [dies], night.ids[1]: [dies, verified]}
    runner = night.run()
    assert [len(some) for some in night.sent] == [2, *[1] * (DEATHS - 1)]
    assert all(some[0].mailboxes == [night.ids[0]] for some in night.sent[2:])
    assert night.states()[1:] == [("verified", None)] * 5
    asked = WaveParameters(wave="w")
    assert verdict(seen_of(runner, asked)).endswith(f"not accounted for: 1 waiting ({WORKER_GONE})")


@pytest.mark.parametrize("code", ["login-refused", "target-not-empty"])
def test_what_needs_a_person_is_not_tried_again(night: Night, code: str) -> None:
    night.acts = {night.ids[0]: [ends(LegState.BLOCKED, code)], night.ids[1]: [ends(LegState.DIFFERS, code)]}
    night.run()
    assert len(night.sent) == 1


def test_what_a_person_cancelled_stays_cancelled(night: Night) -> None:
    night.acts = {night.ids[n]: [untouched, verified] for n in (0, 1)}
    night.meanwhile = lambda runner: runner.called_off.add(night.ids[0])
    night.run()
    assert night.boxes()[1:] == [[1]]


def test_a_look_is_no_round(night: Night) -> None:
    night.acts = {night.ids[0]: [untouched]}
    night.run(WaveParameters(wave="w", dry_run=True))
    assert len(night.sent) == 1


def test_a_verification_goes_on_too(night: Night) -> None:
    night.acts = {night.ids[0]: [dies, verified], night.ids[1]: [untouched, verified]}
    night.run(VerifyParameters(wave="w"))
    assert night.boxes()[1:] == [[0, 1]]
    assert all(shard.verify_only for some in night.sent for shard in some)


@pytest.mark.parametrize("unattended", [windowed, by_workers])
def test_what_waits_for_a_server_is_tried_again_where_nobody_watches(
    night: Night, unattended: Callable[[Night], None]
) -> None:
    unattended(night)
    waits = ends(LegState.WAITING, "target-unwell")
    night.acts = {night.ids[0]: [waits, waits, verified]}
    night.run()
    assert night.boxes()[1:] == [[0], [0]]


def test_what_waits_for_a_server_is_left_to_who_watches_the_command(night: Night) -> None:
    night.acts = {night.ids[0]: [ends(LegState.WAITING, "target-unwell")]}
    night.run()
    assert len(night.sent) == 1


def test_a_wave_without_a_window_ends_when_nothing_moves(night: Night) -> None:
    by_workers(night)
    night.acts = {night.ids[0]: [ends(LegState.WAITING, "target-unwell")]}
    night.run()
    assert len(night.sent) == 1 + FRUITLESS


def test_a_wave_with_a_window_goes_on_until_it_closes(night: Night) -> None:
    windowed(night)
    night.acts = {night.ids[0]: [ends(LegState.WAITING, "target-unwell")]}
    most = 2 * FRUITLESS + 2

    def closes(runner: LegRunner) -> None:
        if len(night.sent) == most:
            runner.drain.event.set()

    night.meanwhile = closes
    night.run()
    assert len(night.sent) == most


def test_a_living_worker_keeps_what_it_holds(night: Night) -> None:
    """A command does not wait for it: the lease is renewed, so somebody is at work."""
    (leg,) = [leg.id for leg in night.ledger.legs() if leg.mailbox == night.ids[0]]
    night.acts = {night.ids[0]: [untouched], night.ids[1]: [dies, verified]}
    lease = night.ledger.claim(leg, "elsewhere", 60)
    assert lease is not None
    renewing: list[asyncio.Task[None]] = []

    async def renew() -> None:
        while True:
            await asyncio.sleep(0.01)
            night.ledger.renew(lease, 60)

    night.meanwhile = lambda _runner: renewing.append(asyncio.ensure_future(renew()))
    runner = night.run()
    assert night.boxes()[1:] == [[1]]
    assert verdict(seen_of(runner, WaveParameters(wave="w"))).endswith("1 running (claimed-elsewhere)")


def test_the_end_of_a_lease_is_waited_for(night: Night) -> None:
    def lately(ledger: Ledger, leg: int, worker: str) -> None:
        assert ledger.claim(leg, worker, 0.5) is not None

    night.acts = {night.ids[0]: [lately, verified]}
    before = datetime.now(UTC)
    night.run()
    assert night.states()[0] == ("verified", None)
    assert (datetime.now(UTC) - before).total_seconds() > 0.4


def test_a_fault_of_all_ends_the_rounds(night: Night) -> None:
    from model.errors import Misconfigured

    night.acts = {night.ids[0]: [untouched]}
    night.meanwhile = lambda runner: runner.boundary.end(Misconfigured("x", "y"))
    night.run()
    assert len(night.sent) == 1


def test_a_death_counts_once_although_nobody_begins_the_mailbox_again(night: Night) -> None:
    """Its further batches end before they come to it: no worker of theirs had it in hand."""
    night.acts = {night.ids[0]: [dies, untouched]}
    night.run()
    assert len(night.sent) == 2 + FRUITLESS
    assert night.ran.deaths == {night.ids[0]: 1}


def test_a_mailbox_that_leaves_the_plan_meanwhile_ends_no_run(night: Night) -> None:
    """Whoever took it out of the list in the middle of a round: the wave's legs are without it then."""
    night.acts = {night.ids[n]: [dies, verified] for n in (0, 1)}
    mail = frozenset({Kind.MAIL})
    rows = [row for row in night.ledger.mailboxes("w") if row.id != night.ids[0]]

    def leaves(_runner: LegRunner) -> None:
        if len(night.sent) == 2:
            others = [PlannedMailbox(row.source, row.target, "w", row.phase, mail) for row in rows]
            night.ledger.add_mailboxes(others, whole=True, waves=["w"])

    night.meanwhile = leaves
    night.run()
    assert night.ids[0] not in {leg.mailbox for leg in night.ledger.legs()}
    assert {str(leg.state) for leg in night.ledger.legs()} == {"verified"}
