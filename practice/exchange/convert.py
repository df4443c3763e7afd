"""ConvertId: from the EWS form of an id to the MAPI entry id inside of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from practice.exchange.context import MALFORMED, Context
from practice.exchange.soap import Call, EwsError, M, T, escape, failure, schema_fault

_ENTRY = slice(42, None)
_FORMATS = frozenset({"EwsLegacyId", "EwsId", "EntryId", "HexEntryId", "StoreId", "OwaId"})


def convert_id(context: Context, call: Call) -> Iterator[bytes]:
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
