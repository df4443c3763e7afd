"""Upgrade the ledger's schema, step by step (Alembic), run from code and shipped in the wheel.

A schema changes only while no worker holds a leg, because a worker goes on by the schema that it knows. Each
claim states the revision that its program knows (leg.revision), so that an older program claims nothing
afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, String, func, inspect, literal_column, select, text, update
from sqlalchemy.sql.expression import table

from ledger.db.engine import now, reading, writing
from ledger.db.postgresql import as_long_as
from ledger.db.schema import leg
from model.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x6B6F676765  # "kogge": the advisory lock of everyone who migrates this database
_TABLE = "alembic_version"
_VERSION = select(literal_column("version_num", String())).select_from(table(_TABLE))
_STEPS = Path(__file__).parent / "versions"
OLDER = "it is of an older version of Kogge: `kogge ledger upgrade` upgrades it"
NEWER = "it was written by a newer version of Kogge; upgrade Kogge"


@cache
def newest() -> str:
    """Return the revision that this program knows."""
    return max(_known())


def revision_of(engine: Engine) -> str | None:
    """Return the revision of a ledger's schema; None if there is no ledger yet."""
    with reading(engine) as connection:
        return _revision(connection)


def refuse_another(connection: Connection) -> None:
    """Refuse a schema that is not the one that this program knows.

    Raises:
        Misconfigured: it is older or newer.
    """
    revision = str(connection.execute(_VERSION).scalar_one_or_none())
    if revision != newest():
        raise Misconfigured("ledger", OLDER if revision in _known() else NEWER)


def refuse_newer(engine: Engine) -> None:
    """Refuse a schema that this program does not know.

    Raises:
        Misconfigured: a newer version wrote it.
    """
    revision = revision_of(engine)
    if revision is not None and revision not in _known():
        raise Misconfigured("ledger", NEWER)


def upgrade(engine: Engine) -> None:
    """Upgrade the schema to the newest revision, in one transaction. Idempotent.

    One process upgrades at a time, and the others wait.

    Raises:
        Misconfigured: this version does not know the schema.
        Transient: "ledger-in-use" while workers hold legs of an older schema.
    """
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        revision = _revision(connection)
        if revision == newest():
            return
        if revision is not None and revision not in _known():
            raise Misconfigured("ledger", NEWER)
        if revision is not None:
            _refuse_held(connection)
        # Loaded late: a command that finds the schema as it should be does without it.
        from alembic import command

        config = _config()
        config.attributes["connection"] = connection
        with as_long_as(connection, None):
            command.upgrade(config, "head")
            _end_leases(connection)


def held_until(engine: Engine) -> tuple[int, datetime | None]:
    """Count the legs that workers hold, and say until when at most, if no worker renews its lease."""
    with reading(engine) as connection:
        return _held(connection)


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


@cache
def _known() -> frozenset[str]:
    """Return all revisions that this program knows: each step's file begins with its revision."""
    return frozenset(step.name.partition("_")[0] for step in _STEPS.glob("[0-9]*_*.py"))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_TABLE):
        return None
    return connection.execute(_VERSION).scalar_one_or_none()


def _held(connection: Connection) -> tuple[int, datetime | None]:
    """Read columns that every revision has."""
    query = select(func.count(), func.max(leg.c.lease_until))
    count, until = connection.execute(query.where(leg.c.owner.is_not(None), leg.c.lease_until >= now())).one()
    return count, None if until is None else datetime.fromtimestamp(until, UTC)


def _refuse_held(connection: Connection) -> None:
    """Check before the lock, and again once no leg can be claimed."""
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
    """End all leases: a worker of an older version finds its lease lost, and the next worker waits."""
    ended = {"owner": None, "lease_until": None, "revision": None, "unproven": True, "epoch": leg.c.epoch + 1}
    connection.execute(update(leg).where(leg.c.owner.is_not(None)).values(ended))
