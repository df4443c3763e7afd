"""A worker in a process of its own that is killed, or that dies: see test_deaths. Its target is a file."""

from __future__ import annotations

import os
import pickle
import random
import sys
import time
from pathlib import Path

from memory.doubles import MemoryMailbox, MemoryStore
from walking import PACE, Trial, letter

from engine.control import crash_note
from engine.steps.settling.worker_deaths import cause_of
from model.protocols import Role

ITEMS = 40
KILLER = 5


class Worker(Trial):
    """What it knows of the deaths before it is what this machine knows."""


def made(directory: Path) -> tuple[Worker, str]:
    """A trial and its killer: the same in every process."""
    mailbox = MemoryMailbox(addresses=frozenset({"anna@old.example"}), page=8)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    items = [mailbox.deliver(inbox, letter(number)) for number in range(ITEMS)]
    saved = directory / "store"
    store = pickle.loads(saved.read_bytes()) if saved.exists() else MemoryStore()
    return Worker(directory, mailbox, store, pace=PACE, cause=cause_of), items[KILLER]


def main(directory: str, how: str, seed: str) -> None:
    place, dice = Path(directory), random.Random(seed)
    trial, killer = made(place)
    until = dice.randint(5, 45)
    steps = 0

    def step(name: str) -> None:
        nonlocal steps
        steps += 1
        if name == "target.write done":
            (place / "store.new").write_bytes(pickle.dumps(trial.store))
            (place / "store.new").replace(place / "store")
        if how == "wait" and steps >= until:
            (place / f"waiting-{seed}").touch()
            time.sleep(600)
        if name == "target.write" and killer in trial.in_hand():
            if how == "abort":
                os.abort()
            if how == "exit":
                os._exit(70)

    with crash_note.noting_crashes(place):
        result = trial.run(step)
    trial.ledger.close()
    sys.stdout.write(f"{result.state} {result.code}")


if __name__ == "__main__":
    main(*sys.argv[1:])
