"""A worker dies around every network call and commit of a rollback. The next one must lead to the same target
as one that nobody interrupted; and a migration instead of it, to the target as before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from calendars import a_calendar
from drives import a_drive
from dying import Countdown
from memory.doubles import MemoryCabinet, MemoryShelf, MemoryStore
from undoing import Undoing
from walking import Died, Trial, a_mailbox, letter

from ledger.db.rows import LegState, Phase, State

INBOX = ("INBOX",)


def mail(directory: Path) -> Trial:
    return Trial(directory, a_mailbox(4), MemoryStore(), Phase.LIVE)


def calendar(directory: Path) -> Trial:
    return Trial(directory, a_calendar(3), MemoryShelf(), Phase.LIVE)


def drive(directory: Path) -> Trial:
    return Trial(directory, a_drive(3), MemoryCabinet(), Phase.LIVE)


def used_mail(trial: Trial) -> None:
    """Its user works there: one is moved, one deleted, one added. None of them has a twin: of late mail, what
    was moved would stand for that."""
    assert isinstance(trial.store, MemoryStore)
    messages = trial.store.folders[INBOX].messages
    first, second, *_ = sorted(uid for uid, one in messages.items() if b"<77@" not in one.raw)
    trial.store.create(("Privat",))
    trial.store.move(INBOX, first, ("Privat",))
    del trial.store.folders[INBOX].messages[second]
    trial.store.append(INBOX, letter(300), frozenset(), None)


def used_calendar(trial: Trial) -> None:
    assert isinstance(trial.store, MemoryShelf)
    href, name, _ = next(one for one in trial.store.objects() if b"Termin 1" in one[2].raw)
    trial.store.alter(href, name, b"Termin 1", b"Termin eins")


def used_drive(trial: Trial) -> None:
    assert isinstance(trial.store, MemoryCabinet)
    trial.store.place("/Arbeit", "a.txt", b"edited by its user")
    trial.store.place("/Arbeit", "mine.txt", b"its user's")


SCENES = [(mail, used_mail), (calendar, used_calendar), (drive, used_drive)]
NAMES = ["mail", "calendar", "files"]


def prepared(directory: Path, make: Callable[[Path], Trial], use: Callable[[Trial], None]) -> Trial:
    directory.mkdir()
    trial = make(directory)
    assert trial.run().state is LegState.VERIFIED
    use(trial)
    Undoing(trial, recall=True).approve()  # with what a recall takes besides
    return trial


def died(trial: Trial, undoing: Undoing, number: int) -> bool:
    countdown = Countdown(number)
    quiet = trial.commits(countdown)
    try:
        undoing.run(countdown)
    except Died:
        return True
    finally:
        quiet()
    return False


def items(trial: Trial) -> Counter[tuple[object, ...]]:
    """All but folders of files: in the live phase an empty one that is not there is its user's doing."""
    return Counter(one for one in trial.store.snapshot().elements() if one[1] != "")


def moments(trial: Trial, recall: bool, *, every: bool) -> list[int]:
    """When to die: see Countdown.moments."""
    count = Countdown()
    quiet = trial.commits(count)
    assert Undoing(trial, recall).run(count).code == "rolled-back"
    quiet()
    return count.moments(every)


@pytest.mark.parametrize("recall", [False, True], ids=["plain", "recall"])
@pytest.mark.parametrize(("make", "use"), SCENES, ids=NAMES)
def test_dying_at_every_step_of_a_rollback(
    quick_path: Path, make: Callable[[Path], Trial], use: Callable[[Trial], None], recall: bool
) -> None:
    start = prepared(quick_path / "start", make, use)
    calm = start.copy(quick_path / "calm")
    numbers = moments(calm, recall, every=False)
    wanted, states = calm.store.snapshot(), calm.states()
    assert len(numbers) > 10
    for number in numbers:
        trial = start.copy(quick_path / str(number))
        undoing = Undoing(trial, recall)
        assert died(trial, undoing, number)
        result = undoing.run()
        where = f"died at step {number}"
        if result.code == "not-approved":  # it died after its end was recorded
            undoing.approve()
            result = undoing.run()
        assert (result.state, result.code) == (LegState.BLOCKED, "rolled-back"), where
        assert trial.store.snapshot() == wanted, where
        assert trial.states() == states, where
        trial.discard()


@pytest.mark.parametrize(("make", "use"), SCENES, ids=NAMES)
def test_a_migration_does_not_undo_half_a_rollback_until_a_person_says_so(
    quick_path: Path, make: Callable[[Path], Trial], use: Callable[[Trial], None]
) -> None:
    start = prepared(quick_path / "start", make, use)
    before = items(start)
    for number in moments(start.copy(quick_path / "calm"), False, every=False)[::2]:
        trial = start.copy(quick_path / str(number))
        assert died(trial, Undoing(trial), number)
        (leg,) = trial.ledger.legs()
        begun = leg.code == "rolling-back"
        held = trial.store.snapshot()
        result = trial.run()
        where = f"died at step {number}"
        if begun:
            assert (result.state, result.code) == (LegState.BLOCKED, "rolling-back"), where
            assert trial.store.snapshot() == held, where
        trial.ledger.requeue()
        trial.finish()
        assert items(trial) == before, where
        assert trial.states()[State.WRITING] == 0, where
        trial.discard()
