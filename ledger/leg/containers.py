"""A leg's containers: what the source has, and where each is at the target."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Boolean, Engine, Update, bindparam, case, func, null, select, update

from ledger.db.encoding import pack_path
from ledger.db.readers import CONTAINER_COLUMNS, container_row
from ledger.db.rows import ContainerRow, Lease
from ledger.db.schema import container
from ledger.leg import listing_diff, locations
from ledger.leg.fenced_connection import LegConnection
from model.protocols import Container, key_of


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a container is at the target; see LegContainers.set_href. ours: whether we made it; None: as it
    stands."""

    container: int
    href: str | None
    path: tuple[str, ...] | None = None
    ours: bool | None = None

    def values(self) -> dict[str, int | str | bool | None]:
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
    )
)


class LegContainers(LegConnection):
    """Methods that write raise LeaseLost, having written nothing, once another worker claimed the leg."""

    def __init__(self, engine: Engine, lease: Lease) -> None:
        super().__init__(engine, lease)
        self._placed: dict[int, tuple[str, ...]] | None = None

    def containers(self) -> list[ContainerRow]:
        """All of the leg's, in the order they were first recorded (parents before children)."""
        query = select(*CONTAINER_COLUMNS).where(container.c.leg == self._lease.leg).order_by(container.c.id)
        with self._reading() as connection:
            return [container_row(row) for row in connection.execute(query)]

    def record_container(self, container: Container) -> ContainerRow:
        """New, or known by its source id: then path, role, total and omit follow the source, href stays."""
        return self.record_containers([container])[0]

    def record_containers(self, containers: Iterable[Container]) -> list[ContainerRow]:
        with self._writing(()) as connection:
            return listing_diff.put_containers(connection, self._lease.leg, list(containers))

    def gone_containers(self, seen_source_ids: Collection[str]) -> list[ContainerRow]:
        """Marks those the source no longer lists; returns all that are gone, marked now or before."""
        with self._writing(()) as connection:
            return listing_diff.gone_containers(
                connection, self._lease.leg, set(map(key_of, seen_source_ids))
            )

    def set_href(self, container_id: int, href: str | None, path: tuple[str, ...] | None = None) -> None:
        """R9: where the container is at the target; None: it is not there. path: its place, for renames."""
        self.set_hrefs([Placed(container_id, href, path)])

    def set_hrefs(self, placed: Collection[Placed]) -> None:
        """As set_href, of several containers: all or none."""
        if not placed:
            return
        with self._writing(()) as connection:
            connection.execute(_PLACE, [{"b_leg": self._lease.leg, **one.values()} for one in placed])
        if self._placed is not None:
            for one in placed:
                if one.path is not None:
                    self._placed[one.container] = one.path
                elif one.href is None:
                    self._placed.pop(one.container, None)

    def surveyed(self, container_id: int, position: str | None) -> None:
        """Records up to which position of the target a verification in staging saw the container; see
        ledger.db.rows.ContainerRow."""
        with self._writing(()) as connection:
            connection.execute(self._container(container_id).values(surveyed=position))

    def elsewhere(self) -> dict[str, tuple[str, ...]]:
        """href -> path of every container that the mailbox's other legs have at their targets."""
        with self._reading() as connection:
            return locations.elsewhere(connection, self._lease.mailbox, self._lease.leg)

    def placed(self) -> dict[int, tuple[str, ...]]:
        """The target path given to set_href, by container id. Read once: nobody else may write it."""
        if self._placed is None:
            with self._reading() as connection:
                self._placed = locations.placed(connection, self._lease.leg)
        return dict(self._placed)

    def _container(self, container_id: int) -> Update:
        """An UPDATE of one container, of this leg only."""
        return update(container).where(container.c.id == container_id, container.c.leg == self._lease.leg)
