"""The ledger's schema, step by step (Alembic), run from code and shipped in the wheel.

A schema changes only while no worker holds a leg: who is at work would go on by what it knew. Each claim says
the revision that its program knows (leg.revision), so that an older program claims nothing afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, String, func, literal_column, select, text, update
from sqlalchemy.sql.expression import table

from ledger.db.engine import now, reading, writing
from ledger.db.schema import leg
from model.errors import Misconfigured, Transient

_LOCK = 0x6B6F676765  # "kogge": the advisory lock of everyone who migrates this database
_VERSION = select(literal_column("version_num", String())).select_from(table("alembic_version"))
OLDER = "it is of an older version of Kogge: `kogge ledger upgrade` upgrades it"
NEWER = "it was written by a newer version of Kogge; upgrade Kogge"


@cache
def newest() -> str:
    """The revision that this program knows."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def revision_of(engine: Engine) -> str | None:
    """Reads the revision of a ledger's schema; None where there is no ledger yet."""
    with reading(engine) as connection:
        return _revision(connection)


def refuse_another(connection: Connection) -> None:
    """Raises Misconfigured unless the ledger's schema is the one that this program knows."""
    found = str(connection.execute(_VERSION).scalar_one_or_none())
    if found != newest():
        raise Misconfigured("ledger", OLDER if found in _known() else NEWER)


def refuse_newer(engine: Engine) -> None:
    """Raises Misconfigured for a schema that this program does not know."""
    found = revision_of(engine)
    if found is not None and found not in _known():
        raise Misconfigured("ledger", NEWER)


def upgrade(engine: Engine) -> None:
    """Brings the schema to the newest revision; one process at a time, the others wait. Does nothing where it
    is there already.

    One transaction. Raises Misconfigured for a schema this version does not know, and
    Transient("ledger-in-use") while workers hold legs of an older one."""
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _revision(connection)
        if found == newest():
            return
        if found is not None and found not in _known():
            raise Misconfigured("ledger", NEWER)
        if found is not None:
            _refuse_held(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _end_leases(connection)


def held_until(engine: Engine) -> tuple[int, datetime | None]:
    """Counts the legs that workers hold, and until when if none of them goes on."""
    with reading(engine) as connection:
        return _held(connection)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _held(connection: Connection) -> tuple[int, datetime | None]:
    """Asks for columns that every revision has."""
    query = select(func.count(), func.max(leg.c.lease_until))
    count, until = connection.execute(query.where(leg.c.owner.is_not(None), leg.c.lease_until >= now())).one()
    return count, None if until is None else datetime.fromtimestamp(until, UTC)


def _refuse_held(connection: Connection) -> None:
    """Looks before it locks, and again once nobody can claim."""
    for locked in (False, True):
        if locked and connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE leg IN EXCLUSIVE MODE"))
        count, until = _held(connection)
        if until is not None:
            raise Transient(
                "ledger-in-use",
                f"workers of an older version hold {count} of its workloads, the last until"
                f" {until:%H:%M:%S} UTC unless they go on: stop them first",
            )


def _end_leases(connection: Connection) -> None:
    """Whoever slept past its lease was of an older version: it finds it lost, and whoever is next waits."""
    ended = {"owner": None, "lease_until": None, "revision": None, "unproven": True, "epoch": leg.c.epoch + 1}
    connection.execute(update(leg).where(leg.c.owner.is_not(None)).values(ended))
