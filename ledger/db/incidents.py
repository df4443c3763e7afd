"""Count what went wrong with single items: workers that died with them in hand, copies made anew in vain.

A row exists only for an item that had trouble, so that the others cost nothing. The counts of deaths belong
to the attempts of the item's row: if those are set to zero (by a new version, by `kogge retry --rejected`),
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
SOURCE_FAILS = "poison-item"
"""The code of an item at which the source fails while it answers a small look."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Count the trouble of one item.

    Attributes:
        deaths: how many workers died with the item in hand.
        rewrites: how often a copy was made anew, because verification found it missing or different, since it
            was last found right.
    """

    deaths: int = 0
    rewrites: int = 0


NONE = Incident()


class IncidentLedger:
    """Read the incidents of one leg, in the transactions of its worker.

    They are read once, and again after changed().
    """

    def __init__(self, transaction: Transaction, leg_id: int) -> None:
        self._transaction = transaction
        self._leg = leg_id
        self._known: dict[int, dict[bytes, Incident]] | None = None

    def of(self, container_id: int) -> Mapping[bytes, Incident]:
        """Return a container's incidents by item key; items without trouble are absent."""
        return self._all().get(container_id, {})

    def changed(self) -> None:
        """Read the incidents anew at the next question: a transaction of this worker changed them."""
        self._known = None

    def among(self, container_id: int, keys: Iterable[bytes]) -> list[bytes]:
        """Return those of these items that had trouble."""
        incidents = self.of(container_id)
        return [key for key in keys if key in incidents] if incidents else []

    def killers(self) -> int:
        """Count the items of the leg that are rejected because workers died with them alone in hand."""
        if not self._all():
            return 0
        with self._transaction(writes=False) as connection:
            query = select(func.count()).select_from(item).where(_killers(self._leg))
            return int(connection.execute(query).scalar_one())

    def give_another_chance(self, deaths: int, rest: float) -> int:
        """Send items that are rejected with KILLS_WORKER back to be copied again; return how many.

        Args:
            deaths: how many deaths count against each of them from now on.
            rest: seconds that must have passed since an item's last death.
        """
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
    """Return the condition of items of the leg that are rejected with KILLS_WORKER.

    They are found by their incidents, which are few.
    """
    return and_(
        tuple_(item.c.container, item.c.key).in_(
            select(incident.c.container, incident.c.key).where(incident.c.container.in_(_containers(leg_id)))
        ),
        item.c.state == State.REJECTED.value,
        item.c.code == KILLS_WORKER,
    )


def _of_leg(connection: Connection, leg_id: int) -> dict[int, dict[bytes, Incident]]:
    incidents: dict[int, dict[bytes, Incident]] = {}
    for of, key, deaths, rewrites in connection.execute(_INCIDENTS, {"of": leg_id}):
        incidents.setdefault(of, {})[bytes(key)] = Incident(deaths, rewrites)
    return incidents


_INCIDENTS = (
    select(incident.c.container, incident.c.key, incident.c.deaths, incident.c.rewrites)
    .join(container)
    .where(container.c.leg == bindparam("of"))
)


def add_deaths(connection: Connection, container_id: int, deaths: Mapping[bytes, int]) -> None:
    """Set how many deaths count for these items, and when the last one was noticed."""
    statement = upsert(connection, incident)
    again = {"deaths": statement.excluded.deaths, "at": now()}
    statement = statement.on_conflict_do_update(index_elements=["container", "key"], set_=again)
    for key, count in deaths.items():
        row = {"container": container_id, "key": key, "deaths": count, "rewrites": 0}
        connection.execute(statement.values(at=now(), **row))


def forget(connection: Connection, container_id: int, keys: Iterable[bytes]) -> None:
    """Delete the incidents of these items, because they were found right. Idempotent."""
    for chunk in chunked(keys):
        mine = (incident.c.container == container_id, incident.c.key.in_(chunk))
        connection.execute(delete(incident).where(*mine))


def add_rewrites(connection: Connection, container_id: int, keys: Iterable[bytes]) -> None:
    """Count one more rewrite for each of these items, whose copies are about to be made anew."""
    statement = upsert(connection, incident)
    again = {"rewrites": incident.c.rewrites + 1}
    statement = statement.on_conflict_do_update(index_elements=["container", "key"], set_=again)
    rows = [{"container": container_id, "key": key, "deaths": 0, "rewrites": 1} for key in keys]
    if rows:
        connection.execute(statement, rows)


_ALLOWED_AGAIN = update(incident).where(incident.c.container == bindparam("b_container")).values(rewrites=0)


def allow_rewrites(connection: Connection, leg_id: int) -> None:
    """Set the counts of rewrites of a leg to zero, because a person asked for another try."""
    rows = [{"b_container": number} for number in connection.scalars(_containers(leg_id))]
    if rows:
        connection.execute(_ALLOWED_AGAIN, rows)
