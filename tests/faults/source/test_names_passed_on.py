"""Folders of the source that pass their names on to each other between two passes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from random import Random

import pytest
from memory.doubles import MemoryStore
from walking import Died, Trial, a_mailbox, dying_at, letter

from ledger.db.rows import LegState
from model.errors import Rejected


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    return Trial(quick_path, a_mailbox(6), MemoryStore())


NAMES = ("Alt", "Neu", "Vorhaben")


def filled(trial: Trial) -> dict[str, str]:
    """Three folders with a mail each, moved; the ids at the source by name."""
    ids = {name: trial.mailbox.create_folder((name,)) for name in NAMES}
    for number, where in enumerate(ids.values()):
        trial.mailbox.deliver(where, letter(410 + number))
    trial.run()
    return ids


def lives(trial: Trial) -> dict[str, int]:
    """The UIDVALIDITY of each of our folders at the target: a renamed folder keeps it."""
    return {path[0]: folder.uidvalidity for path, folder in trial.store.folders.items() if len(path) == 1}


def stored(trial: Trial) -> int:
    return sum(len(folder.messages) for folder in trial.store.folders.values())


def losses(trial: Trial) -> set[str]:
    (leg,) = trial.ledger.legs()
    return {loss.reason for _, _, loss in trial.ledger.losses(leg.id)}


def run_until_death(trial: Trial, called: str, times: int) -> None:
    step = dying_at(called, times)
    quiet = trial.commits(step)
    with contextlib.suppress(Died):
        trial.run(step)
    quiet()


@pytest.mark.parametrize("order", [("Alt", "Neu", "Vorhaben"), ("Vorhaben", "Neu", "Alt")])
def test_a_name_is_passed_on(trial: Trial, order: tuple[str, str, str]) -> None:
    """The first takes the name of the second, that of the third, and the third a new one."""
    ids = filled(trial)
    before = lives(trial)
    first, second, third = order
    for source, name in ((third, "Ablage"), (second, third), (first, second)):
        trial.mailbox.rename_folder(ids[source], (name,))
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    now = lives(trial)
    assert (now["Ablage"], now[third], now[second]) == (before[third], before[second], before[first])
    assert first not in now
    assert not [step for step in steps if step.startswith(("target.write", "target.ensure"))]
    assert "rename-refused" not in losses(trial)


EXCHANGES = {
    "two": {"Alt": "Neu", "Neu": "Alt"},
    "three": {"Alt": "Neu", "Neu": "Vorhaben", "Vorhaben": "Alt"},
}


def exchanged(trial: Trial, names: dict[str, str]) -> dict[str, int]:
    """Folders exchange their names at the source. What is to be where at the target."""
    ids, before = filled(trial), lives(trial)
    for source, name in names.items():
        trial.mailbox.rename_folder(ids[source], (f"{name} now",))
    for source, name in names.items():
        trial.mailbox.rename_folder(ids[source], (name,))
    return {name: before[source] for source, name in names.items()}


@pytest.mark.parametrize("names", EXCHANGES.values(), ids=list(EXCHANGES))
def test_folders_exchange_their_names(trial: Trial, names: dict[str, str]) -> None:
    wanted, steps = exchanged(trial, names), list[str]()
    folders = len(trial.store.folders)
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert lives(trial).items() >= wanted.items()
    assert len(trial.store.folders) == folders
    assert not [step for step in steps if step.startswith(("target.write", "target.ensure"))]
    assert "rename-refused" not in losses(trial)


@pytest.mark.parametrize("names", EXCHANGES.values(), ids=list(EXCHANGES))
@pytest.mark.parametrize("renames", range(1, 5))
@pytest.mark.parametrize("called", ["target.rename", "commit"])
def test_a_worker_dies_while_names_are_exchanged(
    trial: Trial, names: dict[str, str], renames: int, called: str
) -> None:
    wanted = exchanged(trial, names)
    folders, mails = len(trial.store.folders), stored(trial)
    run_until_death(trial, called, renames)
    assert trial.run().state is LegState.VERIFIED
    assert lives(trial).items() >= wanted.items()
    assert len(trial.store.folders) == folders
    assert stored(trial) == mails


def test_a_server_that_refuses_the_place_aside_keeps_the_names(trial: Trial) -> None:
    exchanged(trial, EXCHANGES["two"])
    before = lives(trial)

    def refusing(step: str) -> None:
        if step == "target.rename":
            raise Rejected("name-refused")

    assert trial.run(refusing).state is LegState.VERIFIED
    assert lives(trial) == before
    assert "rename-refused" in losses(trial)


def test_a_folder_goes_below_the_one_that_gets_its_name(trial: Trial) -> None:
    ids = filled(trial)
    before = lives(trial)
    for source, path in (("Alt", ("x",)), ("Neu", ("Alt",)), ("Alt", ("Alt", "Früher"))):
        trial.mailbox.rename_folder(ids[source], path)
    mails = stored(trial)
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.folders["Alt",].uidvalidity == before["Neu"]
    assert trial.store.folders["Alt", "Früher"].uidvalidity == before["Alt"]
    assert stored(trial) == mails
    assert "rename-refused" not in losses(trial)


TREE = [("A",), ("A", "B"), ("A", "B", "C"), ("D",), ("D", "B"), ("E",)]


@pytest.mark.parametrize("seed", range(40))
def test_any_renames(trial: Trial, seed: int) -> None:
    """Folders that hold each other get each other's names, twice; a worker may die meanwhile.
    What is not where it belongs is named."""
    random = Random(seed)
    ids = [trial.mailbox.create_folder(path) for path in TREE]
    for number, where in enumerate(ids):
        trial.mailbox.deliver(where, letter(600 + number))
    trial.run()
    mails = stored(trial)
    raws = [next(iter(trial.mailbox.folders[id_].messages.values())).raw for id_ in ids]
    for _ in range(2):
        for id_, path in zip(ids, random.sample(TREE, len(TREE)), strict=True):
            trial.mailbox.folders[id_].path = path
        if random.random() < 0.5:
            run_until_death(trial, "commit", random.randrange(1, 40))
        assert trial.run().state is LegState.VERIFIED
        assert stored(trial) == mails
    at = {one.raw: path for path, folder in trial.store.folders.items() for one in folder.messages.values()}
    wrong = [id_ for id_, raw in zip(ids, raws, strict=True) if at[raw] != trial.mailbox.folders[id_].path]
    assert not wrong or "rename-refused" in losses(trial)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("dies", [0, *range(1, 25, 2)])
def test_a_folder_and_what_was_in_it_are_made_again_where_they_were_before_a_rename(
    trial: Trial, dies: int, deep: bool
) -> None:
    """What was below the renamed folder went along with it at the target; what is new belongs elsewhere."""
    above = ("Amt",) if deep else ()
    if deep:
        trial.mailbox.create_folder(above)
    former = trial.mailbox.create_folder((*above, "Alt"))
    below = trial.mailbox.create_folder((*above, "Alt", "Akten"))
    trial.mailbox.deliver(trial.mailbox.create_folder((*above, "Alt", "Bilder")), letter(700))
    trial.run()
    trial.mailbox.rename_folder(former, ("Neu",))
    trial.mailbox.delete_folder(below)
    for number, path in enumerate([("Alt",), ("Alt", "Akten"), ("Alt", "Akten", "Mai")]):
        trial.mailbox.deliver(trial.mailbox.create_folder((*above, *path)), letter(701 + number))
    if dies:
        run_until_death(trial, "commit", dies)
    assert trial.run().state is LegState.VERIFIED
    at = {one.raw: path for path, folder in trial.store.folders.items() for one in folder.messages.values()}
    ours = [(folder.path, one.raw) for folder, one in trial.mailbox.messages() if folder.role is None]
    assert {
        raw: path for path, raw in ours if len(path) > 2 or path[0] != "Posteingang"
    }.items() <= at.items()
