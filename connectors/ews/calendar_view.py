"""A calendar as its server expands it: every occurrence of every series, by calendar views.

A view may span two years and gives a thousand entries at most, without pages (CalendarView): a window that
comes back full is halved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import MNS, TNS, EwsRefusal, incomplete, translated
from connectors.ews.records import moment, number, true
from connectors.ews.requests import calendar_view
from connectors.ews.response_stream import ResponseMessage

WINDOW = timedelta(days=700)
NARROWEST = timedelta(minutes=1)
MOST = 1000
REFUSED = "server-refuses"
Occurrence = tuple[str, datetime, datetime]


class Unexpanded(Exception):
    """The server gives series as they are, or entries without times, or refuses the view (one calls a series
    corrupt where it is over), or has more at one instant than a view can hold."""


@dataclass(frozen=True, slots=True)
class View:
    """One answer: (uid, start, end) of each entry, and whether that is all there is."""

    found: tuple[Occurrence, ...]
    complete: bool


def occurrences(client: EwsClient, folder: str, start: datetime, end: datetime) -> list[Occurrence] | None:
    """Everything that lies in [start, end), each once, earlier windows first. None: this server does not
    expand. Raises Transient and Blocked as every request does."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    found: list[Occurrence] = []
    todo = list(reversed(list(_windows(start, end))))
    try:
        while todo:
            low, high = todo.pop()
            view = _view(client, folder, low, high)
            if view.complete:
                found += [one for one in view.found if _lies(one, low, high, first=low == start)]
                continue
            if high - low <= NARROWEST:
                raise Unexpanded
            middle = low + (high - low) / 2
            todo += [(middle, high), (low, middle)]
    except Unexpanded:
        return None
    return found


def _windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        high = min(end, start + WINDOW) if end - start > WINDOW else end
        yield start, high
        start = high


def _lies(one: Occurrence, low: datetime, high: datetime, *, first: bool) -> bool:
    """An occurrence belongs to the window it begins in, one that goes on from before to the first. One
    dialect ignores the window."""
    _, begin, end = one
    return low <= begin < high or (first and begin < low < end)


def _view(client: EwsClient, folder: str, low: datetime, high: datetime) -> View:
    request = calendar_view(folder, low, high, MOST)
    try:
        views = client.collect(request, "FindItemResponseMessage", _read)
    except EwsRefusal as refusal:
        error = translated(refusal)
        if error.code == REFUSED:
            raise Unexpanded from None
        raise error from None
    if len(views) != 1:
        raise Unexpanded
    return views[0]


def _read(message: ResponseMessage) -> View:
    top = message.element.find(MNS + "RootFolder")
    if top is None:
        raise Unexpanded
    if number(top.get("TotalItemsInView")) and not top.findall(f"{TNS}Items/*"):
        raise incomplete()
    # What lies in a calendar and is no appointment takes no time.
    entries = top.findall(f"{TNS}Items/{TNS}CalendarItem")
    if any(one.findtext(TNS + "CalendarItemType") == "RecurringMaster" for one in entries):
        raise Unexpanded
    found = [_occurrence(one) for one in entries]
    last = true(top.get("IncludesLastItemInRange", "true"))
    return View(tuple(found), complete=last and len(top.findall(f"{TNS}Items/*")) < MOST)


def _occurrence(entry: etree._Element) -> Occurrence:
    start, end = moment(entry.findtext(TNS + "Start")), moment(entry.findtext(TNS + "End"))
    if start is None or end is None:
        raise Unexpanded
    return (entry.findtext(TNS + "UID") or "").strip(), start, end
