"""Give occurrences as items: FindItem with a CalendarView, and ids that name one by its series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from lxml import etree

from practice.calendar.appointments import Event, instances
from practice.exchange.habits import Habits
from practice.exchange.search import parse_moment
from practice.exchange.shape import whole
from practice.exchange.soap import Dialect, EwsError, M, T, boolean, schema_fault
from practice.world.diary import master_of
from practice.world.folders import Folder
from practice.world.messages import Message

_MOST = 1000
_WIDEST = timedelta(days=731)


@dataclass(frozen=True, slots=True)
class View:
    """Describe a window.

    Attributes:
        most: the number of entries; with None the client set no limit, and more than a thousand are an error.
    """

    start: datetime
    end: datetime
    most: int | None = None


def parse_view(element: etree._Element) -> View | None:
    """Return the CalendarView; None if there is none.

    Raises:
        SoapFault: the schema forbids it.
    """
    view = element.find(f"{M}CalendarView")
    if view is None:
        return None
    most = view.get("MaxEntriesReturned")
    try:
        start, end = parse_moment(view.get("StartDate", "")), parse_moment(view.get("EndDate", ""))
    except ValueError:
        raise schema_fault("The 'StartDate' or 'EndDate' attribute is missing or invalid.") from None
    limit = whole(most, "MaxEntriesReturned") if most is not None else None
    if limit is not None and not limit:
        raise schema_fault("The 'MaxEntriesReturned' attribute must be at least 1.")
    return View(start, end, limit)


def viewed(folder: Folder, view: View, dialect: Dialect) -> tuple[Sequence[Message], str]:
    """Return the rows in the order of their starts, and the attributes of RootFolder.

    Raises:
        EwsError: the view is refused.
    """
    if not folder.folder_class.startswith("IPF.Appointment"):
        raise EwsError("ErrorCalendarFolderIsInvalidForCalendarView", "The folder is not a calendar folder.")
    if view.end <= view.start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
    if view.end - view.start > _WIDEST:
        raise EwsError(
            "ErrorCalendarViewRangeTooBig", "The specified view range exceeds the maximum range of two years."
        )
    rows = [row for _, row in sorted(_rows(folder, view, dialect), key=lambda pair: pair[0])]
    most = min(view.most or _MOST, _MOST)
    if len(rows) > _MOST and view.most is None:
        raise EwsError("ErrorExceededFindCountLimit", "The request exceeds the limit of 1000 entries.")
    attributes = f'TotalItemsInView="{len(rows)}" IncludesLastItemInRange="{boolean(len(rows) <= most)}"'
    return rows[:most][: dialect.habits.rows_most], attributes


def _rows(folder: Folder, view: View, dialect: Dialect) -> list[tuple[tuple[datetime, int, int], Message]]:
    found: list[tuple[tuple[datetime, int, int], Message]] = []
    for item in folder.items:
        if not isinstance(item.record, Event):
            continue
        if item.record.recurrence is not None:
            if dialect.habits.corrupt_beyond and _over(item.record, view.start):
                raise corrupt()
            if dialect.habits.views != "expanded":
                if dialect.habits.views == "masters" and item.record.begins < view.end:
                    found.append(((item.record.begins, item.number, 0), item))
                continue
        for one in instances(item.record, view.start, view.end):
            row = item.folder.mailbox.placed(item, one, one.day) if one.day else item
            found.append(((one.begins, item.number, one.day.toordinal() if one.day else 0), row))
    return found


def _over(series: Event, moment: datetime) -> bool:
    """Return whether the last occurrence of a series lies before a moment."""
    if series.recurrence is None or series.recurrence.endless:
        return False
    last = max(series.days(), default=None)
    return last is None or series.instance(last).finishes <= moment


def corrupt() -> EwsError:
    """Return the error of a corrupt item."""
    return EwsError("ErrorItemCorrupt", "The item is corrupt.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Hold an id as GetItem gets it.

    Attributes:
        index: which occurrence of the series `id`, deleted ones counted, from 1.
        master: True for the series of the occurrence `id`.
    """

    id: str
    index: int | None = None
    master: bool = False

    def of(self, item: Message, habits: Habits) -> Message:
        """Return the item that is meant, when `item` is the one of `id`.

        Raises:
            EwsError: there is none.
        """
        if self.master:
            return _master(item)
        return item if self.index is None else _numbered(item, self.index, habits)


def wanted_ids(element: etree._Element | None) -> list[Wanted]:
    """Return the ids of a request.

    Raises:
        SoapFault: the schema forbids them.
    """
    found: list[Wanted] = []
    for child in [] if element is None else element:
        if child.tag == f"{T}ItemId":
            found.append(Wanted(child.get("Id", "")))
        elif child.tag == f"{T}OccurrenceItemId":
            index = whole(child.get("InstanceIndex"), "InstanceIndex")
            found.append(Wanted(child.get("RecurringMasterId", ""), index))
        elif child.tag == f"{T}RecurringMasterItemId":
            found.append(Wanted(child.get("OccurrenceId", ""), master=True))
    if not found:
        raise schema_fault("At least one item id is required.")
    return found


def _master(item: Message) -> Message:
    if item.day is None:
        raise EwsError("ErrorCalendarCannotUseIdForOccurrenceId", "The id is not the id of an occurrence.")
    return master_of(item.folder.mailbox, item)


def _numbered(item: Message, index: int, habits: Habits) -> Message:
    event = item.record
    if not isinstance(event, Event) or event.recurrence is None:
        raise EwsError(
            "ErrorCalendarCannotUseIdForRecurringMasterId", "The id is not the id of a recurring master."
        )
    days = event.recurrence.days(event.start.date())
    day = next(islice(days, index - 1, None), None) if index else None
    if day is None and habits.corrupt_beyond:
        raise corrupt()
    if day is None:
        raise EwsError(
            "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
            "Occurrence index is out of recurrence range.",
        )
    if day in event.deleted:
        raise EwsError(
            "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
            "The occurrence was deleted from the recurrence.",
        )
    return item.folder.mailbox.occurrence(item, day)
