"""A defect of ours ends one mailbox, in every command, and its text is shown nowhere."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest
from commands import run
from lonely import settle

from engine.control import error_log, log_filter

SECRET = "anna@old.example"
LOG = Path("kogge-state/logs/defects.log")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return settle(tmp_path, monkeypatch)


def broken(*_: object, **__: object) -> NoReturn:
    raise KeyError(SECRET)


def test_check_of_one_with_a_defect(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.preflight.preflight.open_source", broken)
    assert run("check", "--json") == 1
    (mailbox,) = json.loads(capsys.readouterr().out)["mailboxes"]
    assert mailbox["faults"][0]["code"] == "internal-error"
    assert [(one["side"], one["code"]) for one in mailbox["faults"]][1] == ("target", "server-unreachable")
    assert "line 2: KeyError at" in LOG.read_text()
    assert SECRET not in LOG.read_text()


def test_check_with_a_defect_beside_both_sides(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.preflight.preflight.examine", broken)
    assert run("check") == 1
    assert "mailbox: internal-error" in capsys.readouterr().out


def test_discover_of_one_with_a_defect(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.preflight.source_inventory.open_source", broken)
    assert run("discover", "--json") == 1
    assert json.loads(capsys.readouterr().out)[0]["code"] == "internal-error"
    assert "line 2: KeyError at" in LOG.read_text()


def test_a_defect_that_nothing_keeps_is_told_in_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    error_log.hook(lines.append)
    try:
        broken()
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    for target in (broken, sys.exit):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert capsys.readouterr() == ("", "")
    assert len(lines) == 2, "one of this thread, one of another"
    for line in lines:
        assert line.startswith("KeyError at test_defects_kept.py:")
        assert SECRET not in line


def test_the_library_s_features_are_there_before_threads_ask_for_them() -> None:
    """It publishes them empty first: another thread then fails with a KeyError."""
    code = (
        "import connectors.caldav.discovery; from caldav.compatibility_hints import FeatureSet;"
        "print(bool(vars(FeatureSet).get('_feature_tree')))"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout == "True\n"


def test_libraries_are_silenced_in_every_command(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in log_filter.TALKATIVE:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    assert run("status") == 1
    assert {logging.getLogger(name).level for name in log_filter.TALKATIVE} == {logging.CRITICAL}
