"""What went wrong with single items: workers that died with them in hand, copies that were made anew in vain.

A row exists only for an item that had trouble, so that the others cost nothing. The counts of deaths belong
to the attempts of the item's row: where those were set to zero (a new version, `kogge retry --rejected`),
the deaths no longer count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, null, or_, select, tuple_, update

from ledger.db.engine import Transaction, now
from ledger.db.readers import chunked
from ledger.db.rows import State
from ledger.db.schema import container, incident, item
from ledger.db.upsert import upsert

KILLS_WORKER = "kills-worker"
"""The code of an item that was in hand alone when workers died."""


@dataclass(frozen=True, slots=True)
class Incident:
    """deaths: how many workers died with the item in hand. rewrites: how often a copy was made anew because
    verification found it missing or different, since it was last found right."""

    deaths: int = 0
    rewrites: int = 0


NONE = Incident()


class IncidentLedger:
    """Those of one leg, in the transactions of its worker. They are read once, and again after changed()."""

    def __init__(self, transaction: Transaction, leg_id: int) -> None:
        self._transaction = transaction
        self._leg = leg_id
        self._known: dict[int, dict[bytes, Incident]] | None = None

    def of(self, container_id: int) -> Mapping[bytes, Incident]:
        """By item key; items without trouble are absent."""
        return self._all().get(container_id, {})

    def changed(self) -> None:
        """What is known of them is to be read again: a transaction of this worker changed it."""
        self._known = None

    def among(self, container_id: int, keys: Iterable[bytes]) -> list[bytes]:
        """Which of these items had trouble."""
        known = self.of(container_id)
        return [key for key in keys if key in known] if known else []

    def killers(self) -> int:
        """How many items of the leg are rejected because workers died with them alone in hand."""
        if not self._all():
            return 0
        with self._transaction(writes=False) as connection:
            query = select(func.count()).select_from(item).where(_killers(self._leg))
            return int(connection.execute(query).scalar_one())

    def give_another_chance(self, deaths: int, rest: float) -> int:
        """Rejected items of this kind whose last death is so many seconds ago are to be copied again, with so
        many deaths counted against them. Returns how many."""
        if not self._all():
            return 0
        rested = select(incident.c.container, incident.c.key).where(
            incident.c.container.in_(_containers(self._leg)),
            or_(incident.c.at.is_(None), incident.c.at <= now() - rest),
        )
        with self._transaction(writes=True) as connection:
            chosen = and_(_killers(self._leg), tuple_(item.c.container, item.c.key).in_(rested))
            query = select(item.c.id, item.c.container, item.c.key, item.c.href).where(chosen)
            rows = connection.execute(query).all()
            for row in rows:
                state = State.SEEN if row.href is None else State.CHANGED
                again = update(item).where(item.c.id == row.id)
                connection.execute(again.values(state=state.value, code=null()))
                counted = update(incident).where(
                    incident.c.container == row.container, incident.c.key == row.key
                )
                connection.execute(counted.values(deaths=deaths))
        self._known = None
        return len(rows)

    def _all(self) -> dict[int, dict[bytes, Incident]]:
        if self._known is None:
            with self._transaction(writes=False) as connection:
                self._known = _of_leg(connection, self._leg)
        return self._known


def _containers(leg_id: int) -> Any:
    return select(container.c.id).where(container.c.leg == leg_id)


def _killers(leg_id: int) -> Any:
    """Items of the leg; found by their incidents, which are few."""
    return and_(
        tuple_(item.c.container, item.c.key).in_(
            select(incident.c.container, incident.c.key).where(incident.c.container.in_(_containers(leg_id)))
        ),
        item.c.state == State.REJECTED.value,
        item.c.code == KILLS_WORKER,
    )


def _of_leg(connection: Connection, leg_id: int) -> dict[int, dict[bytes, Incident]]:
    query = select(incident.c.container, incident.c.key, incident.c.deaths, incident.c.rewrites)
    found: dict[int, dict[bytes, Incident]] = {}
    for of, key, deaths, rewrites in connection.execute(
        query.join(container).where(container.c.leg == leg_id)
    ):
        found.setdefault(of, {})[bytes(key)] = Incident(deaths, rewrites)
    return found


def add_deaths(connection: Connection, container_id: int, deaths: Mapping[bytes, int]) -> None:
    """Sets how many deaths count for these items, and when the last one was noticed."""
    statement = upsert(connection, incident)
    again = {"deaths": statement.excluded.deaths, "at": now()}
    statement = statement.on_conflict_do_update(index_elements=["container", "key"], set_=again)
    for key, count in deaths.items():
        row = {"container": container_id, "key": key, "deaths": count, "rewrites": 0}
        connection.execute(statement.values(at=now(), **row))


def forget(connection: Connection, container_id: int, keys: Iterable[bytes]) -> None:
    """These items were found right: what happened to them before no longer counts."""
    for chunk in chunked(keys):
        mine = (incident.c.container == container_id, incident.c.key.in_(chunk))
        connection.execute(delete(incident).where(*mine))


def add_rewrites(connection: Connection, container_id: int, keys: Iterable[bytes]) -> None:
    """The copies of these items are about to be made anew: one rewrite more."""
    statement = upsert(connection, incident)
    again = {"rewrites": incident.c.rewrites + 1}
    statement = statement.on_conflict_do_update(index_elements=["container", "key"], set_=again)
    rows = [{"container": container_id, "key": key, "deaths": 0, "rewrites": 1} for key in keys]
    if rows:
        connection.execute(statement, rows)


_ALLOWED_AGAIN = update(incident).where(incident.c.container == bindparam("b_container")).values(rewrites=0)


def allow_rewrites(connection: Connection, leg_id: int) -> None:
    """A person asked for another try: what differs may be made anew as often as the first time."""
    rows = [{"b_container": number} for number in connection.scalars(_containers(leg_id))]
    if rows:
        connection.execute(_ALLOWED_AGAIN, rows)
