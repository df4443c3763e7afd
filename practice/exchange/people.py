"""Answer what is asked in addition to items: members of lists, and ids in other forms."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from practice.contacts.groups import expand, public_members
from practice.exchange.context import MALFORMED, Context
from practice.exchange.soap import Call, EwsError, M, T, boolean, escape, failure, message, schema_fault
from practice.world.people import Person

_NO_LIST = EwsError("ErrorNameResolutionNoResults", "No results are found.")
_ENTRY = slice(42, None)
_FORMATS = frozenset({"EwsLegacyId", "EwsId", "EntryId", "HexEntryId", "StoreId", "OwaId"})


def expand_dl(context: Context, call: Call) -> Iterator[bytes]:
    """Answer ExpandDL: one level of a list.

    The organisation's are named by address, personal ones by item id.
    """
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


def convert_id(context: Context, call: Call) -> Iterator[bytes]:
    """Answer ConvertId, from the EWS form of an id to the MAPI entry id inside of it.

    exchangelib learns a version by it.
    """
    wanted = call.element.get("DestinationFormat", "")
    sources = call.element.find(f"{M}SourceIds")
    if wanted not in _FORMATS or sources is None:
        raise schema_fault("The 'DestinationFormat' attribute or the SourceIds are missing or invalid.")
    for source in sources.iterfind(f"{T}AlternateId"):
        try:
            if source.get("Format") != "EwsId":
                raise EwsError("ErrorUnsupportedTypeForConversion", "Only EwsId can be converted here.")
            text = _converted(context, source.get("Id", ""), wanted)
        except EwsError as error:
            yield failure("ConvertId", error).encode()
            continue
        yield (
            '<m:ConvertIdResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
            '<m:AlternateId xsi:type="t:AlternateIdType" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            f' Format="{wanted}" Id="{text}" Mailbox="{escape(source.get("Mailbox", ""))}"/>'
            "</m:ConvertIdResponseMessage>"
        ).encode()


def _converted(context: Context, ews_id: str, wanted: str) -> str:
    context.mailbox_of(ews_id)
    entry = base64.b64decode(ews_id)[_ENTRY]
    if wanted == "HexEntryId":
        return entry.hex().upper()
    if wanted == "EntryId":
        return base64.b64encode(entry).decode()
    if wanted == "EwsId":
        return ews_id
    raise EwsError("ErrorInvalidIdMalformed", MALFORMED)
