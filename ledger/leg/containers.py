"""Record a leg's containers: what the source has, and where each is at the target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import Boolean, Engine, bindparam, case, func, null, update

from ledger.db.encoding import pack_path
from ledger.db.rows import ContainerRow, Lease
from ledger.db.schema import container
from ledger.leg import listing_diff, locations
from ledger.leg.fenced_connection import LegConnection
from model.kinds import Kind
from model.protocols import Container


@dataclass(frozen=True, slots=True)
class Placed:
    """Say where a container is at the target; see LegContainers.set_href.

    Attributes:
        container: its number in the ledger.
        href: at the target; None if it is not there.
        path: its place, for renames; None leaves the recorded one.
        ours: True if we made it, False if not; None leaves what is recorded.
    """

    container: int
    href: str | None
    path: tuple[str, ...] | None = None
    ours: bool | None = None

    def values(self) -> dict[str, int | str | bool | None]:
        """Return the parameters of the statement that records it."""
        return {
            "b_id": self.container,
            "b_href": self.href,
            "b_stays": self.href is not None and self.path is None,
            "b_placed": None if self.path is None else pack_path(self.path),
            "b_made": self.ours,
        }


_PLACE = (
    update(container)
    .where(container.c.id == bindparam("b_id"), container.c.leg == bindparam("b_leg"))
    .values(
        href=bindparam("b_href"),
        placed=case((bindparam("b_stays", type_=Boolean), container.c.placed), else_=bindparam("b_placed")),
        made=func.coalesce(bindparam("b_made", type_=Boolean), container.c.made),
        surveyed=case((container.c.href == bindparam("b_href"), container.c.surveyed), else_=null()),
        target_state=case((container.c.href == bindparam("b_href"), container.c.target_state), else_=null()),
    )
)
_SURVEYED = (
    update(container)
    .where(container.c.id == bindparam("b_id"), container.c.leg == bindparam("b_leg"))
    .values(surveyed=bindparam("b_position"))
)


class States(NamedTuple):
    """Hold what a container's row remembers of its states; see ledger.db.rows.ContainerRow."""

    source_state: str | None
    target_state: str | None
    looked: float | None


NO_STATES = States(None, None, None)
_STATES = (
    update(container)
    .where(container.c.id == bindparam("b_id"), container.c.leg == bindparam("b_leg"))
    .values({name: bindparam(f"b_{name}") for name in States._fields})
)


class LegContainers(LegConnection):
    """Record a leg's containers.

    Methods that write raise LeaseLost, having written nothing, once another worker claimed the leg.
    """

    def __init__(self, engine: Engine, lease: Lease) -> None:
        super().__init__(engine, lease)
        self._placed: dict[int, tuple[str, ...]] | None = None

    def containers(self) -> list[ContainerRow]:
        """Return all containers of the leg, in the order of their first record (parents before children).

        They are read once, and kept as this worker changes them: no other worker may.
        """
        if self._rows is None:
            with self._reading() as connection:
                self._rows = listing_diff.containers(connection, self._lease.leg)
        return list(self._rows)

    def record_container(self, container: Container) -> ContainerRow:
        """Record a container, which is new or known by its source id. Idempotent.

        Of a known one, path, role, total and omit follow the source, and the href stays.
        """
        return self.record_containers([container])[0]

    def record_containers(self, containers: Iterable[Container]) -> list[ContainerRow]:
        """Record several containers as record_container does: all or none."""
        found = list(containers)
        with self._placing() as connection:
            rows = listing_diff.put_containers(connection, self._lease.leg, found)
        self._rows = rows
        by_id = {row.source_id: row for row in rows}
        return [by_id[one.id] for one in found]

    def gone_containers(self, seen_source_ids: Collection[str]) -> list[ContainerRow]:
        """Mark the containers that the source no longer lists.

        Returns:
            All that are gone, marked now or before.
        """
        before, seen = self.containers(), frozenset(seen_source_ids)
        gone = [row for row in before if row.source_id not in seen]
        if marked := [row.id for row in gone if not row.gone]:
            with self._placing() as connection:
                listing_diff.mark_gone(connection, self._lease.leg, marked)
            self._keep_rows(before, {number: {"gone": True} for number in marked})
        return [replace(row, gone=True) for row in gone]

    def set_href(self, container_id: int, href: str | None, path: tuple[str, ...] | None = None) -> None:
        """Record where a container is at the target (R9). Idempotent.

        Args:
            container_id: its number in the ledger.
            href: None if it is not there.
            path: its place, for renames; None leaves the recorded one.
        """
        self.set_hrefs([Placed(container_id, href, path)])

    def set_hrefs(self, placed: Collection[Placed]) -> None:
        """Record places of several containers as set_href does: all or none."""
        if not placed:
            return
        before = self._rows
        with self._placing() as connection:
            connection.execute(_PLACE, [{"b_leg": self._lease.leg, **place.values()} for place in placed])
        self._keep_places(before, placed)
        if self._placed is not None:
            for place in placed:
                if place.path is not None:
                    self._placed[place.container] = place.path
                elif place.href is None:
                    self._placed.pop(place.container, None)

    def surveyed(self, positions: Mapping[int, str | None]) -> None:
        """Record up to which positions of the target a verification in staging saw containers: all or none.

        Args:
            positions: by the containers' ids, see ledger.db.rows.ContainerRow.
        """
        rows = [{"b_id": number, "b_position": position} for number, position in positions.items()]
        if rows:
            before = self._rows
            with self._placing() as connection:
                connection.execute(_SURVEYED, [{"b_leg": self._lease.leg, **row} for row in rows])
            self._keep_rows(
                before, {number: {"surveyed": position} for number, position in positions.items()}
            )

    def keep_states(self, states: Mapping[int, States]) -> None:
        """Record the states in which containers were found right, by their ids: all or none. Idempotent."""
        rows = [
            {"b_id": number, "b_leg": self._lease.leg}
            | {f"b_{name}": value for name, value in kept._asdict().items()}
            for number, kept in states.items()
        ]
        if rows:
            before = self._rows
            with self._placing() as connection:
                connection.execute(_STATES, rows)
            self._keep_rows(before, {number: kept._asdict() for number, kept in states.items()})

    def elsewhere(self) -> dict[str, tuple[str, ...]]:
        """Return the paths, by href, of the containers that the mailbox's other legs have at the target."""
        with self._reading() as connection:
            return locations.elsewhere(connection, self._lease.mailbox, self._lease.leg)

    def folders_of_mail(self) -> list[tuple[str, str | None, str]]:
        """Return id at the source, role and href of the mailbox's folders of mail that are at the target."""
        with self._reading() as connection:
            return locations.folders_of_mail(connection, self._lease.mailbox)

    def places(self) -> list[tuple[str, Kind, str]]:
        """Return id at the source, kind and href of the mailbox's folders that are at a target."""
        with self._reading() as connection:
            return locations.places(connection, self._lease.mailbox)

    def gives_rights(self) -> bool:
        """Return True if a right to a folder of the mailbox was given at a target."""
        with self._reading() as connection:
            return locations.gives_rights(connection, self._lease.mailbox)

    def awaits_folders(self) -> bool:
        """Return True if the mailbox's mail moves, and not all of its folders are at the target yet."""
        with self._reading() as connection:
            return locations.awaits_folders(connection, self._lease.mailbox)

    def placed(self) -> dict[int, tuple[str, ...]]:
        """Return the target paths that set_href got, by container id.

        They are read once, because no other worker may write them.
        """
        if self._placed is None:
            with self._reading() as connection:
                self._placed = locations.placed(connection, self._lease.leg)
        return dict(self._placed)

    def _keep_places(self, before: list[ContainerRow] | None, placed: Collection[Placed]) -> None:
        """Keep the rows as _PLACE leaves them."""
        if before is None:
            return
        rows = {row.id: row for row in before}
        for place in placed:
            row = rows.get(place.container)
            if row is not None and row.href != place.href:
                rows[row.id] = replace(row, href=place.href, surveyed=None, target_state=None)
        self._rows = list(rows.values())
