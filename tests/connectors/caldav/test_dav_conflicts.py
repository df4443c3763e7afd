"""A UID that is taken: by an item of ours, the organizer's own copy, somebody else's, or one in the trash."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dav_desk import CALENDAR, Desk, bodies, card, event, item, written
from results import by_key, codes, stored
from servers.dav.manners import manners
from servers.dav.nextcloud import one_uid

from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Container, Role
from practice.dav.proxy import Forward, Layer, Reply, Request, dav_error, reply

BOOK = Container(Kind.CONTACTS, "source-3", ("Kontakte",), Role.CONTACTS)


def _layers(desk: Desk, profile: str) -> tuple[Layer, ...]:
    return manners(profile, desk.radicale) if profile == "nextcloud" else ()


@pytest.mark.parametrize("profile", ["radicale", "nextcloud", "cyrus", "generic"])
def test_a_uid_of_ours_and_of_somebody_else(desk: Desk, profile: str) -> None:
    target = desk.open(*_layers(desk, profile), profile=profile)
    href = target.ensure(CALENDAR)
    stored(target.write(href, [item(1)]))
    real = _real(desk, href)
    desk.put(real + "invited.ics", event(5, uid="meeting"))
    desk.put(real + "other.ics", event(6, uid="taken", text=" something else"))
    same, different = item(5, uid="meeting"), item(6, uid="taken")
    assert codes(target.write(href, [item(2, event(1), uid="uid-1")])) == ["duplicate-uid"]
    assert codes(target.write(href, [item(2, uid="uid-1")])) == ["uid-conflict"]
    assert codes(target.write(href, [different])) == ["uid-conflict"]
    (via,) = stored(target.write(href, [same]))
    assert (via.href, via.via) == ("invited.ics", True)
    assert b"Number 5" in bodies(target, href, [via.href])["invited.ics"]


def _real(desk: Desk, href: str) -> str:
    """Where Radicale has it, behind an opaque URL: the calendar in which something of ours lies."""

    def listed(path: str) -> list[str]:
        with desk.owner as client:
            answer = client.request("PROPFIND", path, headers={"Depth": "1"}).text
        return [part.partition("</href>")[0] for part in answer.split("<href>")[1:]]

    paths = listed(f"/{desk.user}/")
    calendars = (path for path in paths if path.count("/") == 3)
    return href if href in paths else next(one for one in calendars if "/k-" in "".join(listed(one)))


def test_what_is_via_is_not_ours_to_change_or_to_remove(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    desk.put(href + "invited.ics", event(5, uid="meeting"))
    (via,) = stored(target.write(href, [item(5, uid="meeting")]))
    assert codes(target.remove(href, [via])) == ["cannot-remove"]
    (again,) = stored(target.write(href, [item(5, uid="meeting", replaces=via)]))
    assert again.via
    moved = item(5, event(5, uid="meeting", text=" moved"), uid="meeting", replaces=via)
    assert codes(target.write(href, [moved])) == ["uid-conflict"]
    assert b"moved" not in (desk.get(href + "invited.ics") or b"")


def poor(request: Request, rest: Forward) -> Reply:
    """A server without the query."""
    return reply(501) if b"-query" in request.body else rest(request)


def test_a_calendar_full_of_other_peoples_meetings_is_read_once(desk: Desk) -> None:
    target = desk.open(poor)
    href = target.ensure(CALENDAR)
    for number in range(12):
        desk.put(f"{href}invited-{number}.ics", event(number))
    results = stored(target.write(href, [item(number) for number in range(12)]))
    assert all(one.via for one in results)
    reads = [one for one in desk.sent("REPORT") if b"-query" not in one.body]
    assert len(reads) == 1
    # what is written in the meantime is known as well
    stored(target.write(href, [item(50)]))
    assert codes(target.write(href, [item(51, event(50), uid="uid-50")])) == ["duplicate-uid"]
    assert [one for one in desk.sent("REPORT") if b"-query" not in one.body] == reads


def test_a_server_without_the_query_is_read(desk: Desk) -> None:
    target = desk.open(poor)
    href = target.ensure(CALENDAR)
    desk.put(href + "invited.ics", event(5, uid="meeting"))
    (via,) = stored(target.write(href, [item(5, uid="meeting")]))
    assert via.href == "invited.ics"


def test_a_query_is_bounded_by_the_uid_and_its_answer_is_checked(desk: Desk) -> None:
    target = desk.open(one_uid, profile="nextcloud")
    href = target.ensure(CALENDAR)
    desk.put(href + "longer.ics", event(1, uid="abc-and-more"))
    desk.put(href + "exact.ics", event(2, uid="abc"))
    (via,) = stored(target.write(href, [item(2, uid="abc")]))
    assert via.href == "exact.ics"
    (asked,) = [one for one in desk.sent("REPORT") if b"calendar-query" in one.body]
    assert b"text-match" in asked.body
    assert b">abc<" in asked.body


def test_a_conflict_that_cannot_be_seen_is_a_conflict(desk: Desk) -> None:
    def hides(request: Request, rest: Forward) -> Reply:
        conflict = '<c:no-uid-conflict xmlns:c="urn:ietf:params:xml:ns:caldav"/>'
        return dav_error(409, conflict) if request.method == "PUT" else rest(request)

    target = desk.open(hides)
    href = target.ensure(CALENDAR)
    assert codes(target.write(href, [item(1)])) == ["uid-conflict"]


def test_cards_have_uids_too(desk: Desk) -> None:
    target = desk.open(kind=Kind.CONTACTS)
    href = target.ensure(BOOK)
    desk.put(href + "friend.vcf", card(5))
    (via,) = stored(target.write(href, [item(5, card(5), kind=Kind.CONTACTS)]))
    assert (via.href, via.via) == ("friend.vcf", True)
    assert "addressbook-query" in desk.sent("REPORT")[-1].body.decode()


class Bin:
    """A trash bin: what is deleted keeps its UID (Nextcloud), and can be read there."""

    def __init__(self, user: str) -> None:
        self.path = f"/{user}/trashbin/objects/"
        self.held: dict[str, bytes] = {}

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if request.path.startswith(self.path):
            return self._answer(request)
        if request.method == "PUT" and any(_uid(one) == _uid(request.body) for one in self.held.values()):
            return reply(500)
        if request.method == "DELETE":
            before = rest(Request("GET", request.path, request.headers)).body
            self.held[f"{len(self.held) + 1}.ics"] = before
        return rest(request)

    def _answer(self, request: Request) -> Reply:
        name = request.path[len(self.path) :]
        if request.method == "DELETE":
            return reply(204 if self.held.pop(name, None) else 404)
        if request.method != "REPORT":
            return reply(404)
        rows = "".join(
            f"<d:response><d:href>{self.path}{one}</d:href><d:propstat><d:prop><c:calendar-data>"
            f"{raw.decode()}</c:calendar-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
            "</d:response>"
            for one, raw in self.held.items()
        )
        spaces = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
        return reply(207, f"<d:multistatus {spaces}>{rows}</d:multistatus>", kind="application/xml")


def _uid(raw: bytes) -> bytes:
    return next((line for line in raw.split(b"\n") if line.startswith(b"UID")), b"").strip()


def test_what_is_in_the_trash_is_purged_when_its_uid_is_needed_again(desk: Desk) -> None:
    trash = Bin(desk.user)
    target = desk.open(trash, profile="nextcloud")
    href = target.ensure(CALENDAR)
    trash.held = {f"other-{number}.ics": event(number, uid=f"old-{number}") for number in range(80)}
    first, other = written(target, href, item(1), item(2))
    assert codes(target.remove(href, [first, other])) == ["", ""]
    assert len(trash.held) == 82
    (again,) = stored(target.write(href, [item(1)]))
    assert [one.href for one in target.listing(href)] == [again.href]
    uids = {_uid(one) for one in trash.held.values()}
    assert len(uids) == 81
    assert b"UID:uid-1" not in uids


def test_what_nextcloud_holds_back_is_purged(desk: Desk) -> None:
    target = desk.open(*manners("nextcloud", desk.radicale), profile="nextcloud")
    href = target.ensure(CALENDAR)
    first = written(target, href, *(item(number) for number in range(3)))
    assert codes(target.remove(href, first)) == [""] * 3
    again = stored(target.write(href, [item(1), item(7)]))
    assert {one.href for one in target.listing(href)} == {one.href for one in again}
    purged = [one for one in desk.sent("DELETE") if "/trashbin/objects/" in one.path]
    assert len(purged) == 1


def test_a_live_account_keeps_its_trash(desk: Desk) -> None:
    trash = Bin(desk.user)
    target = desk.open(trash, profile="nextcloud")
    href = target.ensure(CALENDAR)
    target_items = stored(target.write(href, [item(1)]))
    assert codes(target.remove(href, target_items)) == [""]
    live = desk.open(trash, profile="nextcloud", live=True)
    assert codes(live.write(href, [item(1)])) == ["uid-in-trash"]
    assert len(trash.held) == 1


def test_only_what_was_written_is_removed(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    first, second, third = written(target, href, item(1), item(2), item(3))
    desk.put(href + second.href, event(2, text=" changed by somebody"))
    desk.put(href + "theirs.ics", event(9, uid="theirs"))
    foreign = type(first)(first.key, "theirs.ics", "")
    results = by_key(target.remove(href, [first, second, third]))
    assert results == {first.key: "", second.key: "changed-at-target", third.key: ""}
    assert codes(target.remove(href, [foreign])) == ["cannot-remove"]
    assert {one.href for one in target.listing(href)} == {second.href, "theirs.ics"}


def test_what_was_rewritten_and_means_the_same_is_removed(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    rewritten, changed, unread = written(target, href, item(1), item(2), item(3))
    desk.put(href + rewritten.href, event(1, size=300))
    desk.put(href + changed.href, event(2, text=" changed by somebody"))
    desk.put(href + unread.href, event(3).replace(b"SUMMARY", b"X-NOTHING"))
    known = [
        replace(one, digest=item(number).digest)
        for number, one in enumerate((rewritten, changed, unread), start=1)
    ]
    results = by_key(target.remove(href, known))
    assert [results[one.key] for one in known] == ["", "changed-at-target", "changed-at-target"]
    assert {one.href for one in target.listing(href)} == {changed.href, unread.href}


def test_what_is_rewritten_while_it_is_removed_is_looked_at_each_time(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    (first,) = written(target, href, item(1))
    sizes = iter((300, 600))

    def rewrites(request: Request, rest: Forward) -> Reply:
        if request.method == "DELETE" and (size := next(sizes, 0)):
            desk.put(href + first.href, event(1, size=size))
        return rest(request)

    desk.proxy.layers = (rewrites,)
    assert codes(target.remove(href, [replace(first, digest=item(1).digest)])) == [""]
    assert list(target.listing(href)) == []
    assert all("If-Match" in one.headers for one in desk.sent("DELETE"))


def test_a_version_that_is_not_known_is_no_reason_to_keep_it(desk: Desk) -> None:
    target = desk.open(profile="nextcloud")
    href = target.ensure(CALENDAR)
    (first,) = stored(target.write(href, [item(1)]))
    bare = type(first)(first.key, first.href, "")
    assert codes(target.remove(href, [bare])) == [""]
    assert list(target.listing(href)) == []
    assert "If-Match" not in desk.sent("DELETE")[0].headers


def test_a_412_for_what_is_gone_is_success(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    (first,) = stored(target.write(href, [item(1)]))
    assert codes(target.remove(href, [first])) == [""]
    # sabre/dav answers so to an If-Match
    strict = desk.open(lambda one, rest: reply(412) if one.method == "DELETE" else rest(one))
    assert codes(strict.remove(href, [first])) == [""]


def test_a_removal_the_server_forbids_is_told(desk: Desk) -> None:
    target = desk.open()
    href = target.ensure(CALENDAR)
    (first,) = stored(target.write(href, [item(1)]))
    forbids = desk.open(lambda one, rest: reply(403) if one.method == "DELETE" else rest(one))
    assert codes(forbids.remove(href, [first])) == ["cannot-remove"]
    with pytest.raises(Blocked, match="live-phase"):
        desk.open(live=True).remove(href, [first])
