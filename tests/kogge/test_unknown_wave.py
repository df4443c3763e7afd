"""A wave whose name is mistyped is unknown, and the known ones are told, before anything else is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import SIDES, add, opened

from kogge.app import main

PAIRS = [("anna@old.example", "anna@new.example")]
WHO = ("--by", "Night shift")
WHY = ("--reason", "a test")
COMMANDS = [
    ("migrate", "--wave", "pilott"),
    ("migrate", "--dry-run", "--wave", "pilott"),
    ("verify", "--wave", "pilott"),
    ("status", "--wave", "pilott"),
    ("failures", "--wave", "pilott"),
    ("failures", "--losses", "--wave", "pilott"),
    ("score", "--wave", "pilott"),
    ("links", "--wave", "pilott"),
    ("retry", "--wave", "pilott"),
    ("pause", "--wave", "pilott", *WHO, *WHY),
    ("resume", "--wave", "pilott", *WHO),
    ("approve", "--wave", "pilott", "--key", "me.pem", *WHY),
    ("approve", "asserted", "--wave", "pilott", *WHO, *WHY),
    ("approvals", "--wave", "pilott"),
    ("phase", "frozen", "--wave", "pilott", *WHO),
    ("cutover", "--wave", "pilott", *WHO),
    ("cutover", "--wave", "pilott", "--dry-run"),
    ("cutover", "--wave", "pilott", "--status"),
    ("rollback", "--wave", "pilott"),
    ("rollback", "--wave", "pilott", "--execute", *WHO, *WHY),
    ("repair", "dates", "--wave", "pilott"),
    ("repair", "dates", "--wave", "pilott", "--execute", *WHO, *WHY),
    ("report", "--wave", "pilott"),
    ("check", "--wave", "pilott"),
    ("log", "pilott"),
    ("audit", "seal", "--wave", "pilott", "--dry-run"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_is_unknown(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    monkeypatch.chdir(tmp_path)
    needs_approvals = SIDES.replace("required = 0", "required = 1")
    lines = [f"{source},{target},pilot" for source, target in PAIRS]
    (tmp_path / "mailboxes.csv").write_text("\n".join(["source,target,wave", *lines]) + "\n")
    with opened(tmp_path, needs_approvals) as (_, ledger):
        add(ledger, "pilot", PAIRS)
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        told = said()
        assert "unknown" in told, told
        assert "pilot" in told.replace("pilott", "")
        assert ended.value.code == 2
