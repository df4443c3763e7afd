"""Our answers have the shape of the answers in Microsoft's documentation: the same names, the same types.

Every difference there is, is named below; one more or one less fails the test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from graph_asking import GraphAsker, asking_graph
from practice_fixtures import world_fixture
from samples import samples

from practice.calendar.events import ODDITIES as EVENTS
from practice.contacts.cards_made import ODDITIES as CARDS
from practice.exchange.properties import attachment_id
from practice.graph.server import GraphServer
from practice.graph.wire import rest_id
from practice.tasks.tasks import ODDITIES as CHORES
from practice.world.desk import Desk
from practice.world.messages import Message
from practice.world.records import Record
from practice.world.world import Mailbox, World

pytestmark = pytest.mark.samples
WINDOW = "startDateTime=2026-01-01&endDateTime=2026-12-31"
Path = Callable[["Things"], str]


@dataclass(frozen=True)
class Things:
    """The items our answers are about."""

    mail: Message
    report: Message
    meeting: Message
    attached: Message
    event: Message
    series: Message
    contact: Message
    pictured: Message
    task: Message

    @staticmethod
    def id(item: Message) -> str:
        return rest_id(item.immutable_id)

    def inside(self, item: Message, nth: int = 0) -> str:
        return rest_id(attachment_id(item, nth))


world = world_fixture(seed=11, people=5, items=150, nasty=True, large=(), pim=20)


@pytest.fixture(scope="module")
def things(world: World) -> Things:
    mailbox = world.mailbox(world.addresses()[0])
    inbox = mailbox.distinguished("inbox")
    return Things(
        mail=mailbox.deliver(inbox, subject="Muster", text="Text"),
        report=mailbox.deliver(inbox, recipe="ndr"),
        meeting=mailbox.deliver(inbox, recipe="meeting_request"),
        attached=mailbox.deliver(inbox, recipe="attachment"),
        event=_put(mailbox, "calendar", EVENTS["enhanced_location"](Desk(11, 0, "a"))),
        series=_put(mailbox, "calendar", EVENTS["series_other_attendees"](Desk(11, 0, "b"))),
        contact=_put(mailbox, "contacts", CARDS["everything"](Desk(11, 0, "c"))),
        pictured=_put(mailbox, "contacts", CARDS["photo_jpeg"](Desk(11, 0, "d"))),
        task=_put(mailbox, "tasks", CHORES["everything"](Desk(11, 0, "e"))),
    )


def _put(mailbox: Mailbox, role: str, record: Record) -> Message:
    return mailbox.put(mailbox.distinguished(role), record)


@pytest.fixture(scope="module")
def asker(world: World, things: Things) -> Iterator[GraphAsker]:
    with GraphServer(world, steps=True) as graph, asking_graph(graph, world.addresses()[0]) as one:
        yield one


def tasks(things: Things) -> str:
    return f"todo/lists/{rest_id(things.task.folder.id)}/tasks"


CASES: dict[str, Path] = {
    "message-get--1": lambda it: f"messages/{it.id(it.mail)}",
    "message-get--2": lambda it: f"messages/{it.id(it.mail)}?$select=internetMessageHeaders",
    "message-get--3": lambda it: f"messages/{it.id(it.mail)}?$select=subject,body,bodyPreview,uniqueBody",
    "message-delta--1": lambda _: "mailFolders/inbox/messages/delta?$top=1",
    "message-list-attachments--1": lambda it: f"messages/{it.id(it.attached)}/attachments",
    "attachment-get--1": lambda it: f"messages/{it.id(it.attached)}/attachments/{it.inside(it.attached)}",
    "mailfolder-get--1": lambda _: "mailFolders/inbox",
    "mailfolder-delta--1": lambda _: "mailFolders/delta?$top=1",
    "mailfolder-list-childfolders--1": lambda _: "mailFolders/msgfolderroot/childFolders",
    "mailfolder-list-messages--1": lambda _: "mailFolders/inbox/messages",
    "user-list-mailfolders--1": lambda _: "mailFolders?$top=50",
    "user-list-mailfolders--2": lambda _: "mailFolders?includeHiddenFolders=true&$top=50",
    "eventmessage-get--1": lambda it: f"messages/{it.id(it.meeting)}",
    "user-get--1": lambda _: "",
    "calendar-get--1": lambda _: "calendar",
    "user-list-calendars--1": lambda _: "calendars",
    "user-list-calendargroups--1": lambda _: "calendarGroups",
    "calendar-list-events--1": lambda _: "calendar/events",
    "calendar-list-calendarview--1": lambda _: f"calendar/calendarView?{WINDOW}",
    "event-delta--1": lambda _: f"calendarView/delta?{WINDOW}&$top=2",
    "event-get--1": lambda it: f"events/{it.id(it.series)}",
    "event-get--2": lambda it: f"events/{it.id(it.event)}",
    "event-list-instances--1": lambda it: f"events/{it.id(it.series)}/instances?{WINDOW}",
    "user-list-events--1": lambda _: "events?$top=50",
    "contact-get--1": lambda it: f"contacts/{it.id(it.contact)}",
    "contact-delta--1": lambda _: "contactFolders/contacts/contacts/delta?$top=1",
    "contactfolder-get--1": lambda _: "contactFolders/contacts",
    "contactfolder-list-childfolders--1": lambda _: "contactFolders/contacts/childFolders",
    "user-list-contactfolders--1": lambda _: "contactFolders",
    "profilephoto-get--1": lambda it: f"contacts/{it.id(it.pictured)}/photo",
    "todo-list-lists--1": lambda _: "todo/lists",
    "todotask-get--1": lambda it: f"{tasks(it)}/{rest_id(it.task.id)}",
    "todotasklist-list-tasks--1": lambda it: f"{tasks(it)}?$top=50&$expand=linkedResources",
}
DIFFERENCES: dict[str, set[str]] = {
    # Nobody proposes another time; this series takes place nowhere.
    "event-get--1": {"attendees[]/proposedNewTime", "locations[]", "location/uniqueId"},
    # An appointment of the owner's alone; a place without a state.
    "event-get--2": {"attendees[]", "locations[]/address/state"},
    "user-get--1": {"businessPhones[]"},  # nobody has one in the practice directory
}
"""By sample: what it has and we do not ("path"), and what is of another type ("path: theirs ours")."""

_CONTEXT = re.compile(r"(^|/)(@odata\.(context|id|nextLink|deltaLink)|\w+@odata\.context)$")


def shape(value: object, path: str = "") -> dict[str, set[str]]:
    """The types that stand at each path; rows of a list are one."""
    found: dict[str, set[str]] = {path: {_kind(value)}}
    inner: list[tuple[str, object]] = []
    if isinstance(value, dict):
        inner = [(f"{path}/{name}".lstrip("/"), each) for name, each in value.items()]
    elif isinstance(value, list):
        inner = [(f"{path}[]", each) for each in value]
    for name, each in inner:
        for at, kinds in shape(each, name).items():
            found.setdefault(at, set()).update(kinds)
    return found


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def differences(theirs: dict[str, set[str]], ours: dict[str, set[str]]) -> set[str]:
    missing = {path for path in theirs if path not in ours and not _CONTEXT.search(path)}
    top = {path for path in missing if not any(path.startswith((f"{one}/", f"{one}[")) for one in missing)}
    other = {
        f"{path}: {'|'.join(sorted(kinds))} {'|'.join(sorted(ours[path]))}"
        for path, kinds in theirs.items()
        if path in ours and not (kinds & ours[path]) and "null" not in kinds | ours[path]
    }
    return top | other


@pytest.mark.parametrize("name", sorted(CASES))
def test_our_answer_has_the_shape_of_the_sample(name: str, asker: GraphAsker, things: Things) -> None:
    sample = json.loads((samples("graph-samples") / f"{name}.json").read_text())["body"]
    ours = asker.json(CASES[name](things))
    assert differences(shape(sample), shape(ours)) == DIFFERENCES.get(name, set())
