"""After a worker died, only what it was about to write is looked for: what others have is theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from drives import drive_trial, folder, marks
from memory.cabinet import Request, Verb
from walking import Died

from ledger.db.rows import LegState


def test_a_copy_that_somebody_made_stays(quick_path: Path) -> None:
    trial = drive_trial(quick_path, 4)
    assert trial.run().state is LegState.VERIFIED
    drawer = next(one for one in trial.store.drawers.values() if one.href.endswith("/Arbeit"))
    mine = next(iter(drawer.papers.values()))
    trial.store.answer(Request(Verb.PUT, drawer.href, "Vorlage des Amts.txt", mine.raw))
    trial.mailbox.deliver(folder(trial.mailbox, "Arbeit").id, b"another one", marks("neu.txt"))
    deaths = iter([Died])

    def die(name: str) -> None:
        if name == "target.write" and (death := next(deaths, None)) is not None:
            raise death

    with pytest.raises(Died):
        trial.run(die)
    trial.finish()
    names = {paper.name for paper in drawer.papers.values()}
    assert {"Vorlage des Amts.txt", mine.name, "neu.txt"} <= names
