"""Log lines as JSON: one object a line, from all loggers, once each, and without the words of exceptions."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.control import json_log
from engine.control.error_log import Defect, contain_defects, defect_log
from kogge.terminal.options import say
from ledger.db.rows import LegState

SECRET = "anna@old.example said no"
ENDED = {"wave": "w1", "mailbox": "m-7f3a", "workload": "mail"}


@pytest.fixture
def on() -> Iterator[None]:
    root, defects = logging.getLogger(), json_log.DEFECTS
    before = (
        list(root.handlers),
        list(defects.handlers),
        defects.propagate,
        logging.getLogger("kogge").level,
    )
    json_log.switch_on()
    yield
    root.handlers, defects.handlers, defects.propagate = before[:3]
    logging.getLogger("kogge").setLevel(before[3])
    json_log._formatter.wave = None


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("on")
def test_a_line_has_time_level_message_and_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    json_log.log_leg("workload ended", **ENDED, state=LegState.BLOCKED, code="over-quota", seconds=1.23456)
    json_log.log_leg("workload ended", **ENDED, state=LegState.VERIFIED, code=None)
    blocked, verified = lines(capsys.readouterr().err)
    assert str(blocked.pop("time")).endswith("Z")
    assert blocked == {
        "level": "warning",
        "logger": "kogge.leg",
        "message": "workload ended",
        **ENDED,
        "state": "blocked",
        "code": "over-quota",
        "seconds": 1.235,
    }
    assert verified["level"] == "info"
    assert "code" not in verified


def test_in_text_nothing_is_said_of_workloads(capsys: pytest.CaptureFixture[str]) -> None:
    json_log.log_leg("workload ended", **ENDED, state=LegState.BLOCKED)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("on")
def test_each_line_is_written_once_whoever_logs_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    json_log.switch_on()
    say("two\nlines")
    logging.getLogger("some.library").warning("of %s", "a library")
    with defect_log(tmp_path), pytest.raises(Defect), contain_defects("leg m-7f3a"):
        raise ValueError(SECRET)
    said, library, defect = lines(capsys.readouterr().err)
    assert (said["level"], said["message"]) == ("info", "two\nlines")
    assert library["message"] == "of a library"
    assert (defect["level"], defect["mailbox"]) == ("error", "m-7f3a")
    assert "ValueError at" in str(defect["message"])
    assert "ValueError at" in (tmp_path / "logs" / "defects.log").read_text()
    assert SECRET not in json.dumps(defect)


@pytest.mark.usefixtures("on")
def test_of_an_exception_it_has_class_and_place_and_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        logging.getLogger("some.library").exception("it failed")
    (line,) = lines(capsys.readouterr().err)
    assert str(line["error"]).startswith("RuntimeError at test_json_log.py:")
    assert SECRET not in json.dumps(line)


@pytest.mark.usefixtures("on")
def test_the_wave_of_a_process_is_named_where_a_line_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    json_log.note_wave("w2")
    logging.getLogger("kogge.standing").warning("slow")
    json_log.log_leg("workload ended", **ENDED)
    assert [line["wave"] for line in lines(capsys.readouterr().err)] == ["w2", "w1"]


LOGS = """
import logging
from prefect.logging import get_logger
get_logger("flow_runs").warning("of a run", extra={"flow_run_name": "calm-wave"})
logging.getLogger("some.library").warning("of a library")
"""


@pytest.mark.parametrize(
    ("before", "environment"),
    [
        ("from engine.control import json_log; json_log.switch_on(); import prefect.main", {}),
        ("import prefect.main; from engine.control import json_log; json_log.switch_on()", {}),
        ("import prefect.main", json_log.PREFECT_ENVIRONMENT),
    ],
    ids=["before-prefect", "after-prefect", "from-the-environment"],
)
def test_prefects_lines_are_json(before: str, environment: dict[str, str], tmp_path: Path) -> None:
    """In a process of their own: Prefect sets up its loggers once."""
    given = {
        **os.environ,
        **environment,
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
    }
    script = f"{before}\n{LOGS}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=given, timeout=250
    )
    assert done.returncode == 0, done.stderr
    run, library = lines(done.stderr)
    assert (run["message"], run["flow_run_name"], run["level"]) == ("of a run", "calm-wave", "warning")
    assert library["message"] == "of a library"
