"""Whoever dies while a wave is sealed, and does it again, has the same pack."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sealing import WAVE, Office, office, raw, rows, settled
from sqlalchemy import event
from walking import Died

from connectors.errors import Transient
from flows import seal
from ledger.pack import Section, WrittenMailbox, write_mailbox
from ledger.rows import LegState
from ledger.seals import Seals
from ledger.store import Ledger

__all__ = ["office", "settled"]
MOMENT = 1764144000.25


class Mortal:
    """Dies at the nth durable step, before it or after; counts them."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int = 0, *, after: bool = False) -> None:
        self.steps: list[str] = []
        self._at, self._after = at, after
        for module, name in ((os, "fsync"), (os, "rename"), (os, "truncate"), (shutil, "rmtree")):
            patch.setattr(module, name, self._mortal(name, getattr(module, name)))
        patch.setattr(Path, "rename", lambda path, target: os.rename(path, target))  # noqa: PTH104

    def _mortal(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.step(name)
            result = real(*arguments, **named)
            if self._after and len(self.steps) == self._at:
                raise Died
            return result

        return call

    def step(self, name: str) -> None:
        self.steps.append(name)
        if len(self.steps) == self._at and not self._after:
            raise Died

    def watch(self, ledger: Ledger) -> None:
        def commit(connection: Any) -> None:
            if connection.get_execution_options().get("writes"):
                self.step("commit")

        event.listen(ledger.engine, "commit", commit)


def sealed(place: Office, mortal: Mortal | None = None) -> None:
    ledger = place.ledger()
    if mortal is not None:
        mortal.watch(ledger)
    try:
        place.seal(ledger)
    finally:
        ledger.close()


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every seal is of the same moment."""
    monkeypatch.setattr(Ledger, "clock", lambda ledger: datetime.fromtimestamp(MOMENT, UTC))


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_who_dies_at_any_step_and_does_it_again_has_the_same_pack(
    settled: Office, quick_path: Path, after: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        counting = Mortal(patch)
        whole = settled.copy(quick_path / "whole")
        sealed(whole, counting)
    wanted, steps = raw(whole.pack), counting.steps
    assert Counter(steps)["commit"] == 1
    assert len(steps) > 20
    for number, name in enumerate(steps, 1):
        if name == "commit" and after:
            continue  # who dies after it dies before the next step
        trial = settled.copy(quick_path / f"{number}")
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
            sealed(trial, Mortal(patch, number, after=after))
        if number < len(steps) or not after:
            sealed(trial)
        assert raw(trial.pack) == wanted, (number, name)
        assert [path.name for path in trial.out.iterdir()] == [f"wave-{WAVE}"]
        ledger = trial.ledger()
        assert [one.number for one in Seals(ledger).all()] == [1]
        ledger.close()
        shutil.rmtree(trial.place)


class Writer:
    """Notes which mailboxes are written, and dies at the nth."""

    def __init__(self, patch: pytest.MonkeyPatch, dies_at: int = 0) -> None:
        self.written: list[str] = []
        self._dies_at = dies_at
        patch.setattr(seal, "write_mailbox", self)

    def __call__(self, bag: Path, mailbox: str, sections: Iterable[Section]) -> WrittenMailbox:
        self.written.append(mailbox)
        if len(self.written) == self._dies_at:
            raise Died
        return write_mailbox(bag, mailbox, sections)


def interrupt(office: Office) -> float:
    """Dies at the second mailbox. Returns when it began."""
    with pytest.MonkeyPatch.context() as patch:
        Writer(patch, 2)
        with pytest.raises(Died):
            office.seal()
    (begun,) = office.out.iterdir()
    return float(json.loads((begun / "progress.jsonl").read_text().splitlines()[0])["sealed"])


def test_who_goes_on_keeps_what_is_finished_and_when_it_began(office: Office) -> None:
    began = interrupt(office)
    with pytest.MonkeyPatch.context() as patch:
        writer = Writer(patch)
        made = office.seal()
    assert len(writer.written) == 1, "of two mailboxes"
    assert made.seal.at == began


def test_what_changed_meanwhile_is_written_anew(office: Office) -> None:
    began = interrupt(office)
    ledger = office.ledger()
    ledger.requeue(states=[LegState.VERIFIED])
    for leg in ledger.legs(WAVE):
        lease = ledger.claim(leg.id, "worker", 60)
        assert lease is not None
        ledger.release(lease, LegState.VERIFIED)
    ledger.close()
    made = office.seal()
    assert made.seal.at > began
    headers = [row for row in rows(made.pack, "results") if "sealed" in row]
    assert {row["sealed"] for row in headers} == {round(made.seal.at, 6)}


@pytest.mark.parametrize("what", ["claimed", "decided"])
def test_a_ledger_that_changes_while_it_is_sealed(office: Office, what: str) -> None:
    """Nothing is sealed; the same command once more does."""
    ledger = office.ledger()
    leg, *_ = ledger.legs(WAVE)

    def meddle() -> None:
        if what == "decided":
            ledger.event(WAVE, "who", {"by": "somebody"})
        elif (lease := ledger.claim(leg.id, "worker", 60)) is not None:
            ledger.release(lease, LegState.VERIFIED)

    real = seal.statement
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seal, "statement", lambda *given: (real(*given), meddle())[0])
        with pytest.raises(Transient, match="ledger-changed"):
            office.seal(ledger)
    assert Seals(ledger).all() == []
    assert not office.pack.exists()
    office.seal(ledger)
    assert office.pack.is_dir()
    ledger.close()
