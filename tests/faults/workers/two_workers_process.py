"""A worker in a process of its own, over a target that lives in files: see test_two_workers."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from memory.doubles import MemoryStore
from walking import PACE, Trial, a_mailbox

from engine.context.leg_context import BatchLimits


def opened(directory: Path, url: str, step: Callable[[str], None], pace: BatchLimits = PACE) -> str:
    """Runs one leg to its end; the target is read from a file before and written to one after."""
    saved = directory / "store"
    store = pickle.loads(saved.read_bytes()) if saved.exists() else MemoryStore()
    trial = Trial(directory, a_mailbox(6), store, url=url, pace=pace)

    def saving(name: str) -> None:
        step(name)
        if name == "target.write done":
            saved.write_bytes(pickle.dumps(store))

    result = trial.run(saving)
    trial.ledger.close()
    return f"{result.state} {result.code}"


def main(directory: str, url: str, seconds: str) -> None:
    def wait(name: str) -> None:
        """In the first write, until the test says so."""
        if name == "target.write" and not (Path(directory) / "go").exists():
            (Path(directory) / "writing").touch()
            while not (Path(directory) / "go").exists():
                time.sleep(0.02)

    pace = replace(PACE, lease=float(seconds), margin=float(seconds) / 4)
    sys.stdout.write(opened(Path(directory), url, wait, pace))


if __name__ == "__main__":
    main(*sys.argv[1:])
