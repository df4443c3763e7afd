"""The manners of Open-Xchange and Nextcloud towards a DAV client, one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest
from server_fixtures import radicale_fixture
from servers.dav.dav_proxy import DavProxy
from servers.dav.manners import manners
from servers.dav.nextcloud import Collides, Fullness, Trash, adds_what_is_missing, one_uid, refuses_media

from practice.dav.proxy import Layer
from practice.dav.radicale import USER_PASSWORD, RadicaleServer

ANNA = ("anna", USER_PASSWORD)
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LINES = "DTSTAMP:20260101T000000Z\r\nDTSTART:{start}\r\nDTEND:{end}\r\nSUMMARY:x\r\n"
SPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
QUERY = f"""<C:calendar-query {SPACES}><prop><getetag/></prop><C:filter><C:comp-filter name="VCALENDAR">
<C:comp-filter name="VEVENT">%s</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"""
MULTIGET = f"""<C:calendar-multiget {SPACES}><prop><C:calendar-data/></prop><href>%s</href>
</C:calendar-multiget>"""


radicale = radicale_fixture(["anna"], provisioned=True)


@pytest.fixture
def home(radicale: RadicaleServer) -> RadicaleServer:
    """With anna's calendar, and another, empty; and no other collections."""
    listed = httpx.request("PROPFIND", radicale.home("anna"), auth=ANNA, headers={"Depth": "1"}).text
    for path in re.findall(r"<href>(/anna/[^<]+)</href>", listed):
        httpx.delete(radicale.url + path, auth=ANNA)
    for name in ("calendar", "other"):
        httpx.request("MKCALENDAR", f"{radicale.home('anna')}{name}/", auth=ANNA).raise_for_status()
    book = (
        b'<mkcol xmlns="DAV:" xmlns:R="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype><collection/>'
        b"<R:addressbook/></resourcetype></prop></set></mkcol>"
    )
    httpx.request("MKCOL", f"{radicale.home('anna')}contacts/", auth=ANNA, content=book).raise_for_status()
    return radicale


Ask = Callable[..., httpx.Response]


@contextmanager
def asking(radicale: RadicaleServer, *layers: Layer) -> Iterator[Ask]:
    """A function (method, path below anna's home, body, headers) -> the answer."""
    with DavProxy(radicale, layers) as proxy, httpx.Client(auth=ANNA, timeout=20) as client:

        def ask(
            method: str, path: str, body: str | bytes = b"", headers: dict[str, str] | None = None
        ) -> httpx.Response:
            url = path if path.startswith("http") else proxy.home("anna") + path
            content = body.encode() if isinstance(body, str) else body
            return client.request(method, url, content=content, headers=headers)

        yield ask


def event(
    uid: str = "u1", *, at: datetime = NOW, lines: str = "", component: str = "VEVENT", also: str = ""
) -> str:
    first = LINES.format(start=f"{at:%Y%m%dT%H%M%SZ}", end=f"{at + timedelta(hours=1):%Y%m%dT%H%M%SZ}")
    if component == "VTODO":
        first = first.replace("DTEND", "DUE")
    one = f"BEGIN:{component}\r\nUID:{uid}\r\n{first}{lines}END:{component}\r\n"
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//EN\r\n{one}{also}END:VCALENDAR\r\n"


def bare(text: str) -> str:
    return text[text.index("BEGIN:VEVENT") : text.index("END:VCALENDAR")]


def card(more: str = "", version: str = "3.0") -> str:
    return f"BEGIN:VCARD\r\nVERSION:{version}\r\nUID:c1\r\nFN:Anna\r\nN:A;;;;\r\n{more}END:VCARD\r\n"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("calendar/a.ics", event().replace("VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:REQUEST\r\n"), 415),
        ("calendar/a.ics", event(also=bare(event("u2"))), 415),
        ("calendar/a.ics", re.sub(r"DTSTART.*\r\n", "", event()), 415),
        ("calendar/a.ics", event("u" * 256), 500),
        ("contacts/a.vcf", card(version="2.1"), 415),
        ("contacts/a.vcf", card(), 201),
        ("calendar/a.ics", event(), 201),
    ],
)
def test_what_nextcloud_refuses(home: RadicaleServer, path: str, body: str, status: int) -> None:
    with asking(home, refuses_media) as ask:
        assert ask("PUT", path, body).status_code == status


def test_a_uid_is_taken_in_one_calendar(home: RadicaleServer) -> None:
    with asking(home, one_uid) as ask:
        ask("PUT", "calendar/a.ics", event())
        assert ask("PUT", "calendar/b.ics", event()).status_code == 400
        assert ask("PUT", "other/b.ics", event()).status_code == 201


def test_no_tag_for_what_was_altered(home: RadicaleServer) -> None:
    with asking(home, adds_what_is_missing) as ask:
        assert "ETag" in ask("PUT", "calendar/a.ics", event()).headers
        assert "ETag" not in ask("PUT", "calendar/b.ics", re.sub(r"DTSTAMP.*\r\n", "", event("u2"))).headers
        assert "ETag" not in ask("PUT", "calendar/c.ics", event("u3", lines="COMMENT:a\x07b\r\n")).headers
        assert "DTSTAMP" in ask("GET", "calendar/b.ics").text
        assert "COMMENT:ab" in ask("GET", "calendar/c.ics").text


def test_what_was_deleted_is_in_the_way_until_purged(home: RadicaleServer) -> None:
    with asking(home, Trash()) as ask:
        ask("PUT", "calendar/a.ics", event())
        ask("DELETE", "calendar/a.ics")
        assert ask("PUT", "calendar/b.ics", event()).status_code == 500
        assert ask("PUT", "other/b.ics", event()).status_code == 201
        assert ask("PROPFIND", "trashbin/objects/", b"", {"Depth": "0"}).status_code == 207
        assert ask("PROPFIND", "trashbin/objects/", b"", {"Depth": "1"}).status_code == 501
        listed = ask("REPORT", "trashbin/objects/", QUERY % "", {"Depth": "1"})
        assert listed.status_code == 207
        (name,) = re.findall(r"/anna/(trashbin/objects/[^<]+)</d:href>", listed.text)
        assert "UID:u1" in ask("GET", name).text
        for report in (QUERY % "", MULTIGET % f"/anna/{name}"):
            assert "UID:u1" in ask("REPORT", "trashbin/objects/", report, {"Depth": "1"}).text
        assert "UID:u1" not in ask("REPORT", "trashbin/objects/", MULTIGET % "/anna/other.ics").text
        assert ask("DELETE", name).status_code == 204
        assert ask("DELETE", name).status_code == 404
        assert ask("PUT", "calendar/b.ics", event()).status_code == 201


def test_ten_calendars_an_hour_and_thirty_in_all(home: RadicaleServer) -> None:
    clock = [NOW]
    with asking(home, Fullness(home, lambda: clock[0], calendars=14)) as ask:
        made = [ask("MKCALENDAR", f"n{number}/").status_code for number in range(11)]
        assert made == [201] * 10 + [429]
        clock[0] += timedelta(hours=1)
        made = [ask("MKCALENDAR", f"m{number}/").status_code for number in range(3)]
        assert made == [201, 201, 403]


def test_writers_that_collide(home: RadicaleServer) -> None:
    layer = Collides(budget=2)
    with asking(home, layer) as ask, ThreadPoolExecutor(4) as writers:

        def put(number: int) -> int:
            return ask("PUT", f"calendar/p{number}.ics", event(f"p{number}")).status_code

        answers = list(writers.map(put, range(40)))
        assert answers.count(500) == 2 - layer.budget > 0
        assert set(answers) == {201, 500}
        failed = answers.index(500)
        assert put(failed) == 201


@pytest.mark.parametrize("product", ["nextcloud", "cyrus", "radicale"])
def test_a_well_behaved_client_gets_along_with_all_of_it(home: RadicaleServer, product: str) -> None:
    with asking(home, *manners(product, home, lambda: NOW)) as ask:
        create = partial(ask, "PUT", headers={"If-None-Match": "*"})
        assert create("calendar/a.ics", event()).status_code == 201
        assert create("contacts/a.vcf", card()).status_code == 201
        tag = ask("GET", "calendar/a.ics").headers["ETag"]
        changed = ask("PUT", "calendar/a.ics", event(lines="LOCATION:y\r\n"), {"If-Match": tag})
        assert changed.status_code == 204
        assert "LOCATION:y" in ask("GET", "calendar/a.ics").text
        assert ask("DELETE", "calendar/a.ics").status_code == 200
