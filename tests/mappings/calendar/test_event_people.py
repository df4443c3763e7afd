"""Organizer, attendees, answers, and addresses that only the directory knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from event_native import context, element, event_xml, native
from icalendar import Calendar, Event

from mappings.fields.addresses import legacy_dn, nowhere, resolve, smtp, spellings
from mappings.registry import map_event
from model.kinds import Kind
from model.protocols import Capabilities

ME = "me@kiel.example"
DN = "/o=Land/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=Erika Muster_1"
IMCEAEX = (
    "IMCEAEX-_O=LAND_OU=EXCHANGE+20ADMINISTRATIVE+20GROUP+20+28FYDIBOHF23SPDLT+29_CN=RECIPIENTS"
    "_CN=ERIKA+20MUSTER+5F1@kiel.example"
)
KNOWN = {DN.lower(): "erika@kiel.example"}


def box(name: str, address: str, routing: str = "SMTP", kind: str = "Mailbox") -> str:
    return (
        f"<t:Mailbox><t:Name>{name}</t:Name><t:EmailAddress>{address}</t:EmailAddress>"
        f"<t:RoutingType>{routing}</t:RoutingType><t:MailboxType>{kind}</t:MailboxType></t:Mailbox>"
    )


def attendees(*boxes: str, tag: str = "RequiredAttendees", answer: str = "Unknown") -> str:
    inner = "".join(
        f"<t:Attendee>{one}<t:ResponseType>{answer}</t:ResponseType></t:Attendee>" for one in boxes
    )
    return f"<t:{tag}>{inner}</t:{tag}>"


def made(
    inner: str, owner: Iterable[str] = (ME,), addresses: Mapping[str, str] | None = None
) -> tuple[Event, list[str]]:
    found = map_event(native(event_xml(inner)), context(owner, addresses))
    event = Calendar.from_ical(found.item.body().read()).walk("VEVENT")[0]
    return event, [f"{loss.field}/{loss.reason}" for loss in found.losses]


def lines(event: Event) -> list[str]:
    found = event.get("ATTENDEE", [])
    return [str(one) for one in (found if isinstance(found, list) else [found])]


@pytest.mark.parametrize("answer", ["", "Organizer"])
def test_an_appointment_without_attendees_names_nobody(answer: str) -> None:
    inner = f"<t:MyResponseType>{answer}</t:MyResponseType><t:Organizer>{box('Me', ME)}</t:Organizer>"
    event, lost = made(inner)
    assert "ORGANIZER" not in event
    assert "ATTENDEE" not in event
    assert lost == []


def test_an_unknown_organizer_of_an_appointment_is_no_loss() -> None:
    _, lost = made(f"<t:Organizer>{box('Gone', '/o=gone', 'EX')}</t:Organizer>", owner=())
    assert lost == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Accept", "ACCEPTED"),
        ("Decline", "DECLINED"),
        ("Tentative", "TENTATIVE"),
        ("NoResponseReceived", "NEEDS-ACTION"),
    ],
)
def test_the_owners_answer_stands_on_the_owners_line(answer: str, expected: str) -> None:
    inner = f"<t:MyResponseType>{answer}</t:MyResponseType>"
    inner += f"<t:Organizer>{box('Boss', 'b@x.example')}</t:Organizer>"
    event, _ = made(inner + attendees(box("Me", ME.upper()), box("You", "you@x.example")))
    mine, yours = event["ATTENDEE"]
    assert (mine.params["PARTSTAT"], yours.params["PARTSTAT"]) == (expected, "NEEDS-ACTION")


def test_any_of_the_owners_addresses_is_the_owner() -> None:
    inner = "<t:MyResponseType>Accept</t:MyResponseType>" + attendees(box("Me", "alias@kiel.example"))
    event, lost = made(inner, owner=(ME, "alias@kiel.example"))
    assert event["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"
    assert "ORGANIZER" not in event
    assert lost == ["organizer/unknown"]


def test_in_a_meeting_of_ones_own_the_attendees_answers_count() -> None:
    inner = "<t:MyResponseType>Organizer</t:MyResponseType>" + attendees(
        box("You", "you@x.example"), answer="Decline"
    )
    event, _ = made(inner + f"<t:Organizer>{box('Me', '/o=unknown/cn=me', 'EX')}</t:Organizer>")
    assert event["ATTENDEE"].params["PARTSTAT"] == "DECLINED"
    assert str(event["ORGANIZER"]) == f"mailto:{ME}"


def test_an_answer_of_no_known_kind_is_none_and_named() -> None:
    _, lost = made(attendees(box("You", "you@x.example"), answer="Perhaps"))
    assert lost == ["attendee/unknown-answer"]


def test_a_proposed_time_is_named() -> None:
    proposal = "<t:ProposedStart>2026-06-02T09:00:00Z</t:ProposedStart></t:Attendee>"
    _, lost = made(attendees(box("You", "you@x.example")).replace("</t:Attendee>", proposal))
    assert lost == ["attendee/proposed-time"]


@pytest.mark.parametrize("state", ["", "<t:AppointmentState>3</t:AppointmentState>"])
def test_a_meeting_that_does_not_say_whose_it_is(state: str) -> None:
    """Exchange says Unknown for a meeting that was never answered and never processed."""
    inner = f"<t:MyResponseType>Unknown</t:MyResponseType><t:IsMeeting>true</t:IsMeeting>{state}"
    inner += "<t:LegacyFreeBusyStatus>Tentative</t:LegacyFreeBusyStatus>"
    event, lost = made(inner + f"<t:Organizer>{box('Boss', 'b@x.example')}</t:Organizer>")
    assert lines(event) == [f"mailto:{ME}"]
    assert event["STATUS"] == "CONFIRMED"
    assert lost == ["attendee/owner-added"]


def test_every_attendee_stands_once_and_nobody_without_name_or_address() -> None:
    empty = "<t:Mailbox><t:Name> </t:Name></t:Mailbox>"
    event, lost = made(
        attendees(box("A", "a@x.example"), empty)
        + attendees(box("a", "A@X.example"), box("B", "b@x.example"), tag="OptionalAttendees")
    )
    assert lines(event) == ["mailto:a@x.example", "mailto:b@x.example"]
    assert lost == ["attendee/empty", "attendee/twice"]


def test_people_without_address_stay_by_name_and_apart() -> None:
    event, lost = made(attendees(box("A", "/o=x/cn=a", "EX"), box("B", "/o=x/cn=b", "EX"), box("C", "")))
    assert len(set(lines(event))) == 3
    assert all(one.startswith("invalid:nomail-") for one in lines(event))
    assert [one.params["CN"] for one in event["ATTENDEE"]] == ["A", "B", "C"]
    assert lost == ["address/not-in-directory", "address/no-address"]


def test_rooms_are_known_by_the_place() -> None:
    inner = "<t:Location>Saal 1; Elsewhere</t:Location>"
    resources = (
        box("Saal 1", "s1@x.example"),
        box("Bus", "bus@x.example"),
        box("L", "l@x.example", kind="PublicDL"),
    )
    event, _ = made(inner + attendees(*resources, tag="Resources"))
    assert [one.params["CUTYPE"] for one in event["ATTENDEE"]] == ["ROOM", "RESOURCE", "GROUP"]
    assert {one.params["ROLE"] for one in event["ATTENDEE"]} == {"NON-PARTICIPANT"}


def test_a_silent_target_gets_the_agent_on_every_line() -> None:
    target = Capabilities(frozenset({Kind.CALENDAR}), silent_agent=True)
    inner = f"<t:Organizer>{box('Me', ME)}</t:Organizer>" + attendees(
        box("A", "a@x.example"), box("B", "b@x.example")
    )
    found = map_event(native(event_xml(inner)), context((ME,), target=target))
    raw = found.item.body().read().replace(b"\r\n ", b"")
    assert raw.count(b"SCHEDULE-AGENT=CLIENT") == 3
    assert [loss.reason for loss in found.losses] == ["agent-client"]
    alone = map_event(
        native(event_xml(f"<t:Organizer>{box('Me', ME)}</t:Organizer>")), context((ME,), target=target)
    )
    assert alone.losses == ()
    assert b"SCHEDULE-AGENT" not in alone.item.body().read()


@pytest.mark.parametrize("written", [DN, DN.upper(), IMCEAEX, IMCEAEX.lower(), "X500:" + DN, "EX:" + DN])
@pytest.mark.parametrize("routing", ["SMTP", "EX"])
def test_internal_addresses_resolve_in_every_spelling(written: str, routing: str) -> None:
    assert resolve(written, context(addresses=KNOWN), routing) == ("erika@kiel.example", None)


def test_a_directory_may_list_the_encapsulated_form() -> None:
    listed = {IMCEAEX.lower(): "erika@kiel.example"}
    assert resolve(IMCEAEX, context(addresses=listed))[0] == "erika@kiel.example"
    assert legacy_dn(IMCEAEX).lower() == DN.lower()
    assert DN.lower() in spellings(IMCEAEX)


@pytest.mark.parametrize(
    ("written", "routing", "address", "reason"),
    [
        ("A.B@x.example", "SMTP", "A.B@x.example", None),
        ("smtp:a@x.example", "SMTP", "a@x.example", None),
        (" <a@x.example> ", "SMTP", "a@x.example", None),
        ('"a b"@x.example', "SMTP", None, "no-address"),
        ("ä@dömäin.example", "SMTP", "ä@dömäin.example", None),
        ("", "SMTP", None, None),
        ("nobody", "SMTP", None, "no-address"),
        ("a@x.example, b@x.example", "SMTP", None, "no-address"),
        ("+49 431 1", "FAX", None, "no-address"),
        ("/o=x/cn=y", "SMTP", None, "not-in-directory"),
        ("/o=x/cn=y", "EX", None, "not-in-directory"),
        ("a@x.example", "EX", "a@x.example", None),
        (IMCEAEX, "SMTP", None, "not-in-directory"),
        ("IMCEAFAX-431@x.example", "SMTP", None, "no-address"),
        ("a" * 320 + "@x.example", "SMTP", None, "no-address"),
    ],
)
def test_addresses(written: str, routing: str, address: str | None, reason: str | None) -> None:
    found, loss = resolve(written, context(), routing)
    assert (found, loss.reason if loss else None) == (address, reason)


def test_a_mailbox_is_read_with_or_without_its_wrapping() -> None:
    wrapped = element(f"<t:Organizer>{box('A', 'a@x.example')}</t:Organizer>")[0]
    assert smtp(wrapped, context()) == smtp(wrapped[0], context()) == ("a@x.example", None)


def test_the_uri_of_nobody_says_nothing_about_them() -> None:
    assert nowhere("Erika Muster") == nowhere("Erika Muster") != nowhere("Erik Muster")
    assert "uster" not in nowhere("Erika Muster")


def test_strange_characters_in_an_address_are_encoded() -> None:
    event, _ = made(attendees(box("A", "ä'%@x.example")))
    assert lines(event) == ["mailto:%C3%A4'%25@x.example"]
