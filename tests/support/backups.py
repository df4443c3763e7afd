"""Save a trial's ledger, and restore it later: what a person does with last night's backup."""

from __future__ import annotations

import shutil
from pathlib import Path

from walking import Trial

from ledger.store import Ledger


def saved(trial: Trial) -> Path:
    """Copy the ledger as it is now; return the folder of the copy."""
    backup = trial.directory / "backup"
    backup.mkdir()
    trial.ledger.close()
    for file in trial.directory.glob("ledger.db*"):
        shutil.copy(file, backup)
    trial.ledger = Ledger(f"sqlite:///{trial.directory}/ledger.db")
    return backup


def restored(trial: Trial, backup: Path) -> None:
    """Put a saved ledger in the place of the present one."""
    trial.ledger.close()
    for file in trial.directory.glob("ledger.db*"):
        file.unlink()
    for file in backup.iterdir():
        shutil.copy(file, trial.directory)
    trial.ledger = Ledger(f"sqlite:///{trial.directory}/ledger.db")
