"""Read who has rights to the folders of a mailbox: Graph tells those to calendars, a list may tell all.

Anyone but the owner of a calendar gets an empty list. The owner's list of the default calendar is never
empty, because the entry of the whole organisation cannot be removed. So an empty list of that calendar
is no answer, and ends the listing: else, rights would look taken away.

Source:
    https://learn.microsoft.com/graph/api/calendar-list-calendarpermissions,
    https://learn.microsoft.com/graph/api/resources/calendarpermission
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from connectors.exchange.listed_rights import with_listed
from connectors.exchange.record_set import Record
from connectors.exchange.rights import RightsAnswer, RightSetReader, right_id, rights_container
from connectors.graph.calendar import CalendarReader
from connectors.graph.contacts import ContactReader
from connectors.graph.mail import MailReader
from connectors.graph.todo import TaskReader
from connectors.graph_api.client import GraphClient, Json, segment
from connectors.graph_api.errors import GraphRefusal, translated
from model.errors import Blocked
from model.kinds import Kind
from model.listed_rights import ListedRight
from model.protocols import Container, Failed, Native, Page, Ref, Role

NO_RIGHT = "none"
"""The role of an entry that is no right."""
STATED = ("role", "isInsideOrganization")
"""What a record has beside the address: a person's name is none of it, so a new name changes no right."""


class RightReader:
    """Read rights. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient, listed: tuple[ListedRight, ...] = ()) -> None:
        """Prepare; nothing is asked.

        Args:
            client: the Graph client.
            listed: the rights to this mailbox that an administrator exported.
        """
        self._client = client
        self._listed = listed
        self._calendars = CalendarReader(client)
        self._others = (MailReader(client), ContactReader(client), TaskReader(client))
        self._reader = RightSetReader(self._read, "graph-right")

    def containers(self) -> Iterator[Container]:
        """Return the one container of rights; asks nothing."""
        return iter([rights_container()])

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List every right, or nothing if they are as they were at the cursor."""
        del container  # a mailbox has one
        return self._reader.changes(cursor)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read rights; see `model.protocols.Source.fetch`. The format is "graph-right"."""
        del container  # a mailbox has one
        return self._reader.fetch(refs, bodies=bodies)

    def _read(self) -> RightsAnswer:
        calendars = [one for one in self._calendars.containers() if one.omit is None]
        calendars.sort(key=lambda one: one.role is not Role.CALENDAR)  # it shows whether all others are told
        records: dict[str, Record] = {}
        for calendar in calendars:
            path = f"{self._client.home}/calendars/{segment(calendar.id)}/calendarPermissions"
            rows = _told(self._client, path)
            if not rows and calendar.role is Role.CALENDAR:
                raise Blocked("no-permissions-permission", "Graph tells no rights to the calendar")
            for row in rows:
                if row.get("role") != NO_RIGHT:
                    who = str(row.get("id") or f"{_address(row)} {row.get('role')}")
                    properties = {"Folder": calendar.id, "Kind": Kind.CALENDAR.value}
                    records[right_id(calendar.id, who)] = Record(_body(row), properties)
        answer = RightsAnswer(records)
        if not self._listed:
            return answer
        others = (one for reader in self._others for one in reader.containers() if one.omit is None)
        return with_listed(answer, self._listed, [*calendars, *others], {one.id for one in calendars})


def shared_with(client: GraphClient) -> int | None:
    """Return how many people have a right to the default calendar; None if Graph does not tell."""
    rows = list(client.rows(f"{client.home}/calendar/calendarPermissions"))
    return sum(bool(_address(row)) and row.get("role") != NO_RIGHT for row in rows) if rows else None


def _told(client: GraphClient, path: str) -> list[Json]:
    try:
        return list(client.rows(path))
    except GraphRefusal as refused:
        if translated(refused).code == "access-denied":
            raise Blocked("no-permissions-permission", "the application may not read rights") from None
        raise


def _address(row: Json) -> str:
    named = row.get("emailAddress")
    address = named.get("address") if isinstance(named, dict) else None
    return address.strip().lower() if isinstance(address, str) else ""


def _body(row: Json) -> bytes:
    item = {name: row[name] for name in STATED if name in row} | {"address": _address(row)}
    return json.dumps({"item": item}, sort_keys=True, ensure_ascii=False).encode()
