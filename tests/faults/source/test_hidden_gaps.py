"""Where a loss could hide behind a clean verdict: folders that come and go, totals, twins, a source that
answers twice, a verification without a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest
from memory.doubles import MemoryMailbox, MemorySource, MemoryStore, MemoryTarget, Step
from walking import Trial, a_mailbox, letter

from engine.leg.run import Task
from engine.steps.settling import reconcile
from engine.verify.compare import Level
from ledger.db.rows import LegState, State
from model.protocols import Container, Failed, Guard, Item, Native, Ref, Stored, Target

VERIFY = Task(Level.BOTH, copy=False)


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    return Trial(quick_path, a_mailbox(), MemoryStore())


def with_folder(mailbox: MemoryMailbox, items: int) -> str:
    folder = mailbox.create_folder(("Projekte",))
    for number in range(items):
        mailbox.deliver(folder, letter(200 + number))
    return folder


class Forgetful(MemorySource):
    """Leaves one folder out of its first listing."""

    forgotten = ""
    listings = 0

    def containers(self) -> Iterator[Container]:
        type(self).listings += 1
        for container in super().containers():
            if container.id != self.forgotten or self.listings > 1:
                yield container


def test_a_folder_missing_from_one_listing_stays(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    Forgetful.forgotten, Forgetful.listings = with_folder(trial.mailbox, 10), 0
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    monkeypatch.setattr("walking.MemorySource", Forgetful)
    Forgetful.listings = 0
    assert trial.run().state is LegState.VERIFIED
    assert Forgetful.listings > 1
    assert trial.store.snapshot() == before


@pytest.mark.parametrize("items", [10, 30])
def test_a_folder_that_went_and_came_back_is_whole_again(trial: Trial, items: int) -> None:
    folder = with_folder(trial.mailbox, items)
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    kept = trial.mailbox.folders.pop(folder)
    trial.run()
    trial.mailbox.folders[folder] = kept
    trial.ledger.requeue()
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == before


def test_a_copied_folder_that_is_hidden_later_goes_on_moving(trial: Trial) -> None:
    folder = with_folder(trial.mailbox, 3)
    assert trial.run().state is LegState.VERIFIED
    trial.mailbox.folders[folder].omit = "hidden"
    trial.mailbox.deliver(folder, letter(300))
    before = trial.store.snapshot()
    assert trial.run().state is LegState.VERIFIED
    assert (trial.store.snapshot() - before).total() == 1


def test_what_does_not_move_is_counted_by_its_reason(trial: Trial) -> None:
    assert trial.run().state is LegState.VERIFIED
    (summary,) = trial.ledger.summary()
    assert summary.omitted == {"hidden": 1}


def test_verifying_what_was_never_copied_proves_nothing(trial: Trial) -> None:
    result = trial.run(task=VERIFY)
    assert (result.state, result.code) == (LegState.PENDING, "not-run")
    assert trial.ledger.mailbox(trial.id).target_identity is None
    assert trial.run(task=Task(dry=True)).code == "dry-run"
    assert trial.run(task=VERIFY).code == "not-run", "what was only looked at is not copied"
    assert trial.run().state is LegState.VERIFIED, "and it is not blocked by that"


def test_verifying_what_has_no_items(trial: Trial) -> None:
    trial.mailbox.folders.clear()
    assert trial.run(task=VERIFY).code == "not-run"
    assert trial.run().state is LegState.VERIFIED
    result = trial.run(task=VERIFY)
    assert (result.state, result.code) == (LegState.VERIFIED, None)


def test_a_folder_that_no_pass_made_is_new_however_often_it_is_verified(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.mailbox.folders.clear()
    trial.mailbox.create_folder(("Leer",))
    with monkeypatch.context() as patch:
        patch.setattr(reconcile, "settle", lambda *_given, **_named: 1 / 0)
        assert trial.run().state is LegState.BLOCKED
    for _ in range(3):
        result = trial.run(task=VERIFY)
        assert (result.state, result.code) == (LegState.COPIED, "changed-since")
    assert trial.run().state is LegState.VERIFIED
    assert trial.run(task=VERIFY).state is LegState.VERIFIED


@pytest.mark.parametrize("change", ["new", "renamed", "gone"])
def test_verification_sees_folders_that_the_ledger_does_not(trial: Trial, change: str) -> None:
    folder = with_folder(trial.mailbox, 2)
    assert trial.run().state is LegState.VERIFIED
    if change == "new":
        trial.mailbox.deliver(trial.mailbox.create_folder(("Neu",)), letter(400))
    elif change == "renamed":
        trial.mailbox.rename_folder(folder, ("Anders",))
    else:
        trial.mailbox.delete_folder(folder)
    result = trial.run(task=VERIFY)
    assert (result.state, result.code) == (LegState.COPIED, "changed-since")
    assert ("?", f"{change}-folder") in trial.findings()
    assert trial.run().state is LegState.VERIFIED


class Short(MemorySource):
    """Says that a folder holds one item more than it lists."""

    def containers(self) -> Iterator[Container]:
        for each in super().containers():
            total = None if each.total is None else each.total + (each.omit is None)
            yield Container(each.kind, each.id, each.path, each.role, total, each.size, each.omit)


def test_fewer_items_than_the_sources_own_count_are_no_success(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("walking.MemorySource", Short)
    result = trial.run()
    assert (result.state, result.code) == (LegState.COPIED, "changed-since")
    assert ("?", "total") in trial.findings()


class Twice(MemorySource):
    """Answers every question twice, and one that nobody asked."""

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        for result in super().fetch(container, refs, bodies=bodies):
            yield result
            yield result
            if isinstance(result, Native):
                stranger = Ref("nobody-asked", "1")
                yield Native(stranger, result.format, result.properties, result.body)


def test_a_source_that_answers_twice_is_heard_once(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walking.MemorySource", Twice)
    assert trial.run().state is LegState.VERIFIED
    assert trial.states() == {State.VERIFIED: 13}


class Merging(MemoryTarget):
    """A server that keeps one of two equal messages and answers with its id for both."""

    places: ClassVar[dict[bytes, str]] = {}

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        for item in items:
            if item.digest in self.places:
                yield Stored(item.key, self.places[item.digest])
                continue
            for result in super().write(href, [item]):
                if isinstance(result, Stored):
                    self.places[item.digest] = result.href
                yield result


class OnMerging(Trial):
    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        return Merging(self.store, guard, step, live=live)


def test_two_mails_made_one_by_the_server_are_a_missing_mail(quick_path: Path) -> None:
    Merging.places.clear()
    trial = OnMerging(quick_path, a_mailbox(), MemoryStore())
    assert trial.run().state is LegState.DIFFERS
    assert ("+", "") in trial.findings()
