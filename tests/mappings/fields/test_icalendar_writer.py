"""What is written is what icalendar writes, byte for byte, and no value makes lines of its own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Alarm, Calendar, Event, vBinary, vCalAddress, vRecur, vUri
from icalendar_components import mended

from model.icalendar_writer import PRODUCT, calendar, written

TEXTS = st.text(
    st.one_of(st.sampled_from("aNnä€😀\\^;,:\"'\n\r\ufeff"), st.characters(codec="utf-8")), max_size=400
)


def whole(event: Event) -> bytes:
    calendar_ = Calendar()
    calendar_.add("VERSION", "2.0")
    calendar_.add("PRODID", PRODUCT)
    calendar_.add_component(event)
    with mended():
        return bytes(calendar_.to_ical())


@given(TEXTS, TEXTS, st.integers(60, 90), st.sampled_from("ä€😀\\^"))
@example("\ufeffa", "", 70, "\\")
def test_texts_are_written_as_icalendar_writes_them(said: str, name: str, room: int, edge: str) -> None:
    guest = vCalAddress("mailto:anna@new.example")
    guest.params["CN"] = name
    guest.params["ROLE"] = "CHAIR"
    event = Event()
    event.add("SUMMARY", said)
    event.add("DESCRIPTION", "a" * room + edge * 40 + said)
    event.add("CATEGORIES", [said, "b"])
    event.add("ATTENDEE", guest)
    event.add("ATTENDEE", vCalAddress("mailto:jonas@new.example"))
    assert calendar([written(event)]) == whole(event)


@pytest.mark.parametrize("said", ["C:\\Neu\\neu", "\\\\akten\\Nord, Süd; West\\", "eins\nzwei\r\ndrei"])
def test_a_text_is_read_as_it_was(said: str) -> None:
    event = Event()
    event.add("SUMMARY", said)
    event.add("CATEGORIES", [said, "b"])
    (read,) = Calendar.from_ical(calendar([written(event)])).walk("VEVENT")
    meant = said.replace("\r\n", "\n")
    assert (str(read["SUMMARY"]), list(map(str, read["CATEGORIES"].cats))) == (meant, [meant, "b"])


def test_every_kind_of_value_is_written_as_icalendar_writes_it() -> None:
    event = Event()
    event.add("UID", "1")
    event.add("DTSTART", datetime(2026, 3, 1, 9), parameters={"TZID": "Europe/Berlin"})
    event.add("DTEND", datetime(2026, 3, 1, 10, tzinfo=UTC))
    event.add("EXDATE", [date(2026, 3, 8)], parameters={"VALUE": "DATE"})
    event.add("RDATE", [datetime(2026, 3, 9, 9), datetime(2026, 3, 10, 9)])
    event.add("RRULE", vRecur.from_ical("FREQ=WEEKLY;COUNT=3;BYDAY=MO,TU"))
    event.add("GEO", (53.5, 10.0))
    event.add("SEQUENCE", 3)
    event.add("URL", vUri("https://new.example/" + "x" * 200))
    event.add("ATTACH", vBinary("ä" * 5000), parameters={"FILENAME": "a;b.txt"})
    alarm = Alarm()
    alarm.add("TRIGGER", timedelta(minutes=-15), parameters={"RELATED": "START"})
    event.add_component(alarm)
    assert calendar([written(event)]) == whole(event)


class Raw(vUri):
    """A value that escapes nothing."""

    def to_ical(self) -> bytes:
        return b"a\nATTENDEE:mailto:mallory@new.example"


def test_a_value_cannot_add_a_line() -> None:
    event = Event()
    event.add("X-MARK", Raw("a"))
    with pytest.raises(ValueError, match="line end"):
        written(event)
