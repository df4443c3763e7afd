"""Expand a calendar on the server: every occurrence of every series, by calendar views.

A view may span two years and gives at most a thousand entries, without pages: a window that comes back full
is halved.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/calendarview
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
    """Report that the server does not expand.

    It gives series unexpanded, or entries without times, or refuses the view (one server calls a series
    corrupt where it is over), or has more entries at one instant than a view can hold. This error stays
    inside the module.
    """


@dataclass(frozen=True, slots=True)
class View:
    """Hold one answer.

    Attributes:
        entries: (uid, start, end) of each entry.
        complete: True if there are no further entries in the window.
    """

    found: tuple[Occurrence, ...]
    complete: bool


def occurrences(client: EwsClient, folder: str, start: datetime, end: datetime) -> list[Occurrence] | None:
    """Return everything that lies in [start, end), each entry once, earlier windows first.

    Args:
        client: the EWS client.
        folder: the calendar's id.
        start: an aware datetime.
        end: an aware datetime.

    Returns:
        (uid, start, end) in UTC; None when this server does not expand.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    collected: list[Occurrence] = []
    todo = list(reversed(list(_windows(start, end))))
    try:
        while todo:
            low, high = todo.pop()
            view = _view(client, folder, low, high)
            if view.complete:
                collected += [entry for entry in view.found if _lies(entry, low, high, first=low == start)]
                continue
            if high - low <= NARROWEST:
                raise Unexpanded
            middle = low + (high - low) / 2
            todo += [(middle, high), (low, middle)]
    except Unexpanded:
        return None
    return collected


def _windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        high = min(end, start + WINDOW) if end - start > WINDOW else end
        yield start, high
        start = high


def _lies(occurrence: Occurrence, low: datetime, high: datetime, *, first: bool) -> bool:
    """Return True if an occurrence belongs to a window: the window it begins in, or the first one.

    One dialect of EWS ignores the window, so entries outside of it must be left out.
    """
    _, begin, end = occurrence
    return low <= begin < high or (first and begin < low < end)


def _view(client: EwsClient, folder: str, low: datetime, high: datetime) -> View:
    request = calendar_view(folder, low, high, MOST)
    try:
        views = client.collect(request, "FindItemResponseMessage", _view_of)
    except EwsRefusal as refusal:
        error = translated(refusal)
        if error.code == REFUSED:
            raise Unexpanded from None
        raise error from None
    if len(views) != 1:
        raise Unexpanded
    return views[0]


def _view_of(message: ResponseMessage) -> View:
    """Convert a response into a View."""
    top = message.element.find(MNS + "RootFolder")
    if top is None:
        raise Unexpanded
    if number(top.get("TotalItemsInView")) and not top.findall(f"{TNS}Items/*"):
        raise incomplete()
    # Items in a calendar that are no appointments take no time.
    entries = top.findall(f"{TNS}Items/{TNS}CalendarItem")
    if any(entry.findtext(TNS + "CalendarItemType") == "RecurringMaster" for entry in entries):
        raise Unexpanded
    expanded = [_occurrence(entry) for entry in entries]
    last = true(top.get("IncludesLastItemInRange", "true"))
    given, total = len(top.findall(f"{TNS}Items/*")), number(top.get("TotalItemsInView")) or 0
    return View(tuple(expanded), complete=last and total <= given < MOST)


def _occurrence(entry: etree._Element) -> Occurrence:
    start, end = moment(entry.findtext(TNS + "Start")), moment(entry.findtext(TNS + "End"))
    if start is None or end is None:
        raise Unexpanded
    return (entry.findtext(TNS + "UID") or "").strip(), start, end
