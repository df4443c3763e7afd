"""Ctrl-C before the command line listens for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTED_AT = """
import importlib.abc, os, signal, sys
class Interrupter(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupter())
from kogge.start import main
sys.argv = ["kogge", "--version"]
main()
"""


def interrupted_at(module: str, folder: Path, ignored: bool = False) -> subprocess.CompletedProcess[str]:
    # Not as these tests were started: what runs in the background ignores the signal.
    handler = "SIG_IGN" if ignored else "default_int_handler"
    before = f"import signal; signal.signal(signal.SIGINT, signal.{handler})\n"
    command = [sys.executable, "-c", before + INTERRUPTED_AT.format(module=module)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["kogge.app", "kogge.lazy_group"])
def test_interrupted_while_it_loads(tmp_path: Path, module: str) -> None:
    done = interrupted_at(module, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_a_command_loads(tmp_path: Path, number: signal.Signals) -> None:
    code = INTERRUPTED_AT.format(module="kogge.run.status").replace("--version", "status")
    code = code.replace("signal.SIGINT", f"signal.{number.name}")
    before = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-c", before + code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "", "")


def test_a_defect_is_told_in_a_line_without_its_text(tmp_path: Path) -> None:
    """It may quote a person's data."""
    code = (
        "import sys, kogge.app\n"
        "def broken(): raise ValueError('anna@old.example')\n"
        "kogge.app.app.command('broken')(broken)\n"
        "from kogge.start import main\n"
        "sys.argv = ['kogge', 'broken']\n"
        "main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("kogge: internal-error: ValueError")
    assert "Traceback" not in done.stderr
    assert "anna@old.example" not in done.stderr


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """As a shell asks for what it starts in the background."""
    done = interrupted_at("kogge.lazy_group", tmp_path, ignored=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("kogge ")


def test_interrupted_once_it_listens(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, typer\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import kogge.app\n"
        "kogge.app.app.command('wait')(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "from kogge.start import main\n"
        "sys.argv = ['kogge', 'wait']\n"
        "main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, "kogge: interrupted\n")


def test_a_thread_that_waits_for_a_server_keeps_no_interrupted_command(tmp_path: Path) -> None:
    """As those of `kogge check`, whose server accepted a connection and is silent."""
    code = (
        "import os, signal, sys, threading, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import kogge.app, kogge.start\n"
        "kogge.start.LINGER_SECONDS = 0.0\n"
        "def wait():\n"
        "    threading.Thread(target=time.sleep, args=(40,)).start()\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "kogge.app.app.command('wait')(wait)\n"
        "sys.argv = ['kogge', 'wait']\n"
        "kogge.start.main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (130, "kogge: interrupted\n")


COLLECTED = """
import gc
from kogge.start import COLLECTED_AFTER, FIRST_COLLECTED_AFTER, _collect_later
callbacks = list(gc.callbacks)
_collect_later()
print(gc.get_threshold()[0] == FIRST_COLLECTED_AFTER)
gc.collect(0)
print(gc.get_threshold()[0] == COLLECTED_AFTER, gc.callbacks == callbacks)
"""


def test_garbage_is_looked_for_late_and_then_as_usual() -> None:
    done = subprocess.run([sys.executable, "-c", COLLECTED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]
