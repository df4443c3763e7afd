"""Read a zone that is described by two changes of the clock a year, as Windows describes one.

Source:
    TIME_ZONE_INFORMATION of Windows; MS-OXWAVLS, 2.2.4.12 (SerializableTimeZone): biases are minutes from
    local time to UTC, the fifth of a weekday in a month is the last one
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mappings.time.custom_zones import Era, Onset, Period
from mappings.time.zones import Zone, named_zone, own_zone

LAST: Final = 5
DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class ClockChange:
    """Say when the clock changes in every year.

    Attributes:
        bias: minutes that are added to the zone's own bias from then on.
        month: from 1; 0 if the clock does not change.
        weekday: from 0, Monday.
        week: 1 to 4, or 5 for the last.
        minute: of the day, by the clock that ends.
        year: 0 if it is so in every year.
    """

    bias: int
    month: int = 0
    weekday: int = 0
    week: int = LAST
    minute: int = 0
    year: int = 0

    @property
    def is_whole(self) -> bool:
        """Return True if there is such a moment in every year."""
        in_week = 1 <= self.week <= LAST and 0 <= self.weekday < 7 and 0 <= self.minute < DAY_MINUTES
        return self.year == 0 and 1 <= self.month <= 12 and in_week


def zone_of(name: str, bias: int | None, standard: ClockChange, daylight: ClockChange) -> Zone | None:
    """Return the zone of a name of Windows or IANA; else the described one.

    Args:
        name: perhaps one that nobody else knows ("Customized Time Zone").
        bias: minutes from local time to UTC; None if it is not stated.
        standard: when standard time begins.
        daylight: when daylight saving time begins.

    Returns:
        None if nothing that is said makes a zone.
    """
    known = named_zone(name)
    if known is not None or bias is None:
        return known
    changes = (standard, daylight)
    if any(abs(bias + change.bias) >= DAY_MINUTES for change in changes):
        return None
    if not any(change.month for change in changes):
        return own_zone((Era(None, _period(bias, standard)),))
    if not all(change.is_whole for change in changes):
        return None
    return own_zone((Era(None, None, tuple(_onset(bias, change, change is daylight) for change in changes)),))


def _period(bias: int, change: ClockChange, daylight: bool = False) -> Period:
    return Period(-timedelta(minutes=bias + change.bias), daylight)


def _onset(bias: int, change: ClockChange, daylight: bool) -> Onset:
    week = -1 if change.week == LAST else change.week
    after = timedelta(minutes=change.minute)
    return Onset(_period(bias, change, daylight), change.month, after, change.weekday, week)
