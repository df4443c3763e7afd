"""One item's trouble is not the others': too large, poisoned, vanished, refused; and a worker's death."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from walking import Died, Trial, a_mailbox, letter

from engine.leg.leg_result import LegResult
from engine.steps.settling.worker_deaths import Cause
from ledger.db.rows import LegState, State
from model.errors import Rejected, Transient
from model.protocols import Role, key_of


def inbox_of(trial: Trial) -> str:
    return next(folder.id for folder in trial.mailbox.folders.values() if folder.role is Role.INBOX)


def rejections(trial: Trial) -> list[str]:
    return sorted(str(item.code) for _, _, item in trial.ledger.rejected())


@pytest.fixture(params=[True, False], ids=["atomic", "partial"])
def trial(request: pytest.FixtureRequest, quick_path: Path) -> Trial:
    return Trial(quick_path, a_mailbox(6), MemoryStore(atomic=request.param))


def test_bad_items_are_rejected_and_the_others_go_on(trial: Trial) -> None:
    inbox = inbox_of(trial)
    good = len(list(trial.mailbox.messages()))
    trial.store.max_bytes = 2000
    trial.mailbox.deliver(inbox, letter(200, "x" * 3000))
    trial.mailbox.deliver(inbox, b"")
    trial.mailbox.deliver(inbox, letter(201), Marks(item_class="IPM.Unheard.Of"))
    trial.mailbox.deliver(inbox, letter(202), Marks(item_class="IPM.StickyNote"))
    for code in ("corrupt-at-source", "mime-conversion-failed"):
        trial.mailbox.poison[trial.mailbox.deliver(inbox, letter(203))] = Rejected(code)
    vanishing = trial.mailbox.deliver(inbox, letter(204))
    trial.mailbox.poison[vanishing] = Rejected("vanished")
    result = trial.run(lambda name: vanish(trial, vanishing, name))
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    expected = ["corrupt-at-source", "empty-message", "mime-conversion-failed", "too-large", "unknown-class"]
    assert rejections(trial) == expected
    assert trial.states() == {State.VERIFIED: good, State.REJECTED: 5, State.SKIPPED: 1, State.GONE: 1}
    assert trial.store.snapshot().total() == good


def test_an_item_as_large_as_the_target_takes_is_written(trial: Trial) -> None:
    item = trial.mailbox.deliver(inbox_of(trial), letter(200, "x" * 3000))
    trial.store.max_bytes = len(trial.mailbox.folders[inbox_of(trial)].messages[item].raw)
    trial.run()
    assert rejections(trial) == []
    trial.store.max_bytes -= 1
    trial.mailbox.deliver(inbox_of(trial), letter(201, "x" * 3000))
    trial.run()
    assert rejections(trial) == ["too-large"]


def vanish(trial: Trial, item: str, name: str) -> None:
    """Between listing and fetching."""
    if name == "source.fetch" and item in trial.mailbox.folders[inbox_of(trial)].messages:
        trial.mailbox.delete(item)


def test_rejected_items_are_tried_again_when_asked(trial: Trial) -> None:
    trial.store.max_bytes = 2000
    trial.mailbox.deliver(inbox_of(trial), letter(200, "x" * 3000))
    trial.run()
    trial.store.max_bytes = None
    trial.run()
    assert rejections(trial) == ["too-large"]
    trial.ledger.requeue(states=frozenset(LegState), rejected=True)
    assert trial.run().state is LegState.VERIFIED
    assert rejections(trial) == []
    assert trial.store.snapshot().total() == len(list(trial.mailbox.messages()))


def test_a_change_that_cannot_be_read_leaves_what_was_written(trial: Trial) -> None:
    trial.run()
    before = trial.store.snapshot()
    _, message = next(iter(trial.mailbox.messages()))
    trial.mailbox.mark(message.id, replace(message.marks, item_class="IPM.Unheard.Of", read=True))
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.store.snapshot() == before


def test_a_category_given_later_keeps_its_name(trial: Trial) -> None:
    trial.run()
    _, message = next(iter(trial.mailbox.messages()))
    trial.mailbox.mark(message.id, replace(message.marks, categories=("Grün",)))
    assert trial.run().state is LegState.VERIFIED
    assert "Grün" in trial.store.labels.values()


def test_a_target_without_keywords(trial: Trial) -> None:
    trial.store.keywords = False
    trial.mailbox.deliver(inbox_of(trial), letter(200), Marks(read=True, categories=("Rot",)))
    assert trial.run().state is LegState.VERIFIED
    (leg,) = trial.ledger.legs()
    assert "categories" in {loss.field for _, _, loss in trial.ledger.losses(leg.id)}


@pytest.mark.parametrize("fits", [0, 1, 3, 7])
def test_a_full_target(trial: Trial, quick_path: Path, fits: int) -> None:
    """The leg is blocked with what fits stored; after the quota is raised it ends as if never full."""
    other = trial.copy(quick_path / "other")
    assert other.run().state is LegState.VERIFIED
    sizes = sorted(len(m.raw) for f in other.store.folders.values() for m in f.messages.values())
    trial.store.quota = sum(sizes[:fits])
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "over-quota")
    assert trial.store.used() <= trial.store.quota
    trial.store.quota = None
    assert trial.ledger.requeue() == 1
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert trial.store.snapshot() == other.store.snapshot()


@dataclass
class Deadly:
    """A mailbox with one item among ten that ends whoever has it in hand."""

    trial: Trial
    killer: str
    where: str = "target.write"
    deaths: int = 0

    def step(self, name: str) -> None:
        if name == self.where and self.killer in self.trial.in_hand():
            raise Died

    def run(self, most: int = 20) -> LegResult | None:
        """Runs one worker after the other, at most so many; None: all of them died."""
        for _ in range(most):
            try:
                return self.trial.run(self.step)
            except Died:
                self.deaths += 1
        return None


def deadly(directory: Path, cause: Cause, where: str = "target.write") -> Deadly:
    mailbox = MemoryMailbox(addresses=frozenset({"anna@old.example"}), page=4)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    items = [mailbox.deliver(inbox, letter(number)) for number in range(10)]
    trial = Trial(directory, mailbox, MemoryStore(), cause=cause)
    return Deadly(trial, items[5], where)


@pytest.mark.parametrize("where", ["source.fetch", "target.write"])
@pytest.mark.parametrize(("cause", "deaths"), [(Cause.UNKNOWN, 6), (Cause.ITSELF, 4)])
def test_an_item_that_kills_workers(quick_path: Path, where: str, cause: Cause, deaths: int) -> None:
    """R10: twice with others, then alone, then no more; the innocent survive, and nobody says that all is
    accounted for."""
    scene = deadly(quick_path, cause, where)
    result = scene.run()
    assert result is not None
    assert scene.deaths == deaths
    assert (result.state, result.code) == (LegState.COPIED, "kills-worker")
    ((_, _, item),) = scene.trial.ledger.rejected()
    assert item.key == key_of(scene.killer)
    assert item.code == "kills-worker"
    assert scene.trial.states() == {State.VERIFIED: 9, State.REJECTED: 1}
    assert scene.trial.store.snapshot().total() == 9


def test_a_killer_is_tried_again_later(quick_path: Path) -> None:
    """Not before it has rested, and not by the worker that took over; then one death is enough."""
    scene = deadly(quick_path, Cause.UNKNOWN)
    scene.run()
    again = scene.run()
    assert again is not None
    assert (scene.deaths, again.code) == (6, "kills-worker")
    scene.trial.pace = replace(scene.trial.pace, killers_rest=0.0)
    again = scene.run()
    assert again is not None
    assert (scene.deaths, again.code) == (7, "kills-worker")
    scene.where = "nowhere"
    again = scene.run()
    assert again is not None
    assert (scene.deaths, again.state, again.code) == (7, LegState.VERIFIED, None)
    assert rejections(scene.trial) == []
    assert scene.trial.store.snapshot().total() == 10


def test_a_killer_that_a_person_saw_to_is_left_alone(quick_path: Path) -> None:
    scene = deadly(quick_path, Cause.UNKNOWN)
    scene.run()
    scene.trial.pace = replace(scene.trial.pace, killers_rest=0.0)
    scene.trial.ledger.approve(scene.trial.id, "kills-worker", "Erika", "saved by hand")
    result = scene.run()
    assert result is not None
    assert (scene.deaths, result.state, result.code) == (6, LegState.VERIFIED, None)


@pytest.mark.parametrize("cause", [Cause.ELSEWHERE, Cause.NONE])
def test_deaths_that_are_no_items_fault_reject_nothing(quick_path: Path, cause: Cause) -> None:
    """The machine was started again, or the process goes on: at most, items go alone."""
    scene = deadly(quick_path, cause)
    assert scene.run(12) is None
    assert rejections(scene.trial) == []
    scene.where = "nowhere"
    result = scene.run()
    assert result is not None
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert scene.trial.store.snapshot().total() == 10


def test_a_passing_fault_is_not_a_death(quick_path: Path) -> None:
    """A dead worker's items are counted once, also when the next worker first meets a fault."""

    trial = Trial(quick_path, a_mailbox(4), MemoryStore())

    def die(name: str) -> None:
        if name == "target.write":
            raise Died

    with pytest.raises(Died):
        trial.run(die)
    left = 1

    def fail_then_die(name: str) -> None:
        nonlocal left
        if name == "source.identity" and left:
            left -= 1
            raise Transient("busy")
        die(name)

    with pytest.raises(Died):
        trial.run(fail_then_die)
    with trial.ledger.engine.connect() as connection:
        most = connection.exec_driver_sql("SELECT max(attempts) FROM item").scalar_one()
    assert most == 2
