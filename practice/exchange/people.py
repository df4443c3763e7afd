"""What is asked beside the items: pictures, members of lists, categories with their colours, time zones."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator

from lxml import etree

from practice.calendar.timezones import ZONES, Zone
from practice.contacts.groups import expand, public_members
from practice.contacts.photos import portrait
from practice.exchange.context import Context
from practice.exchange.folders import id_elements
from practice.exchange.soap import (
    Call,
    EwsError,
    M,
    T,
    boolean,
    escape,
    failed,
    failure,
    message,
    schema_fault,
)
from practice.harness.dice import digest
from practice.world.categories import master_list
from practice.world.people import Person

_SIZES = frozenset({48, 64, 96, 120, 240, 360, 432, 504, 648})
_NO_LIST = EwsError("ErrorNameResolutionNoResults", "No results are found.")


def get_server_time_zones(_: Context, call: Call) -> Iterator[bytes]:
    full = call.element.get("ReturnFullTimeZoneData", "true").lower() in ("true", "1")
    wanted = [each.text for each in call.element.iterfind(f"{M}Ids/{T}Id")]
    zones = "".join(_zone(zone, full) for id_, zone in ZONES.items() if not wanted or id_ in wanted)
    content = f"<m:TimeZoneDefinitions>{zones}</m:TimeZoneDefinitions>"
    yield message("GetServerTimeZones", content).encode()


def _zone(zone: Zone, full: bool) -> str:
    inner = zone.definition() if full else ""
    return f"<t:TimeZoneDefinition {zone.attributes()}>{inner}</t:TimeZoneDefinition>"


def get_user_photo(context: Context, call: Call) -> Iterator[bytes]:
    """Of anybody in the directory; somebody without a picture is ErrorItemNotFound."""
    address = (call.element.findtext(f"{M}Email") or "").strip()
    size = (call.element.findtext(f"{M}SizeRequested") or "").strip()
    side = size.removeprefix("HR").partition("x")[0]
    if not side.isdigit() or int(side) not in _SIZES:
        raise schema_fault(f"The 'SizeRequested' element is invalid - The value '{size}' is invalid.")
    try:
        content = _picture(context, address, int(side))
    except EwsError as error:
        content = f'<m:GetUserPhotoResponse ResponseClass="Error">{failed(error)}</m:GetUserPhotoResponse>'
    yield from context.dialect.bare(content)


def _picture(context: Context, address: str, side: int) -> str:
    people = context.world.people
    try:
        picture = portrait(people.seed, people.find(address).index, side)
    except KeyError:
        raise EwsError(
            "ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it."
        ) from None
    if picture is None:
        raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")
    data = base64.b64encode(picture).decode()
    return (
        '<m:GetUserPhotoResponse ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"<m:HasChanged>true</m:HasChanged><m:PictureData>{data}</m:PictureData>"
        "<m:ContentType>image/jpeg</m:ContentType></m:GetUserPhotoResponse>"
    )


def expand_dl(context: Context, call: Call) -> Iterator[bytes]:
    """One level of a list of the organisation, by address, or of a personal one, by its item id."""
    box = call.element.find(f"{M}Mailbox")
    if box is None:
        raise schema_fault("A Mailbox is required.")
    item = box.find(f"{T}ItemId")
    try:
        if item is not None:
            members = expand(context.item(item.get("Id", "")))
        else:
            members = _public(context, (box.findtext(f"{T}EmailAddress") or "").strip())
    except EwsError as error:
        yield failure("ExpandDL", error).encode()
        return
    content = (
        f'<m:DLExpansion TotalItemsInView="{len(members)}" IncludesLastItemInRange="{boolean(True)}">'
        f"{''.join(members)}</m:DLExpansion>"
    )
    yield message("ExpandDL", content).encode()


def _public(context: Context, address: str) -> list[str]:
    found = public_members(context.world.people, address)
    if found is None:
        raise _NO_LIST
    return [_mailbox(person) for person in found]


def _mailbox(person: Person) -> str:
    return (
        f"<t:Mailbox><t:Name>{escape(person.name)}</t:Name><t:EmailAddress>{person.address}</t:EmailAddress>"
        "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>"
    )


def get_user_configuration(context: Context, call: Call) -> Iterator[bytes]:
    """Only the master category list exists, in the default calendar; the schema knows more."""
    name = call.element.find(f"{M}UserConfigurationName")
    if name is None:
        raise schema_fault("A UserConfigurationName is required.")
    wanted = (call.element.findtext(f"{M}UserConfigurationProperties") or "").strip()
    try:
        folder = context.folder(id_elements(name)[0])
        if name.get("Name") != "CategoryList" or folder.role != "calendar":
            raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")
    except EwsError as error:
        yield failure("GetUserConfiguration", error).encode()
        return
    list_ = master_list(folder.mailbox).encode("utf-8")
    key = uuid.UUID(bytes=digest(folder.id, "CategoryList"))
    where = etree.QName(name[0]).localname
    inner = f'<t:UserConfigurationName Name="CategoryList"><t:{where} Id="{escape(name[0].get("Id", ""))}"/>'
    inner += "</t:UserConfigurationName>"
    if wanted in ("Id", "All"):
        inner += f'<t:ItemId Id="{base64.b64encode(key.bytes * 4).decode()}"/>'
    if wanted in ("Dictionary", "All"):
        inner += _dictionary()
    if wanted in ("XmlData", "All"):
        inner += f"<t:XmlData>{base64.b64encode(list_).decode()}</t:XmlData>"
    content = f"<m:UserConfiguration>{inner}</m:UserConfiguration>"
    yield message("GetUserConfiguration", content).encode()


def _dictionary() -> str:
    return (
        "<t:Dictionary><t:DictionaryEntry><t:DictionaryKey><t:Type>String</t:Type>"
        "<t:Value>OLPrefsVersion</t:Value></t:DictionaryKey><t:DictionaryValue><t:Type>Integer32</t:Type>"
        "<t:Value>1</t:Value></t:DictionaryValue></t:DictionaryEntry></t:Dictionary>"
    )
