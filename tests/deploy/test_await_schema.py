"""deploy/await-schema: what Prefect's pods begin with, on a database that gets its schema only later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "await-schema"


def test_it_ends_once_the_database_has_the_schema_of_this_version(tmp_path: Path) -> None:
    database = {"PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{tmp_path}/prefect.db"}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PREFECT_HOME": str(tmp_path),
        **database,
    }

    def run(*words: str | Path) -> int:
        done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, check=False)
        return done.returncode

    with subprocess.Popen([sys.executable, SCRIPT], env=environment) as waiting:
        try:
            assert run(SCRIPT, "0") == 1
            assert waiting.poll() is None
            assert run("-m", "prefect", "server", "database", "upgrade", "-y") == 0
            assert waiting.wait(120) == 0
        finally:
            waiting.kill()
