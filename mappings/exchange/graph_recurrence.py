"""Read a patternedRecurrence of Graph into the <t:Recurrence> of EWS."""

from __future__ import annotations

from collections.abc import Mapping

from mappings.exchange.graph_json import Json, add, inner, said, values
from mappings.fields.ews_xml import Element

PATTERNS: Mapping[str, str] = {
    "daily": "DailyRecurrence",
    "weekly": "WeeklyRecurrence",
    "absolutemonthly": "AbsoluteMonthlyRecurrence",
    "relativemonthly": "RelativeMonthlyRecurrence",
    "absoluteyearly": "AbsoluteYearlyRecurrence",
    "relativeyearly": "RelativeYearlyRecurrence",
}
RANGES: Mapping[str, str] = {
    "noend": "NoEndRecurrence",
    "enddate": "EndDateRecurrence",
    "numbered": "NumberedRecurrence",
}
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
UNKNOWN = "UnknownRecurrence"
"""No element of EWS: the mapping rejects a recurrence that has it."""


def recurrence(element: Element, graph_recurrence: Json) -> None:
    """Add the recurrence. Each pattern takes its own parts; Graph fills in all the others as well."""
    pattern, range_ = inner(graph_recurrence.get("pattern")), inner(graph_recurrence.get("range"))
    holder = add(element, "Recurrence")
    kind = said(pattern.get("type")).lower()
    made = add(holder, PATTERNS.get(kind, UNKNOWN))
    if pattern.get("interval") is not None:
        add(made, "Interval", pattern["interval"])
    if kind == "weekly" or kind.startswith("relative"):
        add(made, "DaysOfWeek", " ".join(str(day).capitalize() for day in values(pattern.get("daysOfWeek"))))
    if kind == "weekly":
        add(made, "FirstDayOfWeek", said(pattern.get("firstDayOfWeek")).capitalize())
    if kind.startswith("relative"):
        # Graph's own default where it says nothing.
        add(made, "DayOfWeekIndex", (said(pattern.get("index")) or "first").capitalize())
    if kind.startswith("absolute"):
        add(made, "DayOfMonth", pattern.get("dayOfMonth"))
    if kind.endswith("yearly"):
        add(made, "Month", _month(pattern.get("month")))
    _range(holder, range_)


def _month(number: object) -> str:
    fits = isinstance(number, int) and 1 <= number <= len(MONTHS)
    return MONTHS[int(str(number)) - 1] if fits else ""


def _range(holder: Element, graph_range: Json) -> None:
    kind = said(graph_range.get("type")).lower()
    made = add(holder, RANGES.get(kind, UNKNOWN))
    add(made, "StartDate", said(graph_range.get("startDate")))
    if kind == "enddate":
        add(made, "EndDate", said(graph_range.get("endDate")))
    if kind == "numbered":
        add(made, "NumberOfOccurrences", graph_range.get("numberOfOccurrences"))
