"""Whoever dies while a wave is sealed, and does it again, has the same pack."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sealing import WAVE, Office, office, raw, rows, settled
from sqlalchemy import event
from walking import Died

from evidence import seal
from evidence.bag_writer import PackSection, WrittenMailbox, write_mailbox
from ledger.db.rows import LegState
from ledger.store import Ledger
from ledger.views.seal_chain import Seals
from model.errors import Misconfigured, Transient

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

    def __call__(self, bag: Path, mailbox: str, sections: Iterable[PackSection]) -> WrittenMailbox:
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
    return float(
        json.loads((begun / "progress.jsonl").read_text().splitlines()[0].rpartition(" ")[0])["sealed"]
    )


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
    assert not list(office.out.rglob("wave.dsse.json")), "nothing that was refused is signed"
    office.seal(ledger)
    assert office.pack.is_dir()
    ledger.close()


def kill(office: Office, name: str, **ordered: Any) -> None:
    """Dies where a method of Progress begins."""

    def die(*_given: object) -> None:
        raise Died

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"evidence.pack_resume.Progress.{name}", die)
        with pytest.raises(Died):
            office.seal(**ordered)


@pytest.mark.parametrize("reason", ["a rule was wrong", "another"])
@pytest.mark.parametrize("where", ["begin", "note", "draft"])
def test_a_correction_that_was_killed_is_made_in_the_end(office: Office, where: str, reason: str) -> None:
    """The pack that it corrects is there; it is not what was asked for."""
    office.seal()
    office.seal(reason="a rule was wrong")
    kill(office, where, reason=reason)
    made = office.seal(reason=reason)
    assert (made.seal.number, made.seal.corrects) == (3, 2)
    assert made.pack.name == f"wave-{WAVE}-seal-3"


def test_a_correction_of_what_was_killed_before_its_name(office: Office) -> None:
    kill(office, "publish")
    made = office.seal(reason="a rule was wrong")
    assert (made.seal.number, made.seal.corrects) == (2, 1)
    assert sorted(path.name for path in office.out.iterdir()) == [f"wave-{WAVE}", f"wave-{WAVE}-seal-2"]


def test_what_is_in_the_ledger_is_signed_with_its_key_alone(office: Office) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seal, "sign", lambda *_given: (_ for _ in ()).throw(Died))
        with pytest.raises(Died):
            office.seal()
    assert not list(office.out.rglob("wave.dsse.json"))
    with pytest.raises(Misconfigured, match="--key: is not the one that seal 1 was begun with"):
        office.seal(key=Ed25519PrivateKey.generate())
    made = office.seal()
    assert sha256((made.pack / "wave.dsse.json").read_bytes()).digest() == made.seal.statement
