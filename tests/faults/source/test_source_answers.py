"""A source that answers twice, about what nobody asked for, or not at all: ignored and recorded, or waited
for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import walking
from calendars import calendar_trial, edit_calendar
from memory.doubles import Marks, MemoryDav, MemorySource, MemoryStore
from walking import Trial, a_mailbox, edit, letter

from engine.context.answers import SILENT
from engine.leg.run import Task
from engine.opening.one_answer import UNASKED
from engine.verify.compare import Level
from ledger.db.rows import LegState, State
from model.errors import Rejected
from model.protocols import Capabilities, Container, Failed, Native, Ref, key_of

STRAY = Failed(key_of("nobody's"), Rejected("vanished"))


class Sloppy(MemorySource):
    """manner: "twice", "strays" or "". mute: ids about which nothing is said; bodiless: not even where no
    bodies are asked for."""

    manner = ""
    mute: frozenset[str] = frozenset()
    bodiless = True

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        for one in super().fetch(container, refs, bodies=bodies):
            key = one.key if isinstance(one, Failed) else key_of(one.ref.id)
            if key in set(map(key_of, self.mute)) and (bodies or self.bodiless):
                continue
            yield from self._said(one)

    def _said(self, one: Native | Failed) -> Iterator[Native | Failed]:
        if self.manner == "strays":
            yield STRAY
            if isinstance(one, Native):
                yield replace(one, ref=replace(one.ref, id=f"{one.ref.id}-of-nobody"))
        yield one
        if self.manner == "twice":
            yield one


class Rewriting(MemoryDav):
    """Replaces nothing in place."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, replaces=False)


@pytest.fixture
def sloppy(monkeypatch: pytest.MonkeyPatch) -> type[Sloppy]:
    source = type("OneTestsSloppy", (Sloppy,), {})
    monkeypatch.setattr(walking, "MemorySource", source)
    return source


def mail(directory: Path) -> Trial:
    return verified(Trial(directory, a_mailbox(), MemoryStore()))


def verified(trial: Trial) -> Trial:
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    return trial


def recorded(trial: Trial) -> bool:
    return UNASKED in [event.kind for event in trial.ledger.events("w")]


def changed(trial: Trial) -> tuple[str, str]:
    """Marks two mails and rewrites a draft; the ids of one mail and of the draft."""
    ids = [message.id for _, message in trial.mailbox.messages() if not message.marks.draft]
    draft = next(message for _, message in trial.mailbox.messages() if message.marks.draft)
    for id_ in ids[:2]:
        trial.mailbox.mark(id_, Marks(read=True, flag="Flagged", last_verb=102))
    trial.mailbox.edit(draft.id, letter(88, "another text"))
    return ids[0], draft.id


@pytest.mark.parametrize("manner", ["twice", "strays"])
def test_what_nobody_asked_for_changes_nothing_and_is_recorded(
    quick_path: Path, sloppy: type[Sloppy], manner: str
) -> None:
    (quick_path / "plain").mkdir()
    plain = mail(quick_path / "plain")
    edit(plain.mailbox)
    verified(plain)
    (quick_path / "sloppy").mkdir()
    trial = mail(quick_path / "sloppy")
    edit(trial.mailbox)
    sloppy.manner = manner
    assert verified(trial).store.snapshot() == plain.store.snapshot()
    assert recorded(trial)
    assert not recorded(plain)


@pytest.mark.parametrize("manner", ["twice", "strays"])
def test_the_same_where_nothing_is_replaced_in_place(
    quick_path: Path, sloppy: type[Sloppy], manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "MemoryDav", Rewriting)
    (quick_path / "plain").mkdir()
    plain = verified(calendar_trial(quick_path / "plain", 6))
    (quick_path / "sloppy").mkdir()
    trial = verified(calendar_trial(quick_path / "sloppy", 6))
    for one in (plain, trial):
        edit_calendar(one.mailbox)
        sloppy.manner = manner if one is trial else ""
        verified(one)
    assert trial.store.snapshot() == plain.store.snapshot()
    assert recorded(trial)
    assert not recorded(plain)


@pytest.mark.parametrize("which", [0, 1], ids=["mail", "draft"])
def test_a_change_of_which_nothing_is_said_waits(quick_path: Path, sloppy: type[Sloppy], which: int) -> None:
    trial = mail(quick_path)
    mute = changed(trial)[which]
    sloppy.mute, sloppy.bodiless = frozenset({mute}), which == 0
    result = trial.run()
    assert (result.state, result.code) == (LegState.WAITING, SILENT)
    assert trial.states()[State.CHANGED] > 0
    meanwhile = trial.store.snapshot()
    sloppy.mute = frozenset()
    verified(trial)
    assert trial.store.snapshot() != meanwhile


def test_an_object_of_which_nothing_is_said_is_not_taken_back(
    quick_path: Path, sloppy: type[Sloppy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "MemoryDav", Rewriting)
    trial = verified(calendar_trial(quick_path, 6))
    before = trial.store.snapshot()
    edit_calendar(trial.mailbox)
    sloppy.mute = frozenset(message.id for _, message in trial.mailbox.messages())
    result = trial.run()
    assert (result.state, result.code) == (LegState.WAITING, SILENT)
    assert trial.states()[State.CHANGED] > 0
    assert trial.store.snapshot().total() == before.total()
    sloppy.mute = frozenset()
    verified(trial)


@pytest.mark.parametrize("manner", ["twice", "strays"])
def test_reading_again_ignores_what_nobody_asked_for(
    quick_path: Path, sloppy: type[Sloppy], manner: str
) -> None:
    trial = mail(quick_path)
    sloppy.manner = manner
    result = trial.run(task=Task(Level.BOTH, copy=False))
    assert (result.state, result.code, trial.findings()) == (LegState.VERIFIED, None, [])
    assert recorded(trial)


def test_reading_again_leaves_unchecked_what_is_not_answered(quick_path: Path, sloppy: type[Sloppy]) -> None:
    trial = mail(quick_path)
    mute, _ = changed(trial)
    verified(trial)
    sloppy.mute = frozenset({mute})
    result = trial.run(task=Task(Level.BOTH, copy=False))
    assert result.state is not LegState.VERIFIED
    assert trial.findings() == [("?", SILENT)]
