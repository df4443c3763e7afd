"""The revisions of the schema are known without Alembic, which takes long to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic.script import ScriptDirectory

import ledger.migrations
from ledger.migrations import newest
from ledger.store import Ledger

OPEN = """
import sys
from ledger.store import Ledger
Ledger(sys.argv[1]).ready()
print("alembic" in sys.modules)
"""


def test_the_revisions_are_those_of_alembic() -> None:
    scripts = ScriptDirectory(str(Path(ledger.migrations.__file__).parent))
    known = {script.revision for script in scripts.walk_revisions()}
    assert ledger.migrations._known() == known
    assert newest() == scripts.get_current_head()


def test_a_ledger_that_is_as_it_should_be_is_opened_without_alembic(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger(address).migrate()
    command = [sys.executable, "-c", OPEN, address]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
