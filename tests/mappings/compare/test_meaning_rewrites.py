"""Any event, rewritten as servers do in several ways at once, is the same; read as icalendar reads it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event, vCalAddress
from meaning_written import differing, event, meaning

from mappings.compare.content_lines import unescaped

WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=60)
STARTS = st.datetimes(datetime(2001, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(microsecond=0))
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC"])
RULES = st.sampled_from([
    None,
    {"freq": "daily", "count": 12},
    {"freq": "weekly", "byday": ["MO", "WE", "FR"]},
    {"freq": "monthly", "bymonthday": [28, 29, 30, 31], "bysetpos": -1, "count": 30},
    {"freq": "yearly"},
])  # fmt: skip
ANSWERS = st.sampled_from(["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"])


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """As icalendar writes them."""
    made = Event()
    made.add("uid", draw(WORDS))
    made.add("dtstamp", datetime(2026, 1, 1, tzinfo=UTC))
    start = draw(STARTS).replace(tzinfo=ZoneInfo(draw(ZONES)))
    made.add("dtstart", start)
    made.add("dtend", start + timedelta(minutes=draw(st.integers(0, 3000))))
    for name in ("summary", "description", "location"):
        if draw(st.booleans()):
            made.add(name, "\n".join(draw(st.lists(WORDS, min_size=1, max_size=4))))
    for number in range(draw(st.integers(0, 3))):
        person = vCalAddress(f"mailto:p{number}@example.org")
        # icalendar 7.3 takes a backslash before ";" for an escape, which parameters do not have
        person.params["CN"] = draw(WORDS).replace("\\", "/")
        person.params["PARTSTAT"] = draw(ANSWERS)
        made.add("attendee", person)
    if rule := draw(RULES):
        made.add("rrule", rule)
        made.add("exdate", [start + timedelta(days=14), start + timedelta(days=7)])
    if categories := draw(st.lists(WORDS, max_size=3)):
        made.add("categories", categories)
    return wrapped(made)


def wrapped(made: Event) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//Test//EN")
    calendar.add("version", "2.0")
    calendar.add_component(made)
    return calendar.to_ical()


def lines_of(body: bytes) -> list[str]:
    return re.sub(r"\r\n[ \t]", "", body.decode()).split("\r\n")[:-1]


def joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def refolded(body: bytes, chance: random.Random) -> bytes:
    """Folded wherever, even inside of a letter, with tabs, and with bare line feeds."""
    made = b""
    for line in joined(lines_of(body)).split(b"\r\n"):
        at = 0
        while len(line) - at > 5 and chance.random() < 0.8:
            end = at + chance.randint(1, 30)
            made += line[at:end] + chance.choice([b"\r\n ", b"\n\t"])
            at = end
        made += line[at:] + b"\n"
    return made


def shuffled(body: bytes, chance: random.Random) -> bytes:
    lines = lines_of(body)
    first, last = lines.index("BEGIN:VEVENT") + 1, lines.index("END:VEVENT")
    middle = lines[first:last]
    chance.shuffle(middle)
    return joined(lines[:first] + middle + lines[last:])


def without_defaults(body: bytes, _: random.Random) -> bytes:
    return body.replace(b";PARTSTAT=NEEDS-ACTION", b"").replace(b"PARTSTAT=NEEDS-ACTION;", b"")


def with_defaults(body: bytes, _: random.Random) -> bytes:
    more = b"CLASS:PUBLIC\r\nTRANSP:OPAQUE\r\nSTATUS:CONFIRMED\r\nPRIORITY:0\r\nSEQUENCE:3\r\nX-OTHER:1\r\n"
    return body.replace(b"END:VEVENT", more + b"END:VEVENT")


def exdates_apart(body: bytes, _: random.Random) -> bytes:
    lines = []
    for line in lines_of(body):
        head, _, value = line.partition(":")
        apart = head.startswith("EXDATE")
        lines += [f"{head}:{part}" for part in reversed(value.split(","))] if apart else [line]
    return joined(lines)


def rule_turned(body: bytes, _: random.Random) -> bytes:
    def turned(line: str) -> str:
        head, colon, value = line.partition(":")
        return head + colon + ";".join(reversed(value.split(";"))) if head == "RRULE" else line

    return joined([turned(line).replace("MO,WE,FR", "FR,MO,WE") for line in lines_of(body)])


def by_length(body: bytes, _: random.Random) -> bytes:
    """DURATION in the place of DTEND."""
    found = meaning(body).fields["duration"]
    return joined([f"DURATION:PT{found}S" if line.startswith("DTEND") else line for line in lines_of(body)])


def reworded(body: bytes, _: random.Random) -> bytes:
    """Quoted parameters, lower-case names, another stamp."""
    made = [re.sub(r"PARTSTAT=([A-Z-]+)", r'partstat="\1"', line) for line in lines_of(body)]
    return joined(
        [re.sub(r"^(SUMMARY|DTSTART|DTSTAMP)", lambda name: name[0].lower(), line) for line in made]
    )


REWRITINGS: list[Callable[[bytes, random.Random], bytes]] = [
    shuffled, without_defaults, with_defaults, exdates_apart, rule_turned, by_length, reworded,
]  # fmt: skip


@given(
    events(),
    st.lists(st.sampled_from(REWRITINGS), max_size=5, unique=True),
    st.randoms(use_true_random=False),
)
def test_rewriting_changes_no_meaning(
    body: bytes, rewritings: list[Callable[[bytes, random.Random], bytes]], chance: random.Random
) -> None:
    other = body
    for rewriting in rewritings:
        other = rewriting(other, chance)
    assert differing(body, refolded(other, chance)) == ()


@given(events())
def test_an_event_is_read_as_icalendar_reads_it(body: bytes) -> None:
    theirs = Calendar.from_ical(body).events[0]
    ours = meaning(body).fields
    assert ours["uid"] == str(theirs["UID"]).strip()
    assert ours["start"] == ("utc", int(theirs.start.timestamp()))
    for field, name in (("title", "SUMMARY"), ("text", "DESCRIPTION")):
        assert (
            ours[field] == "\n".join(line.rstrip() for line in str(theirs.get(name, "")).split("\n")).rstrip()
        )
    answers = {(str(one)[7:], one.params["PARTSTAT"]) for one in theirs.attendees}
    assert set(ours["answers"]) == answers  # type: ignore[call-overload]


@given(events(), st.data())
def test_one_change_is_seen_and_named(body: bytes, data: st.DataObject) -> None:
    start, minutes = b"DTEND", data.draw(st.integers(3001, 9999))
    lines = [line for line in lines_of(body) if not line.startswith(start.decode())]
    longer = joined([*lines[:-2], f"DURATION:PT{minutes}M", *lines[-2:]])
    assert differing(body, longer) == ("duration",)
    secret = body.replace(b"END:VEVENT", b"CLASS:PRIVATE\r\nEND:VEVENT")
    assert differing(body, secret) == ("privacy",)
    renamed = joined([line if not line.startswith("SUMMARY:") else line + "x" for line in lines_of(body)])
    assert differing(body, renamed) == (("title",) if b"\nSUMMARY:" in body else ())


@given(st.text(st.sampled_from("a\\n,;N\n"), max_size=12))
def test_escaping_is_undone(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
    assert unescaped(escaped) == text
    found = meaning(event(f"DTSTART:20260101T090000Z\nCATEGORIES:{escaped},x\n")).fields["categories"]
    assert found == tuple(sorted({text.strip(), "x"} - {""}))
