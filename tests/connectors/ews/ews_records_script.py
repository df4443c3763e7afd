"""A scripted Exchange that holds appointments, contacts, tasks and notes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ews_responder import Answer, Request, envelope, error, message, root_folder
from lxml import etree

from model.kinds import Kind
from model.protocols import Body, Container, Failed, Native, key_of

CALENDAR = Container(Kind.CALENDAR, "CAL", ("Kalender",))
CONTACTS = Container(Kind.CONTACTS, "CON", ("Kontakte",))
TASKS = Container(Kind.TASKS, "TAS", ("Aufgaben",))
NOTES = Container(Kind.NOTES, "NOT", ("Notizen",))
T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
Flaw = Callable[[Request, int], Answer | None]


def element(tag: str, id_: str, inner: str = "", *, class_: str = "IPM.Appointment", key: str = "K1") -> str:
    return (
        f'<t:{tag}><t:ItemId Id="{id_}" ChangeKey="{key}"/><t:ItemClass>{class_}</t:ItemClass>'
        f"<t:Subject>{id_}</t:Subject>{inner}</t:{tag}>"
    )


def event(id_: str, inner: str = "") -> str:
    return element("CalendarItem", id_, f"{inner}<t:CalendarItemType>Single</t:CalendarItemType>")


def series(id_: str, *changed: tuple[str, str], extra: str = "") -> str:
    """changed: (id, original start) of each occurrence."""
    listed = "".join(
        f'<t:Occurrence><t:ItemId Id="{one}" ChangeKey="K1"/><t:Start>{start}</t:Start>'
        f"<t:OriginalStart>{start}</t:OriginalStart></t:Occurrence>"
        for one, start in changed
    )
    return element("CalendarItem", id_, f"{extra}<t:ModifiedOccurrences>{listed}</t:ModifiedOccurrences>")


def attached(*ids: str, tag: str = "FileAttachment") -> str:
    found = "".join(
        f'<t:{tag}><t:AttachmentId Id="{one}"/><t:Name>n</t:Name><t:Size>10</t:Size></t:{tag}>' for one in ids
    )
    return f"<t:Attachments>{found}</t:Attachments>"


def file_(id_: str, content: bytes | str) -> str:
    """A GetAttachment ResponseMessage; content is the file, or base64 text as it is to stand."""
    text = base64.b64encode(content).decode() if isinstance(content, bytes) else content
    found = (
        f'<t:FileAttachment><t:AttachmentId Id="{id_}"/><t:Name>n</t:Name>'
        f"<t:Content>{text}</t:Content></t:FileAttachment>"
    )
    return message("GetAttachment", f"<m:Attachments>{found}</m:Attachments>")


def mail_in(id_: str, mime: bytes) -> str:
    found = (
        f'<t:ItemAttachment><t:AttachmentId Id="{id_}"/><t:Name>n</t:Name><t:Message>'
        f"<t:MimeContent>{base64.b64encode(mime).decode()}</t:MimeContent>"
        "<t:Subject>inside</t:Subject></t:Message></t:ItemAttachment>"
    )
    return message("GetAttachment", f"<m:Attachments>{found}</m:Attachments>")


@dataclass
class Desk:
    """What the server holds: elements by item id, GetAttachment messages by attachment id. A flaw sees the
    request and how many of its operation came before."""

    items: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    flaw: Flaw = lambda _, __: None
    lists: dict[str, Answer] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        before = sum(one.operation == request.operation for one in self.asked)
        self.asked.append(request)
        return self.flaw(request, before) or self.answer(request)

    def answer(self, request: Request) -> Answer:
        if request.operation == "GetItem":
            return Answer(envelope("GetItem", *map(self.item, request.ids)))
        if request.operation == "GetAttachment":
            return Answer(envelope("GetAttachment", *map(self.file, wanted(request))))
        if request.operation == "ExpandDL":
            return self.lists[request.ids[0]]
        return root_folder()

    def item(self, id_: str) -> str:
        if id_ not in self.items:
            return error("GetItem", "ErrorItemNotFound")
        return message("GetItem", f"<m:Items>{self.items[id_]}</m:Items>")

    def file(self, id_: str) -> str:
        return self.files.get(id_) or error("GetAttachment", "ErrorItemNotFound")

    def of(self, operation: str) -> list[Request]:
        return [one for one in self.asked if one.operation == operation]


def wanted(request: Request) -> list[str]:
    """The attachments a request asks for."""
    return re.findall(r'<t:AttachmentId Id="([^"]*)"', request.xml)


def outcome(results: Iterator[Native | Failed], *ids: str) -> dict[str, Native | str]:
    """Each item's record, or the code it failed with. A second result is an error."""
    names = {key_of(id_): id_ for id_ in ids}
    found: dict[str, Native | str] = {}
    for one in results:
        id_ = names[one.key if isinstance(one, Failed) else key_of(one.ref.id)]
        assert id_ not in found
        found[id_] = one.error.code if isinstance(one, Failed) else one
    return found


def subjects(native: Native | str) -> list[str]:
    """The subjects of a record's elements, in order: the scripted items' ids."""
    return [str(one.findtext(T + "Subject")) for one in elements(native)]


def elements(native: Native | str) -> list[etree._Element]:
    assert isinstance(native, Native)
    assert native.body is not None
    with native.body() as stream:
        root = etree.fromstring(stream.read())
    assert root.tag == M + "Items"
    return list(root)


def files(native: Native | str) -> dict[str, bytes]:
    """A record's attachments, read."""
    assert isinstance(native, Native)
    held = native.properties["Attachments"]
    assert isinstance(held, dict)
    return {id_: read(body) for id_, body in held.items()}


def read(body: Body) -> bytes:
    with body() as stream:
        return stream.read()
