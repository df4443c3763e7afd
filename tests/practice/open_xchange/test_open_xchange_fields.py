"""What a practice Open-Xchange cuts, changes, drops and adds in events, and what becomes of attachments."""

from __future__ import annotations

import base64

import httpx
import pytest
from ox_asking import ALICE, Asker, event, vevent
from ox_asking import calendar as whole
from servers.open_xchange.content_lines import Line, Part

PATH = f"{ALICE}a.ics"


def stored(alice: Asker, *lines: str) -> Part:
    assert alice.put(PATH, event("a", *lines)) == 201
    return alice.event(PATH)


@pytest.mark.parametrize(("name", "most"), [("SUMMARY", 255), ("LOCATION", 255), ("DESCRIPTION", 65535)])
def test_a_text_is_cut(alice: Asker, name: str, most: int) -> None:
    assert stored(alice, f"{name}:{'ä' * (most + 9)}").value(name) == "ä" * most


@pytest.mark.parametrize(("line", "kept"), [
    ("X-MICROSOFT-CDO-BUSYSTATUS:OOF", ""),
    ("CATEGORIES:Red,With\\, comma", "CATEGORIES:Red,With,comma"),
    ("GEO:48.137154012345;11.576123987654", "GEO:48.137154;11.576124"),
    ("CREATED:20100101T000000Z", "CREATED:20261128T183800Z"),
    ("RDATE;VALUE=PERIOD:20261220T100000Z/PT2H", ""),
    ("CLASS:CONFIDENTIAL", "CLASS:CONFIDENTIAL"),
    ("X-FOO:bar", "X-FOO:bar"),
    ("COLOR:tomato", "COLOR:tomato"),
    ("PRIORITY:3", "PRIORITY:3"),
])  # fmt: skip
def test_a_line_is_kept_so(alice: Asker, line: str, kept: str) -> None:
    name = line.partition(":")[0].partition(";")[0]
    found = stored(alice, line)
    assert [f"{one.name}:{one.value}" for one in found.all(name)] == ([kept] if kept else [])


def test_there_is_one_rule(alice: Asker) -> None:
    found = stored(alice, "RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert [one.value for one in found.all("RRULE")] == ["FREQ=DAILY;COUNT=3"]


def test_lines_are_added(alice: Asker) -> None:
    found = stored(alice)
    assert {one.name for one in found.lines} >= {"CLASS", "CREATED", "LAST-MODIFIED", "SEQUENCE", "TRANSP"}
    alice.put(PATH, event("a", "SUMMARY:x"))
    assert alice.event(PATH).first("TRANSP") is None  # nor after a change that sends none


def test_an_acknowledged_alarm_says_so_on_the_event_too(alice: Asker) -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "DESCRIPTION:d")
    found = stored(alice, *alarm, "ACKNOWLEDGED:20261201T090000Z", "END:VALARM")
    assert found.value("X-MOZ-LASTACK") == "20261201T090000Z"
    assert [one.value("X-MOZ-LASTACK") for one in found.of("VALARM")] == ["20261201T090000Z"]
    assert stored(alice, *alarm, "END:VALARM", "SEQUENCE:9").first("X-MOZ-LASTACK") is None


def zone(name: str, *offsets: str) -> str:
    kinds = ("STANDARD", "DAYLIGHT")
    parts = [
        f"BEGIN:{kind}\r\nTZOFFSETFROM:{one}\r\nTZOFFSETTO:{one}\r\nDTSTART:19700101T000000\r\nEND:{kind}"
        for kind, one in zip(kinds, offsets, strict=False)
    ]
    return "\r\n".join((f"BEGIN:VTIMEZONE\r\nTZID:{name}", *parts, "END:VTIMEZONE"))


@pytest.mark.parametrize(("name", "defined", "becomes"), [
    ("America/New_York", (), "America/New_York"),
    ("America/New_York", ("+0300",), "America/New_York"),
    ("Kogge/1234", ("+0045",), "Europe/Berlin"),
    ("Kogge/1234", ("+1300",), "Europe/Berlin"),
    ("Kogge/1234", (), ""),
    ("W. Europe Standard Time", ("+0100",), "Europe/Berlin"),
    ("Eastern Standard Time", ("-0500",), "America/New_York"),
    ("Eastern Standard Time", (), ""),
])  # fmt: skip
def test_a_zone_is_an_iana_zone_or_a_guess(
    alice: Asker, name: str, defined: tuple[str, ...], becomes: str
) -> None:
    times = (f"DTSTART;TZID={name}:20261210T090000", f"DTEND;TZID={name}:20261210T100000")
    definitions = (zone(name, *defined),) if defined else ()
    assert alice.put(PATH, whole(*definitions, vevent("a", *times))) == 201
    calendar = alice.get(PATH)
    params = (("TZID", becomes),) if becomes else ()
    assert calendar.of("VEVENT")[0].first("DTSTART") == Line("DTSTART", "20261210T090000", params)
    assert [one.value("TZID") for one in calendar.of("VTIMEZONE")] == ([becomes] if becomes else [])


def test_a_summer_time_that_is_none_breaks_the_server(alice: Asker) -> None:
    times = ("DTSTART;TZID=Own:20261210T090000", "DTEND;TZID=Own:20261210T100000")
    answer = alice.ask("PUT", PATH, whole(zone("Own", "+0045", "+0045"), vevent("a", *times)))
    assert (answer.status_code, alice.ask("GET", PATH).status_code) == (500, 404)


def attach(size: int) -> str:
    data = base64.b64encode(b"x" * size).decode()
    return f"ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;X-FILENAME=a.txt:{data}"


def download(alice: Asker, line: Line) -> httpx.Response:
    return alice.ask("GET", httpx.URL(line.value).path)


@pytest.mark.parametrize(("size", "kept"), [(500_000, 500_000), (530_000, 0)])
def test_an_inline_attachment_is_kept_or_empty(alice: Asker, size: int, kept: int) -> None:
    line = stored(alice, attach(size)).first("ATTACH")
    assert line is not None
    assert (line.param("FILENAME"), line.param("FMTTYPE")) == ("a.txt", "text/plain")
    assert (line.param("SIZE"), bool(line.param("MANAGED-ID"))) == (str(kept) if kept else "", True)
    assert len(download(alice, line).content) == kept


def test_an_attachment_of_any_size_is_added_to_an_event(alice: Asker) -> None:
    stored(alice)
    data = b"y" * 2_000_000
    named = {"Content_Type": "text/plain", "Content_Disposition": 'attachment; filename="b.txt"'}
    answer = alice.ask("POST", f"{PATH}?action=attachment-add", data, **named)
    assert (answer.status_code, answer.headers["Content-Location"]) == (201, PATH.removeprefix("/caldav"))
    assert answer.headers["ETag"] != alice.ask("GET", PATH).headers["ETag"]
    line = alice.event(PATH).first("ATTACH")
    assert line is not None
    assert download(alice, line).content == data
    number = answer.headers["Cal-Managed-ID"]
    removed = alice.ask("POST", f"{PATH}?action=attachment-remove&managed-id={number}")
    assert (removed.status_code, alice.event(PATH).first("ATTACH")) == (204, None)


def test_an_attachment_is_added_to_the_version_that_is_named(alice: Asker) -> None:
    """The answer's ETag is that of before, so it is an old one."""
    stored(alice)
    path, named = f"{PATH}?action=attachment-add", {"Content_Disposition": 'attachment; filename="b.txt"'}
    old = alice.ask("GET", PATH).headers["ETag"]
    first = alice.ask("POST", path, b"1", **named, If_Match=old)
    assert (first.status_code, first.headers["ETag"]) == (201, old)
    assert alice.ask("POST", path, b"2", **named, If_Match=old).status_code == 412
    assert alice.ask("POST", path, b"2", **named, If_Match='"nonsense"').status_code == 412
    assert len(alice.event(PATH).all("ATTACH")) == 1
    assert alice.ask("POST", path, b"2", **named).status_code == 201
    now = alice.ask("GET", PATH).headers["ETag"]
    assert alice.ask("POST", path, b"3", **named, If_Match=now).status_code == 201
    assert len(alice.event(PATH).all("ATTACH")) == 3


def test_an_attachment_stays_that_is_written_back(alice: Asker) -> None:
    line = stored(alice, attach(10)).first("ATTACH")
    assert line is not None
    url = httpx.URL(line.value)
    assert (url.scheme, url.host, url.port) == ("http", "127.0.0.1", None)
    params = "".join(f";{name}={value}" for name, value in line.params)
    again = stored(alice, f"ATTACH{params}:{line.value}").first("ATTACH")
    assert again == line


def test_a_link_stays_a_link(alice: Asker) -> None:
    assert stored(alice, "ATTACH:http://example.com/a").value("ATTACH") == "http://example.com/a"
