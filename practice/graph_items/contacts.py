"""Answer about contacts over Graph: folders, contacts, their pictures, and delta.

Lists of people are not among Graph's contacts, nor does a contact have attachments: it gives neither.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable

from practice.contacts.cards import Contact, Place
from practice.exchange.records import plain_text
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.delta import Token, Tracked, delta, delta_link, next_link, read_token
from practice.graph.errors import bad_filter, no_such_resource, not_found, untracked
from practice.graph.query import PAGE, Query, checked, paged
from practice.graph.wire import Json, instant, rest_id, streamed
from practice.graph_items.extended import MULTI, SINGLE, expanded, of_folder
from practice.graph_items.mapi import NO_DAY
from practice.mail.letters import Attachment
from practice.world.folders import Did, Folder
from practice.world.messages import Message

NEEDS = frozenset({"Contacts.Read"})
Getter = Callable[[Message, Contact], object]
_BY_EMAIL = re.compile(r"emailAddresses/any\(\s*(\w+):\s*\1/address eq '([^']*)'\)")
_PNG = b"\x89PNG\r\n\x1a\n"


def is_address_book(folder: Folder) -> bool:
    """Return whether a folder is an address book."""
    return folder.folder_class.startswith("IPF.Contact") and folder.kind == "normal"


def _folder(context: Context) -> Folder:
    """Return the folder that the address names, by id or as "contacts"; else the default one.

    Raises:
        GraphError: there is none.
    """
    given = context.names.get("folder", "contacts")
    if given.lower() == "contacts":
        return context.box.distinguished("contacts")
    folder = context.folder(given)
    if not is_address_book(folder):
        raise not_found()
    return folder


def _row(folder: Folder) -> Json:
    parent = folder.parent or folder
    return {"id": rest_id(folder.id), "parentFolderId": rest_id(parent.id), "displayName": folder.name}


def _folders(context: Context) -> Reply:
    """Answer with the default folder and those at its side; below another, with its own."""
    parent = _folder(context) if "folder" in context.names else context.box.root
    rows = [_row(folder) for folder in parent.children if is_address_book(folder)]
    query = checked(context.query, ("displayName", "parentFolderId"), "contactFolder", (SINGLE,))
    return context.say(paged(context.ask, rows, query))


def _get_folder(context: Context) -> Reply:
    folder = _folder(context)
    content = context.query.shown(_row(folder))
    return context.say(content | of_folder(context.query, lambda tag: property_of(folder, tag)))


def property_of(folder: Folder, tag: int) -> object:
    """Return a MAPI property of a calendar or an address book: its class, if it is hidden, how many items."""
    kind = folder.folder_class or None
    return {0x3613: kind, 0x10F4: folder.kind == "hidden", 0x3602: folder.total}.get(tag)


def _folders_delta(context: Context) -> Reply:
    token = read_token(context, "ContactFolders") or Token("ContactFolders")
    high = token.high or context.box.change
    rows: list[Json] = []
    for change in context.box.folder_changes(token.since):
        if change.number > high:
            continue
        if change.did is Did.DELETED or change.folder is None:
            rows.append({"id": rest_id(change.id), "@removed": {"reason": "deleted"}})
        elif is_address_book(change.folder):
            rows.append(_row(change.folder))
    size = context.ask.prefer.page or PAGE
    content: Json = {"value": rows[token.skip : token.skip + size]}
    if token.skip + size < len(rows):
        content |= next_link(context, token.later(skip=token.skip + size, high=high))
    else:
        content |= delta_link(context, token.round(high))
    return context.say(content)


def _phones(one: Contact, *keys: str) -> list[str]:
    return [number for wanted in keys for key, number in one.phones if key == wanted]


def _address(one: Contact, kind: str) -> Json:
    place = next((place for name, place in one.places if name == kind), Place())
    parts = {
        "street": place.street,
        "city": place.city,
        "state": place.state,
        "countryOrRegion": place.country,
        "postalCode": place.code,
    }
    return {name: text for name, text in parts.items() if text is not None}


def _emails(one: Contact) -> list[Json]:
    """Return the addresses in their order, without the free places: the places are not stated."""
    return [{"name": each.name or each.address, "address": each.address} for each in one.emails if each]


_FIELDS: dict[str, Getter] = {
    "createdDateTime": lambda _, one: instant(one.common.created),
    "lastModifiedDateTime": lambda _, one: instant(one.common.modified),
    "changeKey": lambda item, _: item.change_key,
    "categories": lambda _, one: list(one.common.categories),
    "parentFolderId": lambda item, _: rest_id(item.folder.id),
    "birthday": lambda _, one: None if one.birthday == NO_DAY else instant(one.birthday),
    "fileAs": lambda _, one: one.filed_as or "",
    "displayName": lambda _, one: one.display_name,
    "givenName": lambda _, one: one.given,
    "initials": lambda _, one: one.initials,
    "middleName": lambda _, one: one.middle,
    "nickName": lambda _, one: one.nickname,
    "surname": lambda _, one: one.surname,
    "title": lambda _, one: one.title,
    "yomiGivenName": lambda _, one: one.yomi_given,
    "yomiSurname": lambda _, one: one.yomi_surname,
    "yomiCompanyName": lambda *_: None,
    "generation": lambda _, one: one.suffix,
    "imAddresses": lambda _, one: list(one.ims),
    "jobTitle": lambda _, one: one.job_title,
    "companyName": lambda _, one: one.company,
    "department": lambda _, one: one.department,
    "officeLocation": lambda _, one: one.office,
    "profession": lambda _, one: one.profession,
    "businessHomePage": lambda _, one: one.homepage,
    "assistantName": lambda _, one: one.assistant,
    "manager": lambda _, one: one.manager,
    "homePhones": lambda _, one: _phones(one, "HomePhone", "HomePhone2"),
    "mobilePhone": lambda _, one: next(iter(_phones(one, "MobilePhone")), None),
    "businessPhones": lambda _, one: _phones(one, "BusinessPhone", "BusinessPhone2"),
    "spouseName": lambda _, one: one.spouse,
    "personalNotes": lambda _, one: plain_text(one.common.body) if one.common.html else one.common.body,
    "children": lambda _, one: list(one.children),
    "emailAddresses": lambda _, one: _emails(one),
    "homeAddress": lambda _, one: _address(one, "Home"),
    "businessAddress": lambda _, one: _address(one, "Business"),
    "otherAddress": lambda _, one: _address(one, "Other"),
}


def _of(item: Message) -> Contact:
    if not isinstance(item.record, Contact):
        raise not_found()
    return item.record


def shown(context: Context, item: Message, query: Query) -> Json:
    """Return what is selected of the contact."""
    one = _of(item)
    content: Json = {"@odata.etag": f'W/"{item.change_key}"', "id": context.item_id(item)}
    content |= {name: getter(item, one) for name, getter in _FIELDS.items() if query.wants(name)}
    return content | expanded(item, query)


def check(query: Query) -> Query:
    """Return the query, if a contact has what it names."""
    return checked(query, _FIELDS, "contact", (SINGLE, MULTI))


def _contacts(folder: Folder) -> list[Message]:
    return [item for item in folder.items if isinstance(item.record, Contact)]


def _list(context: Context) -> Reply:
    query = check(context.query)
    found = _contacts(_folder(context))
    if query.filter is not None:
        match = _BY_EMAIL.fullmatch(query.filter)
        if match is None:
            raise bad_filter()
        found = [one for one in found if any(e and e.address == match[2] for e in _of(one).emails)]
    return context.say(paged(context.ask, [shown(context, item, query) for item in found], query))


def _contact(context: Context) -> Message:
    item = context.item(context.names["contact"])
    _of(item)
    if "folder" in context.names and _folder(context) is not item.folder:
        raise not_found()
    return item


def _get(context: Context) -> Reply:
    content = shown(context, _contact(context), check(context.query))
    return context.say({"@odata.context": f"{context.ask.base}/$metadata#contacts/$entity", **content})


def _picture(context: Context) -> Attachment:
    """Return the picture.

    Raises:
        GraphError: 404 if there is none, or an empty one.
    """
    for one in _contact(context).attachments:
        if one.contact_photo and one.content:
            return one
    raise not_found()


def _photo(context: Context) -> Reply:
    one = _picture(context)
    width, height = _sides(one.content)
    return context.say(
        {
            "@odata.context": f"{context.ask.base}/$metadata#photo/$entity",
            "@odata.mediaContentType": _kind(one.content),
            "@odata.mediaEtag": f'"{len(one.content):08X}"',
            "id": f"{width}X{height}",
            "width": width,
            "height": height,
        }
    )


def _photo_value(context: Context) -> Reply:
    content = _picture(context).content
    return streamed(io.BytesIO(content), _kind(content))


def _kind(content: bytes) -> str:
    return "image/png" if content.startswith(_PNG) else "image/jpeg"


def _sides(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG or a JPEG; (1, 1) of anything else."""
    if content.startswith(_PNG):
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    at = content.find(b"\xff\xc0")
    if at < 0:
        return 1, 1
    height, width = struct.unpack(">HH", content[at + 5 : at + 9])
    return width, height


_TRACKED = Tracked(
    "Contacts",
    "#microsoft.graph.contact",
    shown,
    takes=lambda item: isinstance(item.record, Contact),
    refuses=("$orderby", "$search", "$expand", "$filter"),
)


def _delta(context: Context) -> Reply:
    if "folder" in context.names and context.names["folder"].lower() == "delta":
        raise no_such_resource("delta")
    if "$filter" in context.ask.query:
        raise untracked("Contacts", "$filter")
    return delta(context, _folder(context), _TRACKED, check)


_USER = "users/{user}"
_ONE = f"{_USER}/contactFolders/{{folder}}"


def _ways(of: str) -> tuple[Route, ...]:
    return (
        Route(f"{of}/contacts", "ListContacts", NEEDS, _list),
        Route(f"{of}/contacts/delta", "Delta", NEEDS, _delta),
        Route(f"{of}/contacts/{{contact}}", "ReadItem", NEEDS, _get, "contact"),
        Route(f"{of}/contacts/{{contact}}/photo", "ReadPhoto", NEEDS, _photo, "contact"),
        Route(f"{of}/contacts/{{contact}}/photo/$value", "ReadPhoto", NEEDS, _photo_value, "contact"),
    )


ROUTES = (
    Route(f"{_USER}/contactFolders", "ListFolders", NEEDS, _folders),
    Route(f"{_USER}/contactFolders/delta", "Delta", NEEDS, _folders_delta),
    Route(_ONE, "GetFolder", NEEDS, _get_folder),
    Route(f"{_ONE}/childFolders", "ListFolders", NEEDS, _folders),
    *_ways(_USER),
    *_ways(_ONE),
)
