"""Convert between RRULE and the recurrence of Open-Xchange's tasks.

`day_in_month` counts the days that `days` selects; where a month has fewer, its last one is taken. So 5 with
`days` is the last of them, and 31 without it is the last day of every month: the mapping writes that as the
last of 28, 29, 30 and 31 (mappings.time.rrule).

Source:
    "Task data" and "Detailed task data" of the vendor's HTTP API, documentation/http_api.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from connectors.open_xchange.answers import Json
from model.errors import Rejected

DAYS: Final[Mapping[str, int]] = {"MO": 2, "TU": 4, "WE": 8, "TH": 16, "FR": 32, "SA": 64, "SU": 1}
EVERY_DAY: Final = 127
LAST: Final = 5
"""`day_in_month` for the last of the days that `days` selects."""
TYPES: Final[Mapping[str, int]] = {"DAILY": 1, "WEEKLY": 2, "MONTHLY": 3, "YEARLY": 4}
NAMES: Final = {number: name for name, number in TYPES.items()}
SHORTEST: Final = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}
"""The days of a month, in its shortest year; 31 of the others."""
NOTHING: Final[Json] = {"recurrence_type": 0}
"""The fields of a task that does not come back."""


def to_fields(rule: str) -> Json:
    """Return the fields of a recurrence.

    Args:
        rule: the RRULE's value.

    Raises:
        Rejected: "refused-by-target" for a rule that tasks of Open-Xchange do not have. The mapping makes
            none (`model.kept_fields.TaskLimits.plain_series`).
    """
    parts = dict(part.split("=", 1) for part in rule.upper().split(";") if "=" in part)
    kind, interval = TYPES.get(parts.get("FREQ", "")), _number(parts.get("INTERVAL", "1"))
    if kind is None or (kind == TYPES["YEARLY"] and interval != 1):
        raise _unknown()
    fields: Json = {"recurrence_type": kind, "interval": interval, **_ending(parts)}
    if kind == TYPES["WEEKLY"]:
        return {**fields, "days": _mask(_split(parts, "BYDAY"))}
    if kind == TYPES["YEARLY"]:
        fields["month"] = _number(parts.get("BYMONTH", "")) - 1
    return fields if kind == TYPES["DAILY"] else {**fields, **_in_month(parts)}


def to_rule(fields: Json) -> str:
    """Return the RRULE's value for a recurrence; "" for a task without one, or with one that is none.

    Args:
        fields: of the task.
    """
    kind = NAMES.get(_stated(fields, "recurrence_type"))
    if kind is None:
        return ""
    parts = [("FREQ", kind), ("INTERVAL", str(_stated(fields, "interval") or 1))]
    month = _stated(fields, "month") + 1 if kind == "YEARLY" else 0
    parts += [("BYMONTH", str(month))] if month else []
    mask, day = _stated(fields, "days"), _stated(fields, "day_in_month")
    if kind == "WEEKLY":
        parts.append(("BYDAY", _names(mask or EVERY_DAY)))
    elif kind != "DAILY":
        parts += _nth(mask, day) if mask else _month_day(day, SHORTEST.get(month, 31) if month else 28)
    count, until = _stated(fields, "occurrences"), fields.get("until")
    if count:
        parts.append(("COUNT", str(count)))
    elif isinstance(until, int):
        parts.append(("UNTIL", f"{day_of(until):%Y%m%d}"))
    return ";".join(f"{name}={value}" for name, value in parts)


def moment_of_day(day: date) -> int:
    """Return a whole day as the API states it: its midnight in UTC, in milliseconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def day_of(moment: int) -> date:
    """Return the day that the API states by its midnight.

    Raises:
        ValueError: there is no such day.
    """
    try:
        return datetime.fromtimestamp(moment / 1000, UTC).date()
    except (OverflowError, OSError):
        raise ValueError from None


def _in_month(parts: Mapping[str, str]) -> Json:
    """Return which day of a month a rule means."""
    days, numbers = _split(parts, "BYDAY"), [_number(one, -1) for one in _split(parts, "BYMONTHDAY")]
    position = _number(parts["BYSETPOS"], -1) if "BYSETPOS" in parts else 0
    if numbers and not days:
        return _by_number(numbers, position)
    if numbers or not days:
        raise _unknown()
    if not position and len(days) == 1:
        return {"days": _mask([days[0][-2:]]), "day_in_month": _place(_number(days[0][:-2], -1))}
    return {"days": _mask(days), "day_in_month": _place(position)}


def _by_number(numbers: Sequence[int], position: int) -> Json:
    if numbers == [-1] and not position:
        return {"days": EVERY_DAY, "day_in_month": LAST}
    whole = list(range(numbers[0], numbers[-1] + 1))
    if numbers[0] < 1 or list(numbers) != whole or position != (-1 if len(numbers) > 1 else 0):
        raise _unknown()
    return {"day_in_month": numbers[-1]}


def _place(position: int) -> int:
    if position not in {-1, 1, 2, 3, 4}:
        raise _unknown()
    return LAST if position == -1 else position


def _nth(mask: int, day: int) -> list[tuple[str, str]]:
    place = -1 if day >= LAST else day
    if mask == EVERY_DAY:
        return [("BYMONTHDAY", str(place))]
    names = _names(mask)
    return (
        [("BYDAY", f"{place}{names}")] if "," not in names else [("BYDAY", names), ("BYSETPOS", str(place))]
    )


def _month_day(day: int, shortest: int) -> list[tuple[str, str]]:
    if day <= shortest:
        return [("BYMONTHDAY", str(day))]
    numbers = ",".join(str(number) for number in range(shortest, day + 1))
    return [("BYMONTHDAY", numbers), ("BYSETPOS", "-1")]


def _ending(parts: Mapping[str, str]) -> Json:
    if "COUNT" in parts:
        return {"occurrences": _number(parts["COUNT"])}
    if "UNTIL" not in parts:
        return {}
    try:
        return {"until": moment_of_day(datetime.strptime(parts["UNTIL"][:8], "%Y%m%d").date())}
    except ValueError:
        raise _unknown() from None


def _split(parts: Mapping[str, str], name: str) -> list[str]:
    return [one for one in parts.get(name, "").split(",") if one]


def _mask(names: Sequence[str]) -> int:
    if not names or any(name not in DAYS for name in names):
        raise _unknown()
    return sum(DAYS[name] for name in set(names))


def _names(mask: int) -> str:
    return ",".join(name for name, bit in DAYS.items() if mask & bit)


def _number(text: str, least: int = 1) -> int:
    try:
        number = int(text)
    except ValueError:
        raise _unknown() from None
    if not least <= number <= 100_000:
        raise _unknown()
    return number


def _stated(fields: Json, name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else 0


def _unknown() -> Rejected:
    return Rejected("refused-by-target", "its tasks do not come back by such a rule")
