"""This machine is never asked for through a proxy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.control.environment import reach_this_machine_directly

DIRECT = "127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"HTTP_PROXY": ""}, {"HTTP_PROXY": ""}),
        ({"NO_PROXY": "x"}, {"NO_PROXY": "x"}),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}),
        (
            {"HTTPS_PROXY": "http://p:1", "NO_PROXY": f"x, {DIRECT}"},
            {"HTTPS_PROXY": "http://p:1", "NO_PROXY": f"x,{DIRECT}"},
        ),
        ({"HTTPS_PROXY": "http://p:1"}, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": DIRECT}),
        ({"all_proxy": "http://p:1", "NO_PROXY": ""}, {"all_proxy": "http://p:1", "NO_PROXY": DIRECT}),
        (
            {"http_proxy": "http://p:1", "no_proxy": ".example.org", "NO_PROXY": "x"},
            {"http_proxy": "http://p:1", "no_proxy": f".example.org,{DIRECT}", "NO_PROXY": f"x,{DIRECT}"},
        ),
    ],
)
def test_this_machine_is_excepted(before: dict[str, str], after: dict[str, str]) -> None:
    environment = dict(before)
    reach_this_machine_directly(environment)
    assert environment == after


def test_every_command_excepts_it(tmp_path: Path) -> None:
    """As the client of Prefect sees it."""
    code = (
        "import atexit, json, sys\n"
        "def tell():\n"
        "    from urllib.request import getproxies_environment, proxy_bypass_environment\n"
        "    named = getproxies_environment()\n"
        "    print(json.dumps([bool(proxy_bypass_environment(host, named)) for host in\n"
        "                      ('127.0.0.1', 'localhost', 'prefect.example.org')]))\n"
        "atexit.register(tell)\n"
        "sys.argv = ['kogge', '--version']\n"
        "from kogge.start import main\n"
        "main()"
    )
    environment = {"PATH": "/usr/bin", "http_proxy": "http://proxy:3128", "no_proxy": "intern.example.org"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [True, True, False]
