"""deploy/with-secrets: variables from files, for what knows no files."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "with-secrets"
VALUE = 'it\'s "100 %" a $p@ss/word'


def run(**given: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", **given}
    return subprocess.run([SCRIPT, "env"], env=environment, capture_output=True, text=True, check=False)


def test_a_file_becomes_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "login"
    file.write_text(VALUE + "\n")
    told = run(API_LOGIN_FROM_FILE=str(file), SSL_CERT_FILE="/etc/authorities.pem").stdout.splitlines()
    assert f"API_LOGIN={VALUE}" in told
    assert "SSL_CERT_FILE=/etc/authorities.pem" in told
    assert not [line for line in told if "_FROM_FILE" in line]


def test_a_variable_that_is_set_stays(tmp_path: Path) -> None:
    file = tmp_path / "login"
    file.write_text("of the file\n")
    assert "LOGIN=given" in run(LOGIN_FROM_FILE=str(file), LOGIN="given").stdout.splitlines()


def test_a_file_that_is_missing_or_empty_ends_it(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for file in (tmp_path / "missing", empty):
        done = run(LOGIN_FROM_FILE=str(file))
        assert done.returncode == 2
        assert str(file) in done.stderr
