"""What MAPI properties tell over Graph that no word of Graph's does, and what both APIs must say alike."""

from __future__ import annotations

import pytest
from graph_asking import GraphAsker
from practice_fixtures import graph_asker_fixture, mailbox_fixture, world_fixture

from practice.calendar.appointments import Event
from practice.calendar.event_desk import at, timed
from practice.contacts.cards_made import ODDITIES as CARDS
from practice.exchange.soap import EXCHANGE
from practice.graph.wire import rest_id
from practice.world.desk import Desk
from practice.world.messages import Message
from practice.world.world import Mailbox

ADDRESS = "00062004-0000-0000-c000-000000000046"


world = world_fixture(seed=11, people=1, items=0, nasty=True, large=(), pim=10)
mailbox = mailbox_fixture(0, scope="module")
asker = graph_asker_fixture()


def told(asker: GraphAsker, path: str, *ids: str) -> dict[str, str]:
    terms = " or ".join(f"id eq '{one}'" for one in ids)
    row = asker.json(f"{path}?$select=id&$expand=singleValueExtendedProperties($filter={terms})")
    return {one["id"]: one["value"] for one in row.get("singleValueExtendedProperties", ())}


def test_calendars_and_address_books_say_their_class(asker: GraphAsker, mailbox: Mailbox) -> None:
    for role, kind, class_ in (
        ("calendar", "calendars", "IPF.Appointment"),
        ("contacts", "contactFolders", "IPF.Contact"),
    ):
        folder = mailbox.distinguished(role)
        found = told(asker, f"{kind}/{rest_id(folder.id)}", "String 0x3613", "Boolean 0x10f4")
        assert found == {"String 0x3613": class_, "Boolean 0x10f4": "false"}


def card(mailbox: Mailbox, name: str) -> Message:
    return mailbox.put(mailbox.distinguished("contacts"), CARDS[name](Desk(11, 0, name)))


@pytest.mark.parametrize(
    ("name", "attached", "pictured"),
    [("photo_png", "true", "true"), ("attached_items", "true", "false"), ("private", "false", "false")],
)
def test_a_contact_says_whether_anything_is_attached_and_whether_it_is_a_picture(
    asker: GraphAsker, mailbox: Mailbox, name: str, attached: str, pictured: str
) -> None:
    picture = f"Boolean {{{ADDRESS}}} Id 0x8015"
    found = told(asker, f"contacts/{rest_id(card(mailbox, name).immutable_id)}", "Boolean 0xe1b", picture)
    assert found == {"Boolean 0xe1b": attached, picture: pictured}


def test_a_new_time_may_be_proposed_for_an_appointment_too(asker: GraphAsker, mailbox: Mailbox) -> None:
    """One property behind both, and true unless somebody took it away (MS-OXOCAL 2.2.1.24)."""
    made = timed(Desk(11, 0, "plain"), "Ohne Gäste", at((2026, 5, 4)))
    item = mailbox.put(mailbox.distinguished("calendar"), made)
    assert asker.json(f"events/{rest_id(item.immutable_id)}")["allowNewTimeProposals"] is True
    assert isinstance(item.record, Event)
    elements = {one.uri: one.xml for one in item.record.elements(item, EXCHANGE)}
    assert elements["calendar:AllowNewTimeProposal"].endswith(">true</t:AllowNewTimeProposal>")
