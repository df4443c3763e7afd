"""Where the program of a hook works, whoever runs the cutover."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.config.load import load
from engine.cutover.hooks import HookMailbox
from engine.cutover.run_many import opened
from ledger.store import Ledger

SIDES = '[source]\nkind = "imap"\nhost = "h"\nusername = "x"\npassword = { env = "X" }\n'
TOML = f"""
{SIDES}{SIDES.replace("source", "target.mail")}
[[hooks.freeze]]
name = "redirect"
command = ["/bin/sh", "-c", "echo done >> told"]
undo = {{ command = ["/bin/sh", "-c", "echo undone >> told"] }}
"""
ANNA = HookMailbox("m-7f3a9c01", "anna@old.example", "anna@new.example", "pilot")


@pytest.mark.parametrize("relative", [True, False])
def test_a_hook_works_in_the_folder_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    """A worker runs it in a temporary folder, which goes with the run."""
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    for folder in (place, elsewhere):
        folder.mkdir()
    (place / "kogge.toml").write_text(TOML)
    monkeypatch.chdir(elsewhere)
    config = load(Path("../place/kogge.toml") if relative else place / "kogge.toml")
    ledger = Ledger(config.ledger_url())
    slots: Any = SimpleNamespace(stop=threading.Event())
    hook = config.hooks.freeze[0]
    with opened(config, ledger, "Anna", slots, lambda *_, **__: None) as order:
        assert order.cutting.act(hook, hook, ANNA) is None
        assert hook.undo is not None
        assert order.cutting.act(hook, hook.undo, ANNA) is None
    assert (place / "told").read_text() == "done\nundone\n"
    assert not (elsewhere / "told").exists()
