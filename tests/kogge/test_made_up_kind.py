"""A kind that is added in memory alone goes through every command: no table of kinds is forgotten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import made_up_kind
import pytest
from servers.dovecot import Dovecot
from town import configure, dovecot
from walking import letter

pytestmark = pytest.mark.dovecot
__all__ = ["dovecot"]
PROGRAM = Path(made_up_kind.__file__)
WORD = made_up_kind.WORD
ROOT = Path(__file__).parents[2]
SOURCE, TARGET = "anna0@old.example", "anna0@new.example"
WAVE = ("--wave", "pilot")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "keys new": ("A. Auditor", "--out", "key.pem"),
    "keys public": ("--key", "key.pem"),
    "check": WAVE,
    "discover": ("--csv", "inventory.csv"),
    "plan": (),
    "migrate --dry-run": WAVE,
    "migrate": WAVE,
    "verify": (*WAVE, "--level", "both"),
    "status": (),
    "status --all": (),
    "show": (SOURCE, "--by", "Night shift"),
    "failures": WAVE,
    "failures --losses": (),
    "score": WAVE,
    "log": ("pilot", "--all"),
    "metrics": ("--once",),
    "report": (*WAVE, "--out", "pages"),
    "cutover": (*WAVE, "--dry-run"),
    "audit seal": (*WAVE, "--key", "key.pem", "--out", "packs"),
    "rollback": WAVE,
}
MAY_SAY_NO = {"cutover", "check"}
"""What ends with 1 where something is left to do."""


def test_every_command_knows_a_kind_that_came_later(
    tmp_path: Path, dovecot: Dovecot, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = '[gate]\ndirectory = "people.csv"\n[approval]\nrequired = 0\n'
    configure(tmp_path, dovecot, monkeypatch, more)
    file = tmp_path / "kogge.toml"
    file.write_text(file.read_text().replace("[target.mail]", f"[target.{WORD}]"))
    (tmp_path / "mailboxes.csv").write_text(f"source,target,wave\n{SOURCE},{TARGET},pilot\n")
    (tmp_path / "people.csv").write_text(f"source,target\n{SOURCE},{TARGET}\n")
    fill(dovecot)
    commands = [[*name.split(), *options] for name, options in COMMANDS.items()]
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), json.dumps(commands)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": api, "COLUMNS": "200"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    ended = dict(zip(COMMANDS, json.loads(ran.stdout), strict=True))
    failed = {
        name: text
        for name, (code, text) in ended.items()
        if "Traceback" in text or (code and (code != 1 or name.split()[0] not in MAY_SAY_NO))
    }
    assert failed == {}
    assert WORD in ended["show"][1]
    (tmp_path / "key.pub").write_text(ended["keys public"][1])
    verified = subprocess.run(
        [str(Path(sys.executable).with_name("kogge")), "audit", "verify", "packs", "--pubkey", "key.pub"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "a newer version of Kogge made it" in verified.stdout


def fill(server: Dovecot) -> None:
    from imapclient import IMAPClient

    with IMAPClient(server.host, port=server.port, ssl=False) as client:
        client.login(f"{SOURCE}*{server.master_user}", server.master_password)
        for number in range(3):
            client.append("INBOX", letter(number), [])
