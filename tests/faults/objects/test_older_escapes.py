r"""Objects that an earlier Kogge wrote with a line end in place of a written `\N`."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from calendars import HOME, calendar_trial, folder
from memory.records import APPOINTMENT, event
from walking import Trial

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState
from model.icalendar_writer import escaped

TITLE = r"Akten C:\Neu"
RIGHT, WRONG = rb"SUMMARY:Akten C:\\Neu", rb"SUMMARY:Akten C:\neu"


def earlier(text: str) -> str:
    return escaped(text.replace("\\N", "\n"))


def titles(trial: Trial) -> set[bytes]:
    objects = [one.raw for each in trial.store.collections.values() for one in each.objects.values()]
    return {line for raw in objects for line in raw.split(b"\r\n") if line.startswith(b"SUMMARY:Akten")}


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    trial = calendar_trial(quick_path)
    trial.mailbox.deliver(folder(trial.mailbox, *HOME).id, event("backslash", TITLE, 3), APPOINTMENT)
    with mock.patch("mappings.icalendar.values.escaped", earlier):
        assert trial.run().state is LegState.VERIFIED
    return trial


def test_they_stay_until_a_pass_reads_both_sides(trial: Trial) -> None:
    assert titles(trial) == {WRONG}
    assert trial.run().tally.replaced == 0
    assert titles(trial) == {WRONG}
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.DIFFERS
    result = trial.run(task=Task(Level.BOTH))
    assert (result.state, result.tally.replaced) == (LegState.VERIFIED, 1)
    assert titles(trial) == {RIGHT}
    assert trial.run(task=Task(Level.BOTH)).tally.replaced == 0


def test_a_change_at_the_source_puts_them_right(trial: Trial) -> None:
    home = folder(trial.mailbox, *HOME)
    trial.mailbox.edit(next(reversed(home.messages)), event("backslash", TITLE, 4))
    assert trial.run().state is LegState.VERIFIED
    assert titles(trial) == {RIGHT}
