"""List all events that a person has, of any year, where DAV's listings show one year.

Meetings of colleagues are in a person's calendar as soon as a colleague's calendar is filled: they are not
the person's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from connectors.open_xchange.answers import Json, TooManyEvents, not_api
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.folders import item_name
from model.errors import Transient
from model.kinds import Kind

YEARS: Final = (1900, 2000, 2020, 2040, 2200)
"""The limits of the ranges that are asked for first. A range with too many events is halved."""
SHORTEST: Final = timedelta(minutes=1)
FIELDS: Final = "id,uid,filename,organizer"


def own_events(client: ApiClient, folder: str) -> Iterator[str]:
    """Yield the name of each event that the account's owner has in a calendar, each once.

    Args:
        client: the API.
        folder: the calendar's id.

    Raises:
        Transient: the retries are used up; "reply-too-large" for more events within a minute than one answer
            holds.
        Blocked: the server refuses.
    """
    seen: set[str] = set()
    for first, last in pairwise(YEARS):
        start, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
        for event in _events(client, folder, start, end):
            stem = str(event.get("filename") or event.get("uid") or event.get("id"))
            if stem not in seen and not _is_of_colleague(event, client.user):
                seen.add(stem)
                yield item_name(Kind.CALENDAR, stem)


def _events(client: ApiClient, folder: str, start: datetime, end: datetime) -> Iterator[Json]:
    """Yield the events of a range; ask for its halves where one answer does not hold them.

    That the API limits an answer as DAV does (com.openexchange.calendar.maxEventResults) is read in the
    middleware's source, not measured.
    """
    options = {"folder": folder, "rangeStart": _stamp(start), "rangeEnd": _stamp(end), "fields": FIELDS}
    try:
        yield from _rows(client.look("chronos", "all", options))
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

    The server numbers its own people (`entity`), for the organizer and for those who are invited (measured on
    8.19).
    """
    organizer = event.get("organizer")
    entity = organizer.get("entity") if isinstance(organizer, dict) else None
    return isinstance(entity, int) and entity not in {0, user}


def _rows(found: Json) -> list[Json]:
    """Return the events of an answer; raise Transient("not-http-api") for anything else."""
    events = found.get("data")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise not_api()
    return events


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"
