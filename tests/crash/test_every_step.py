"""A worker dies at every network call and every ledger commit of a run, before and after it took effect.
The next run must lead to the same target as a run that nobody interrupted.

Between two steps that leave something behind (at the target or in the ledger) it does not matter where a
worker dies: a first run dies at every step all the same; the other short scenes die once there, and at every
step in the long ones (soak).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dying import die_everywhere
from memory.doubles import MemoryStore
from walking import Trial, a_mailbox, edit, letter

from ledger.db.rows import LegState, Phase
from model.protocols import Role

Prepare = Callable[[Trial], None]


def first_run(_trial: Trial) -> None:
    """Everything is new."""


def delta(trial: Trial) -> None:
    """A first run is done; then the user works: every kind of change there is."""
    assert trial.run().state is LegState.VERIFIED
    edit(trial.mailbox)


def renumbered(trial: Trial) -> None:
    """The target rebuilt a folder under another UIDVALIDITY, and lost one message of it."""
    assert trial.run().state is LegState.VERIFIED
    trial.store.folders["INBOX",].messages.popitem()
    trial.store.renumber(("INBOX",))
    edit(trial.mailbox)


def resync(trial: Trial) -> None:
    """The source forgot its cursors."""
    assert trial.run().state is LegState.VERIFIED
    edit(trial.mailbox)
    trial.mailbox.lose_cursors()


def rekeyed(trial: Trial) -> None:
    """The source lists everything under other ids, and people went on working."""
    assert trial.run().state is LegState.VERIFIED
    edit(trial.mailbox)
    for folder in list(trial.mailbox.folders):
        trial.mailbox.rekey(folder)
    trial.mailbox.lose_cursors()


def rekeyed_live(trial: Trial) -> None:
    """The same, of a mailbox that its user works with."""
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    for folder in list(trial.mailbox.folders):
        trial.mailbox.rekey(folder)
    for folder in trial.mailbox.folders.values():
        if folder.role is Role.INBOX:
            trial.mailbox.deliver(folder.id, letter(100))


CI = [
    pytest.param(first_run, True, True, id="first-run"),
    pytest.param(first_run, False, False, id="first-run-partial-writes-listing-source"),
    pytest.param(delta, True, True, id="delta"),
    pytest.param(delta, False, False, id="delta-partial-writes-listing-source"),
    pytest.param(renumbered, True, True, id="renumbered"),
    pytest.param(resync, False, True, id="resync"),
    pytest.param(rekeyed, True, True, id="rekeyed"),
    pytest.param(rekeyed_live, True, True, id="rekeyed-live"),
]
ALL = [
    pytest.param(scene, atomic, incremental, id=f"{scene.__name__}-{atomic}-{incremental}")
    for scene in (first_run, delta, renumbered, resync, rekeyed, rekeyed_live)
    for atomic in (True, False)
    for incremental in (True, False)
]


def prepared(directory: Path, scene: Prepare, atomic: bool, incremental: bool, items: int) -> Trial:
    directory.mkdir()
    mailbox = a_mailbox(items)
    mailbox.incremental = incremental
    trial = Trial(directory, mailbox, MemoryStore(atomic=atomic))
    scene(trial)
    return trial


def die(directory: Path, scene: Prepare, atomic: bool, incremental: bool, items: int, every: bool) -> int:
    def make(where: Path) -> Trial:
        return prepared(where, scene, atomic, incremental, items)

    return die_everywhere(directory, make, every=every)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("scene", "atomic", "incremental"), CI)
def test_dying_at_every_step_changes_nothing(
    quick_path: Path, scene: Prepare, atomic: bool, incremental: bool
) -> None:
    every = scene is first_run and atomic
    assert die(quick_path, scene, atomic, incremental, 4, every) > 15


@pytest.mark.soak
@pytest.mark.parametrize(("scene", "atomic", "incremental"), ALL)
def test_dying_at_every_step_of_a_longer_run(
    quick_path: Path, scene: Prepare, atomic: bool, incremental: bool
) -> None:
    assert die(quick_path, scene, atomic, incremental, 15, every=True) > 100
