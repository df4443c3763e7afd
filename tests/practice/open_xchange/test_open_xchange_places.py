"""What a client finds at a practice Open-Xchange: principals, homes, collections, rights, its rate."""

from __future__ import annotations

from datetime import timedelta

import httpx
from ox_asking import (
    ALICE,
    BOB,
    BOOK,
    DAV,
    ETAGS,
    NOW,
    QUIET,
    SPACES,
    TASKS,
    USERS,
    Asker,
    asking,
    card,
    event,
    names,
    segment,
    todo,
    tree,
)
from servers.open_xchange.server import OpenXchangeServer, Rate

CAL = "{urn:ietf:params:xml:ns:caldav}"


def told(answer: httpx.Response, tag: str) -> list[str]:
    """The hrefs inside of a property."""
    return [one.text or "" for one in tree(answer).iterfind(f".//{tag}/{DAV}href")]


def named(*properties: str) -> str:
    return f"<D:propfind {SPACES}><D:prop>{''.join(f'<{one}/>' for one in properties)}</D:prop></D:propfind>"


def test_a_client_is_led_to_its_homes(alice: Asker) -> None:
    moved = alice.ask("GET", "/.well-known/carddav")
    assert (moved.status_code, httpx.URL(moved.headers["Location"]).path) == (301, "/carddav/")
    root = alice.ask("PROPFIND", "/", named("D:current-user-principal"), Depth="0")
    assert told(root, f"{DAV}current-user-principal") == ["/principals/users/3"]
    wanted = named("C:calendar-home-set", "C:calendar-user-address-set", "C:schedule-inbox-URL")
    principal = alice.ask("PROPFIND", "/principals/users/3/", wanted, Depth="0")
    assert told(principal, f"{CAL}calendar-home-set") == ["/caldav/"]
    assert told(principal, f"{CAL}schedule-inbox-URL") == ["/caldav/schedule-inbox"]
    assert "mailto:alice@ox.test" in told(principal, f"{CAL}calendar-user-address-set")


def test_a_wrong_password_is_refused(ox: OpenXchangeServer) -> None:
    answer = httpx.request("PROPFIND", f"{ox.url}/caldav/", auth=("alice@ox.test", "x"))
    assert (answer.status_code, "Basic" in answer.headers["WWW-Authenticate"]) == (401, True)


def test_the_inbox_tells_the_defaults_and_the_task_lists_url_is_wrong(alice: Asker) -> None:
    wanted = named("C:schedule-default-calendar-URL", "C:schedule-default-tasks-URL")
    inbox = alice.ask("PROPFIND", "/caldav/schedule-inbox/", wanted, Depth="0")
    assert told(inbox, f"{CAL}schedule-default-calendar-URL") == [ALICE]
    assert told(inbox, f"{CAL}schedule-default-tasks-URL") == ["/caldav/33/"]
    assert alice.ask("PROPFIND", "/caldav/33/", named("D:displayname"), Depth="0").status_code == 404
    assert alice.put("/caldav/33/x.ics", todo("x")) == 409
    assert alice.put(f"{TASKS}x.ics", todo("x")) == 201


def test_the_default_calendar_has_its_owners_name(alice: Asker) -> None:
    found = tree(alice.ask("PROPFIND", "/caldav/", named("D:displayname"), Depth="1"))
    shown = [one.text for one in found.iterfind(f".//{DAV}displayname")]
    assert sorted(shown) == [
        "Alice Anders",
        "Alice Anders",
        "Birthdays",
        "Calendars",
        "Schedule Inbox",
        "Schedule Outbox",
    ]


def rights(asker: Asker, path: str) -> set[str]:
    answer = asker.ask("PROPFIND", path, named("D:current-user-privilege-set"), Depth="0")
    found = tree(answer).iterfind(f".//{DAV}privilege/*")
    return {str(one.tag).removeprefix(DAV) for one in found}


def test_the_book_of_all_users_states_write_to_everybody(alice: Asker, bob: Asker) -> None:
    for asker in (alice, bob):
        found = rights(asker, "/carddav/6/")
        assert "write" in found
        assert found & {"bind", "unbind"} == set()
        assert len(asker.listed("/carddav/6/")) == 4
        assert asker.put("/carddav/6/x.vcf", card("x")) == 403
    assert {"write", "bind", "unbind"} <= rights(alice, BOOK)


def test_a_collection_has_another_url_than_it_was_made_at(alice: Asker) -> None:
    assert alice.make("Work", path="/caldav/my-work/") == 201
    real = f"/caldav/{segment('cal://0/64')}/"
    found = tree(alice.ask("PROPFIND", "/caldav/my-work/", named("D:displayname"), Depth="0"))
    assert found.findtext(f".//{DAV}href") == real
    assert alice.put("/caldav/my-work/a.ics", event("a")) == 201
    assert alice.event(f"{real}a.ics").value("UID") == "a"
    assert "my-work" not in names(alice.ask("PROPFIND", "/caldav/", named("D:displayname"), Depth="1"))


def test_a_name_that_a_sibling_has_is_refused_without_a_word(alice: Asker) -> None:
    assert alice.make("Work") == 201
    assert alice.make("Work", path="/caldav/other/") == 403
    assert alice.make("Tasks", tasks=True) == 403
    assert alice.make_book("Contacts") == 403
    assert alice.make("Tasks", path="/caldav/a-calendar/") == 201  # of another kind
    assert alice.make("Aufgaben", tasks=True) == 201
    assert alice.ask("MKCALENDAR", "/caldav/third/", "").content == b""


def test_a_collection_is_renamed_and_coloured(alice: Asker) -> None:
    alice.make("Work")
    body = f"""<D:propertyupdate {SPACES} xmlns:I="http://apple.com/ns/ical/"><D:set><D:prop>
    <D:displayname>Play</D:displayname><I:calendar-color>#112233FF</I:calendar-color></D:prop></D:set>
    </D:propertyupdate>"""
    assert alice.ask("PROPPATCH", "/caldav/work/", body).text.count("200 OK") == 2
    found = tree(alice.ask("PROPFIND", "/caldav/work/", named("D:displayname"), Depth="0"))
    assert found.findtext(f".//{DAV}displayname") == "Play"


def test_a_collection_is_deleted_with_all_that_no_listing_shows(alice: Asker) -> None:
    alice.make("Work")
    assert alice.put("/caldav/work/old.ics", event("old", at="20180610T10")) == 201
    assert alice.listed("/caldav/work/") == []
    path = f"/caldav/{segment('cal://0/64')}/"
    assert alice.ask("DELETE", path, If="(<0.0.0>)").status_code == 412
    assert alice.ask("DELETE", path, If='(["x"])').status_code == 412
    assert alice.ask("DELETE", path, If_None_Match="*").status_code == 412
    assert alice.ask("DELETE", path, If_Match='"x"').status_code == 500
    assert alice.ask("GET", f"{path}old.ics").status_code == 200
    assert alice.ask("DELETE", path).status_code == 204
    assert alice.ask("GET", f"{path}old.ics").status_code == 403
    assert alice.put(f"{path}new.ics", event("new")) == 403
    assert alice.ask("PROPFIND", path, ETAGS, Depth="0").status_code == 404
    assert alice.put(f"{ALICE}old.ics", event("old")) == 201  # its UID is free


def test_a_tagged_condition_is_not_looked_at(alice: Asker) -> None:
    alice.make("Work")
    assert alice.ask("DELETE", "/caldav/work/", If="<http://x/> (<9.9.9>)").status_code == 204


def test_a_default_stays(alice: Asker) -> None:
    refused = alice.ask("DELETE", ALICE)
    assert (refused.status_code, b"default-calendar-needed" in refused.content) == (403, True)
    assert [alice.ask("DELETE", path).status_code for path in (TASKS, BOOK)] == [403, 403]


def test_users_see_their_own(alice: Asker, bob: Asker) -> None:
    alice.put(f"{ALICE}a.ics", event("a"))
    assert bob.ask("GET", f"{ALICE}a.ics").status_code == 403
    assert bob.listed(BOB) == []


def test_a_shared_calendar_is_read_and_not_written(alice: Asker, bob: Asker, ox: OpenXchangeServer) -> None:
    alice.put(f"{ALICE}a.ics", event("a"), **QUIET)
    ox.context.folders[31].rights[4] = 257
    assert bob.event(f"{ALICE}a.ics").value("UID") == "a"
    assert bob.put(f"{ALICE}b.ics", event("b")) == 403
    assert bob.ask("DELETE", f"{ALICE}a.ics").status_code == 403
    assert "bind" not in rights(bob, ALICE)


def test_the_rate_counts_an_address_and_a_user_agent() -> None:
    limited = OpenXchangeServer(USERS, now=NOW, rate=Rate(most=2, seconds=60, retry_after=7))
    with limited as server, asking(server, "alice@ox.test", **{"User-Agent": "one"}) as one:
        assert [one.ask("OPTIONS", "/caldav/").status_code for _ in range(4)] == [200, 200, 429, 429]
        assert one.ask("OPTIONS", "/caldav/").headers["Retry-After"] == "7"
        assert one.ask("OPTIONS", "/caldav/", User_Agent="two").status_code == 200
        server.clock.set(NOW + timedelta(seconds=60))
        assert one.ask("OPTIONS", "/caldav/").status_code == 200


def test_the_rate_is_1500_in_five_minutes_and_then_a_wait_of_five(ox: OpenXchangeServer) -> None:
    assert (ox.rate.most, ox.rate.seconds, ox.rate.retry_after) == (1500, 300, 300)


def test_what_it_was_asked_is_kept_in_order(alice: Asker, ox: OpenXchangeServer) -> None:
    alice.ask("OPTIONS", "/caldav/")
    alice.ask("GET", f"{ALICE}none.ics")
    assert [one.method for one in ox.requests] == ["OPTIONS", "GET"]


def test_a_name_with_a_slash_is_never_found(alice: Asker) -> None:
    assert alice.put(f"{BOOK}a%2Fb.vcf", card("a")) == 404
