"""The walk of a leg takes an inventory in every pass that listed something, and before it writes anything."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from memory.doubles import MemoryMailbox, MemoryStore
from walking import Died, Trial, a_mailbox, edit, letter

from engine.leg.run import Task
from ledger.db.engine import reading
from ledger.db.rows import LegState, Phase, State
from ledger.inventory import inventory, keystore
from ledger.inventory.inventory import InventoryLine, InventorySection
from ledger.inventory.lines import message_number
from model.errors import Misconfigured


def found(trial: Trial) -> list[tuple[InventorySection, list[InventoryLine]]]:
    with reading(trial.ledger.engine) as connection:
        sections = inventory.sections(connection, trial.id)
        return [(one, list(inventory.lines(connection, one.leg, one.number))) for one in sections]


def kinds(trial: Trial) -> list[tuple[int, int, int]]:
    """Of each inventory: its number, and how many lines are new and changed."""
    return [
        (section.number, *(Counter(line.what for line in lines)[what] for what in (0, 1)))
        for section, lines in found(trial)
    ]


def test_the_inventory_is_closed_before_the_first_write(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    seen: list[list[tuple[int, int, int]]] = []

    def look(name: str) -> None:
        if name.startswith(("target.write", "target.append")):
            seen.append(kinds(trial))

    assert trial.run(look).state is LegState.VERIFIED
    assert seen
    assert all(one == [(1, 13, 0)] for one in seen)
    ((section, lines),) = found(trial)
    header = json.loads(section.header)
    told = {(folder["total"], folder["listed"], folder["omit"]) for folder in header["folders"]}
    assert told == {(9, 9, None), (3, 3, None), (1, 1, None), (1, 0, "hidden")}
    assert {line.state for line in lines} == {State.VERIFIED}
    assert Counter(line.mid for line in lines)[message_number("<77@x.example>")] == 2
    assert sum(line.mid is None for line in lines) == 1


def test_a_pass_that_lists_nothing_takes_none(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    for _ in range(3):
        assert trial.run().state is LegState.VERIFIED
    assert kinds(trial) == [(1, 13, 0)]
    events = Counter(event.kind for event in trial.ledger.events("w"))
    assert events["inventory-taken"] == 1


@pytest.mark.parametrize("incremental", [True, False])
def test_a_delta_has_an_inventory_of_what_is_new_and_changed(tmp_path: Path, incremental: bool) -> None:
    mailbox = a_mailbox()
    mailbox.incremental = incremental
    trial = Trial(tmp_path, mailbox, MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    edit(mailbox)
    assert trial.run().state is LegState.VERIFIED
    (_, first), (section, second) = found(trial)
    assert (section.n, Counter(line.what for line in second)) == (6, {0: 4, 1: 2})
    assert json.loads(section.header)["after"] == found(trial)[0][0].root.hex()
    gone = [line for line in first if line.state is State.GONE]
    assert len(gone) == 2
    assert {line.newest for line in gone} == {1}
    later = [line for line in first if line.newest == 2]
    assert len(later) == 2
    last = {(line.container, line.key): line.state for line in (*first, *second)}
    assert Counter(last.values()) == {State.VERIFIED: 15, State.GONE: 2}


def test_a_dry_run_s_listing_is_closed_by_the_pass_that_copies(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    assert trial.run(task=Task(dry=True)).code == "dry-run"
    assert found(trial) == []
    assert trial.run().state is LegState.VERIFIED
    assert kinds(trial) == [(1, 13, 0)]


def test_what_comes_late_to_a_live_mailbox_has_a_line(tmp_path: Path) -> None:
    mailbox = a_mailbox()
    trial = Trial(tmp_path, mailbox, MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    inbox = next(folder.id for folder in mailbox.folders.values() if folder.path == ("Posteingang",))
    mailbox.deliver(inbox, letter(200))
    messages = list(mailbox.folders[inbox].messages)
    mailbox.delete(messages[0])
    assert trial.run().state is LegState.VERIFIED
    assert kinds(trial) == [(1, 13, 0), (2, 1, 0)]


def test_an_empty_mailbox_has_an_inventory(tmp_path: Path) -> None:
    trial = Trial(tmp_path, MemoryMailbox(addresses=frozenset({"anna@old.example"})), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    assert kinds(trial) == [(1, 0, 0)]


def test_a_worker_that_dies_after_the_root_leaves_it_to_the_next(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())

    def die(name: str) -> None:
        if name.startswith(("target.write", "target.append")):
            raise Died

    with pytest.raises(Died):
        trial.run(die)
    assert trial.finish().state is LegState.VERIFIED
    assert kinds(trial) == [(1, 13, 0)]
    trial.ledger.verify_events()


def test_without_its_key_nothing_more_is_copied(tmp_path: Path) -> None:
    mailbox = a_mailbox()
    trial = Trial(tmp_path, mailbox, MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    assert keystore.destroy(trial.ledger.engine, trial.id, "D. P. Officer", "Art. 17")
    assert trial.run().state is LegState.VERIFIED
    before = trial.store.snapshot()
    edit(mailbox)
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "evidence-key-destroyed")
    written = trial.store.snapshot() - before
    assert {digest for _, digest, *_ in written} <= {digest for _, digest, *_ in before}


def test_another_key_of_keys_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    edit(trial.mailbox)
    monkeypatch.setattr("walking.KEK", bytes(31) + b"\1")
    with pytest.raises(Misconfigured, match="several machines need the same"):
        trial.run()
    monkeypatch.undo()
    trial.ledger.requeue()
    assert trial.finish().state is LegState.VERIFIED


def test_a_mail_that_the_target_does_not_take_is_found_by_its_message_id(tmp_path: Path) -> None:
    mailbox = a_mailbox()
    inbox = next(folder.id for folder in mailbox.folders.values() if folder.path == ("Posteingang",))
    mailbox.deliver(inbox, letter(300, "x" * 1000))
    mailbox.deliver(inbox, b"")
    trial = Trial(tmp_path, mailbox, MemoryStore(max_bytes=600))
    trial.run()
    ((_, lines),) = found(trial)
    refused = {line.code: line.mid for line in lines if line.state is State.REJECTED}
    assert refused == {"too-large": message_number("<300@x.example>"), "empty-message": None}
