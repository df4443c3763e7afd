"""Which names and colours a person's calendars get on Open-Xchange, as the person sees them there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import httpx
import pytest
from servers.open_xchange.server import OpenXchangeServer

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account
from mappings.fields.folder_names import plan_names
from model.kinds import Kind
from model.protocols import Container, Role

ANNA, PASSWORD_ENV = "anna@ox.test", "DAV_PASSWORD"
CALENDARS = [
    Container(Kind.CALENDAR, "home", ("Kalender",), Role.CALENDAR, color="#112233"),
    Container(Kind.CALENDAR, "shifts", ("Kalender", "Schichtplan"), color="#ff8800"),
    Container(Kind.CALENDAR, "plain", ("Urlaub",)),
    Container(Kind.CALENDAR, "birthdays", ("Geburtstage",), omit="system-folder"),
]
PROPERTIES = (
    '<D:propfind xmlns:D="DAV:" xmlns:I="http://apple.com/ns/ical/">'
    "<D:prop><D:displayname/><I:calendar-color/></D:prop></D:propfind>"
)


def test_calendars_have_their_own_names_and_the_colours_that_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenXchangeServer({ANNA: "Anna Adler"}) as suite:
        monkeypatch.setenv(PASSWORD_ENV, suite.user_password)
        settings = DavSettings.model_validate(
            {"kind": "caldav", "url": suite.url, "profile": "open-xchange", "password": {"env": PASSWORD_ENV}}
        )
        anna = Account(login=ANNA)
        with closing(
            DavTarget(settings, anna, lambda: None, tmp_path, kind=Kind.CALENDAR, digest=_nothing)
        ) as target:
            before = {one.path for one in target.containers()}
            special = {one.role: one.path for one in target.containers() if one.role is not None}
            plan = plan_names(CALENDARS, target.capabilities, special, {})
            hrefs = {
                one.id: target.ensure(
                    Container(one.kind, one.id, plan[one.id].path, one.role, color=one.color)
                )
                for one in CALENDARS
                if one.omit is None
            }
            after = {one.path for one in target.containers()}
        assert special == {Role.CALENDAR: ("Anna Adler",)}, "over DAV it is called as its owner"
        assert after - before == {("Schichtplan",), ("Urlaub",)}
        colour = [_colour(suite, hrefs[name]) for name in ("shifts", "plain", "home")]
        assert colour[0].startswith("#ff8800")
        assert not colour[1].startswith(("#ff8800", "#112233"))
        assert not colour[2].startswith("#112233"), "the default calendar is the target's own"


def _nothing(_body: object) -> bytes:
    """No object is compared here."""
    return b""


def _colour(suite: OpenXchangeServer, href: str) -> str:
    url = httpx.URL(suite.url).join(href)
    answer = httpx.request(
        "PROPFIND", url, content=PROPERTIES, headers={"depth": "0"}, auth=(ANNA, suite.user_password)
    )
    assert answer.status_code == 207
    return answer.text.partition("calendar-color")[2].partition(">")[2].partition("<")[0].strip().lower()
