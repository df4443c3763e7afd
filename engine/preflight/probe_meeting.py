"""Make the meetings that an invitation probe writes.

Real enough that a server which sends mail does so for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

AHEAD = timedelta(days=30)
DAYS = 3
LATER = timedelta(hours=1)
HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Kogge//Invitation probe//EN")


@dataclass(frozen=True, slots=True)
class Meeting:
    """Describe a daily series of three, beginning a month ahead, between host and guest.

    Attributes:
        uid: its UID; it also stands in the summary, so that a notification without the event itself shows it.
        host: the address that invites.
        guest: the invited address.
        now: the current time, aware.
        client_agent: True if the client itself takes care of the attendee (SCHEDULE-AGENT=CLIENT).

    Source:
        RFC 6638 section 7.1 (SCHEDULE-AGENT).
    """

    uid: str
    host: str
    guest: str
    now: datetime
    client_agent: bool = False

    def body(self, *, update: bool = False, exception: bool = False) -> bytes:
        """Return one VCALENDAR.

        Args:
            update: True for another hour and place.
            exception: True to also move its second day.
        """
        start = self.now.replace(hour=9, minute=0, second=0, microsecond=0) + AHEAD
        start += LATER if update else timedelta(0)
        sequence = int(update) + int(exception)
        lines = [*HEAD, *self._event(start, sequence, (f"RRULE:FREQ=DAILY;COUNT={DAYS}",))]
        if exception:
            second = start + timedelta(days=1)
            lines += self._event(second + LATER, sequence, (f"RECURRENCE-ID:{_stamp(second)}",))
        return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()

    def _event(self, start: datetime, sequence: int, which: tuple[str, ...]) -> list[str]:
        agent = ";SCHEDULE-AGENT=CLIENT" if self.client_agent else ""
        return [
            "BEGIN:VEVENT",
            f"UID:{self.uid}",
            f"DTSTAMP:{_stamp(self.now)}",
            f"DTSTART:{_stamp(start)}",
            f"DTEND:{_stamp(start + LATER)}",
            *which,
            f"SEQUENCE:{sequence}",
            f"SUMMARY:Test of invitations {self.uid}",
            f"LOCATION:Room {sequence + 1}",
            "STATUS:CONFIRMED",
            "TRANSP:TRANSPARENT",
            f"ORGANIZER:mailto:{self.host}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{self.host}",
            f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE{agent}:mailto:{self.guest}",
            "END:VEVENT",
        ]


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")
