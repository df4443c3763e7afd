"""The ledger's schema, step by step (Alembic), run from code and shipped in the wheel."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from connectors.errors import Misconfigured
from ledger.database import writing

_LOCK = 0x6B6F676765  # "kogge": the advisory lock of everyone who migrates this database


def upgrade(engine: Engine) -> None:
    """Brings the schema to the newest revision; one process at a time, the others wait.

    One transaction. Raises Misconfigured for a schema this version does not know."""
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
        config.attributes["connection"] = connection
        _refuse_unknown(connection, ScriptDirectory.from_config(config))
        command.upgrade(config, "head")


def _refuse_unknown(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    if not set(MigrationContext.configure(connection).get_current_heads()) <= known:
        raise Misconfigured("ledger", "it was written by a newer version of Kogge; upgrade Kogge")
