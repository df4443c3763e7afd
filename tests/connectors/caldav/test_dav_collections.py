"""Collections: found, made once whatever happens to the reply, named, marked, limited."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from dav_desk import CALENDAR, SECOND, Desk, item
from servers.dav.faults import Fault, Faults
from servers.dav.nextcloud import Fullness
from servers.dav.scheduling import now

from connectors.caldav.collections import DEFAULTS
from model.errors import Blocked, Rejected, Transient
from model.kinds import Kind
from model.protocols import Container, Role
from practice.dav.proxy import Forward, Layer, Reply, Request, reply

MADE = Container(Kind.CALENDAR, "source-9", ("Projekt Ä & <b>",), color="#ff8800", order=7)
BOOK = Container(Kind.CONTACTS, "source-3", ("Kontakte",))
SPACES = (
    'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:cs="http://calendarserver.org/ns/"'
    ' xmlns:nc="http://nextcloud.com/ns"'
)


def test_name_colour_order_and_component_are_kept(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(MADE)
    (found,) = target.containers()
    assert (found.id, found.path, found.color, found.order) == (href, MADE.path, "#ff8800", 7)
    assert (found.role, found.omit, found.readonly) == (None, None, False)
    assert list(desk.open(kind=Kind.TASKS).containers()) == []
    assert list(desk.open(kind=Kind.CONTACTS).containers()) == []


def test_tasks_books_and_calendars_of_one_id_are_apart(desk: Desk) -> None:
    kinds = {Kind.CALENDAR: MADE, Kind.TASKS: replace(MADE, kind=Kind.TASKS), Kind.CONTACTS: BOOK}
    hrefs = {desk.open(kind=kind).ensure(replace(one, id="one")) for kind, one in kinds.items()}
    assert len(hrefs) == 3
    for kind in kinds:
        assert len(list(desk.open(kind=kind).containers())) == 1


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT, Fault.UNSENT, Fault.BUSY, Fault.LATE, Fault.LIMIT])
@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.CONTACTS])
def test_a_lost_reply_makes_no_second_one(desk: Desk, fault: Fault, kind: Kind) -> None:
    method = "MKCOL" if kind is Kind.CONTACTS else "MKCALENDAR"
    target = desk.open(Faults({(method, 1): fault}), kind=kind)
    href = target.ensure(replace(MADE, kind=kind))
    assert [one.id for one in target.containers()] == [href]
    assert desk.open(kind=kind).ensure(replace(MADE, kind=kind)) == href


def test_the_default_one_is_adopted_and_made_only_when_missing(desk: Desk) -> None:
    target = desk.open(profile="nextcloud")
    href = target.ensure(CALENDAR)
    assert href == f"/{desk.user}/personal/"
    assert len(desk.sent("MKCALENDAR")) == 1
    again = desk.open(profile="nextcloud")
    assert again.ensure(replace(CALENDAR, id="another", path=("Anders",))) == href
    assert len(desk.sent("MKCALENDAR")) == 1
    (found,) = again.containers()
    assert (found.role, found.path) == (Role.CALENDAR, ("Kalender",))
    assert again.capabilities.special_use


def test_a_server_without_a_default_makes_one_like_any_other(desk: Desk) -> None:
    target = desk.open(profile="generic")
    assert target.ensure(CALENDAR).startswith(f"/{desk.user}/k-")
    assert not target.capabilities.special_use


def names_default(user: str, default: str) -> Layer:
    """RFC 6638: on the scheduling inbox, which the principal names."""

    def names_it(request: Request, rest: Forward) -> Reply:
        if b"schedule-default-calendar-URL" in request.body:
            href = f"<d:href>{default}</d:href>"
            return _multistatus(
                request.path, f"<c:schedule-default-calendar-URL>{href}</c:schedule-default-calendar-URL>"
            )
        answer = rest(request)
        if b"schedule-inbox-URL" not in request.body or answer.status != 207:
            return answer
        space = 'xmlns:S="urn:ietf:params:xml:ns:caldav"'
        inbox = f"<S:schedule-inbox-URL {space}><href>/{user}/inbox/</href></S:schedule-inbox-URL>"
        return reply(207, answer.body.decode().replace("<prop>", f"<prop>{inbox}", 1), kind="text/xml")

    return names_it


def test_the_default_calendar_the_server_names_comes_first(desk: Desk) -> None:
    other = desk.open().ensure(SECOND)
    target = desk.open(names_default(desk.user, other), profile="generic")
    assert target.ensure(CALENDAR) == other
    assert [one.role for one in target.containers() if one.id == other] == [Role.CALENDAR]


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.CONTACTS])
@pytest.mark.parametrize("profile", ["nextcloud", "cyrus"])
def test_a_default_collection_is_not_cleared(desk: Desk, profile: str, kind: Kind) -> None:
    """Though nothing is in it, and whoever made it; one beside it goes."""
    target = desk.open(profile=profile, kind=kind)
    default = target.ensure(replace(MADE, kind=kind, role=DEFAULTS[kind]))
    other = target.ensure(replace(MADE, kind=kind))
    assert not target.clear(default)
    assert target.clear(other)
    assert [one.id for one in desk.open(profile=profile, kind=kind).containers()] == [default]
    assert [one.path for one in desk.sent("DELETE")] == [other]


def test_the_default_calendar_the_server_names_is_not_cleared(desk: Desk) -> None:
    """Not even one of ours that its user has chosen since."""
    ours, other = (desk.open().ensure(one) for one in (SECOND, MADE))
    target = desk.open(names_default(desk.user, ours))
    assert not target.clear(ours)
    assert desk.sent("DELETE") == []
    assert target.clear(other)
    with desk.owner as client:
        client.delete(ours).raise_for_status()
    assert target.clear(ours)  # it is gone


def test_where_no_server_has_a_default_ours_goes_by_whatever_name(desk: Desk) -> None:
    target = desk.open(profile="radicale")
    href = target.ensure(CALENDAR)
    assert href == f"/{desk.user}/calendar/"
    assert target.clear(href)
    assert list(target.containers()) == []


def test_a_limit_on_new_calendars_tells_when_to_come_again(desk: Desk) -> None:
    target = desk.open(Fullness(desk.radicale, now, an_hour=2), profile="nextcloud")
    for number in range(2):
        target.ensure(replace(MADE, id=f"id-{number}"))
    with pytest.raises(Transient, match="busy") as caught:
        target.ensure(replace(MADE, id="id-3"))
    assert caught.value.after == 360.0


def test_a_limit_on_all_calendars_blocks(desk: Desk) -> None:
    clock = iter(datetime.now(UTC) + timedelta(hours=2 * number) for number in range(99))
    target = desk.open(Fullness(desk.radicale, lambda: next(clock), calendars=2), profile="nextcloud")
    for number in range(2):
        target.ensure(replace(MADE, id=f"id-{number}"))
    with pytest.raises(Blocked, match="too-many-collections"):
        target.ensure(replace(MADE, id="id-3"))


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, Rejected, "name-not-allowed"),
        (403, Blocked, "no-permission"),
        (405, Blocked, "no-permission"),
        (507, Blocked, "over-quota"),
        (301, Blocked, "redirected-elsewhere"),
    ],
)
def test_a_refused_collection_has_a_code(desk: Desk, status: int, error: type[Exception], code: str) -> None:
    target = desk.open(lambda one, rest: reply(status) if one.method == "MKCALENDAR" else rest(one))
    with pytest.raises(error, match=code):
        target.ensure(MADE)


def test_properties_the_server_does_not_take_are_left_out(desk: Desk) -> None:
    def strict(request: Request, rest: Forward) -> Reply:
        """RFC 4791, 5.3.1: all or nothing."""
        refused = request.method == "MKCALENDAR" and b"calendar-color" in request.body
        return _multistatus(request.path, "<d:displayname/>", status=403) if refused else rest(request)

    target = desk.open(strict)
    href = target.ensure(MADE)
    assert [(one.id, one.path, one.color) for one in target.containers()] == [(href, MADE.path, None)]


def test_a_name_no_xml_can_hold_is_rejected(desk: Desk) -> None:
    target = desk.open()
    with pytest.raises(Rejected, match="name-not-allowed"):
        target.ensure(replace(MADE, path=("a\x01b",)))


def test_a_rename_keeps_the_href_and_needs_a_server_that_does_it(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(MADE)
    assert target.rename(href, replace(MADE, path=("Neu",))) == href
    assert [one.path for one in target.containers()] == [("Neu",)]
    with pytest.raises(Blocked, match="live-phase"):
        desk.open(live=True).rename(href, MADE)
    ignores = desk.open(lambda one, rest: reply(204) if one.method == "PROPPATCH" else rest(one))
    with pytest.raises(Rejected, match="name-not-allowed"):
        ignores.rename(href, replace(MADE, path=("Wieder neu",)))


def _multistatus(path: str, *props: str, status: int = 200) -> Reply:
    propstat = (
        f"<d:propstat><d:prop>{''.join(props)}</d:prop><d:status>HTTP/1.1 {status} .</d:status></d:propstat>"
    )
    body = (
        f"<d:multistatus {SPACES}><d:response><d:href>{path}</d:href>{propstat}</d:response></d:multistatus>"
    )
    return reply(207, body, kind="application/xml")


def _home(user: str, *collections: tuple[str, str]) -> str:
    rows = (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{prop}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        for href, prop in ((f"/{user}/", "<d:resourcetype><d:collection/></d:resourcetype>"), *collections)
    )
    return f"<d:multistatus {SPACES}>{''.join(rows)}</d:multistatus>"


CAL = "<d:resourcetype><d:collection/><c:calendar/>{}</d:resourcetype>"
EVENTS = '<c:supported-calendar-component-set><c:comp name="VEVENT"/></c:supported-calendar-component-set>'
READ = "<d:current-user-privilege-set><d:privilege><d:read/></d:privilege></d:current-user-privilege-set>"


def test_what_is_not_the_users_own_is_left_out_or_marked(desk: Desk) -> None:
    user = desk.user
    listed = _home(
        user,
        (f"/{user}/own/", CAL.format("") + EVENTS + f"<d:owner><d:href>/{user}/</d:href></d:owner>"),
        (f"/{user}/readonly/", CAL.format("") + EVENTS + READ),
        (f"/{user}/team/", CAL.format("") + EVENTS + "<d:owner><d:href>/boss/</d:href></d:owner>"),
        (f"/{user}/shared/", CAL.format("<cs:shared/>") + EVENTS),
        (f"/{user}/webcal/", CAL.format("<cs:subscribed/>") + EVENTS),
        (f"/{user}/inbox/", CAL.format("<c:schedule-inbox/>") + EVENTS),
        (f"/{user}/bin/", CAL.format("<nc:trash-bin/>") + EVENTS),
        (f"/{user}/contact_birthdays/", CAL.format("") + EVENTS),
        (f"/{user}/tasks/", CAL.format("") + EVENTS.replace("VEVENT", "VTODO")),
        (f"/{user}/deep/er/", CAL.format("") + EVENTS),
        ("/somebody/else/", CAL.format("") + EVENTS),
        (f"https://elsewhere.example/{user}/far/", CAL.format("") + EVENTS),
        (f"/{user}/../climbs/", CAL.format("") + EVENTS),
    )

    def lists(request: Request, rest: Forward) -> Reply:
        asked = request.method == "PROPFIND" and request.headers.get("Depth") == "1"
        return reply(207, listed, kind="application/xml") if asked else rest(request)

    target = desk.open(lists, profile="nextcloud")
    found = {one.id: (one.omit, one.readonly) for one in target.containers()}
    assert found == {
        f"/{user}/own/": (None, False),
        f"/{user}/readonly/": (None, True),
        f"/{user}/team/": ("shared", False),
        f"/{user}/shared/": ("shared", False),
    }
    for href in (f"/{user}/readonly/", f"/{user}/team/"):
        with pytest.raises(Blocked, match="no-permission"):
            target.write(href, [item(1)])
    assert desk.sent("PUT") == []
