"""List what a person has in a folder although DAV's listings leave it out.

Events of other years and recurring tasks stand in no listing of DAV. Meetings of
colleagues are in a person's calendar as soon as a colleague's calendar is filled: they are not the person's
own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, TypeAlias

from connectors.open_xchange.answers import Json, TooManyEvents, not_api
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.folders import item_name
from model.errors import Transient
from model.protocols import Kind

YEARS: Final = (1900, 2000, 2020, 2040, 2200)
"""The limits of the ranges that are asked for first. A range with too many events is halved."""
SHORTEST: Final = timedelta(minutes=1)
FIELDS: Final = "id,uid,filename,organizer"
Lister: TypeAlias = Callable[[ApiClient, str], Iterator[str]]


def own_names(client: ApiClient, kind: Kind, folder: str) -> Iterator[str]:
    """Yield the name of each item that the account's owner has in a folder, each once.

    Of a calendar these are all events; of other folders what DAV does not list.

    Args:
        client: the API.
        kind: the kind of items.
        folder: the folder's id.

    Raises:
        Transient: the retries are used up; "reply-too-large" for more events within a minute than one answer
            holds.
        Blocked: the server refuses.
    """
    seen: set[str] = set()
    for stem in LISTERS[kind](client, folder) if kind in LISTERS else ():
        if stem not in seen:
            seen.add(stem)
            yield item_name(kind, stem)


def _own_events(client: ApiClient, folder: str) -> Iterator[str]:
    """Yield names of events, several times for a series."""
    for first, last in pairwise(YEARS):
        start, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
        for event in _events(client, folder, start, end):
            if not _is_of_colleague(event, client.user):
                yield str(event.get("filename") or event.get("uid") or event.get("id"))


def _events(client: ApiClient, folder: str, start: datetime, end: datetime) -> Iterator[Json]:
    """Yield the events of a range; ask for its halves where one answer does not hold them.

    That the API limits an answer as DAV does (com.openexchange.calendar.maxEventResults) is read in the
    middleware's source, not measured.
    """
    options = {"folder": folder, "rangeStart": _stamp(start), "rangeEnd": _stamp(end), "fields": FIELDS}
    try:
        yield from _rows(client.look("chronos", "all", options), dict)
        return
    except TooManyEvents:
        pass
    except Transient as error:
        if error.code != "reply-too-large":
            raise
    if end - start <= SHORTEST:
        raise Transient("reply-too-large", "a minute holds more events than one answer")
    middle = (start + (end - start) / 2).replace(microsecond=0)
    yield from _events(client, folder, start, middle)
    yield from _events(client, folder, middle, end)


def _is_of_colleague(event: Json, user: int) -> bool:
    """Return True for a meeting of another person of this server: it is there because they invited.

    The server numbers its own people (`entity`). That `all` gives the organizer as `new` does is read in the
    documents, not measured.
    """
    organizer = event.get("organizer")
    entity = organizer.get("entity") if isinstance(organizer, dict) else None
    return isinstance(entity, int) and entity not in {0, user}


def _series(client: ApiClient, folder: str) -> Iterator[str]:
    """Yield the UIDs of the recurring tasks of a list (column 209 is their kind of recurrence)."""
    yield from _marked(client.look("tasks", "all", {"folder": folder, "columns": "1,223,209"}))


def _marked(found: Json) -> Iterator[str]:
    """Yield the UID of each row whose third column is set."""
    for row in _rows(found, list):
        id_, uid, mark = [*row, None, None, None][:3]
        if mark:
            yield str(uid or id_)


def _rows(found: Json, shape: type) -> list[Any]:
    """Return the rows of an answer; raise Transient("not-http-api") for anything else."""
    rows = found.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, shape) for row in rows):
        raise not_api()
    return rows


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


LISTERS: Final[Mapping[Kind, Lister]] = {
    Kind.CALENDAR: _own_events,
    Kind.TASKS: _series,
}
