"""Answer GetUserConfiguration: what programs keep beside the items of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lxml import etree

from practice.exchange.context import Context
from practice.exchange.soap import Call, EwsError, M, T, escape, failure, message
from practice.world.hours import ews_hours
from practice.world.people import Person

_KNOWN: Mapping[tuple[str, str], Callable[[Person], str | None]] = {("calendar", "workhours"): ews_hours}
"""By the folder's distinguished id, and the name of the configuration in lower case."""


def get_configuration(context: Context, call: Call) -> Iterator[bytes]:
    """Answer for one configuration in a distinguished folder; only its XML is told."""
    name = call.element.find(f"{M}UserConfigurationName")
    folder = None if name is None else name.find(f"{T}DistinguishedFolderId")
    try:
        if name is None or folder is None:
            raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")
        yield _found(context, name.get("Name", ""), folder).encode()
    except EwsError as error:
        yield failure("GetUserConfiguration", error).encode()


def _found(context: Context, name: str, folder: etree._Element) -> str:
    address = folder.findtext(f"{T}Mailbox/{T}EmailAddress") or ""
    where = folder.get("Id", "")
    owner = context.session.open(address.strip() or None).owner
    told = _KNOWN.get((where, name.lower()))
    data = None if told is None else told(owner)
    if data is None:
        raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")
    space = "t" if context.dialect.name == "gromox" else "m"  # which is not what the schema says
    return message(
        "GetUserConfiguration",
        f'<{space}:UserConfiguration><t:UserConfigurationName Name="{escape(name)}">'
        f'<t:DistinguishedFolderId Id="{where}"/></t:UserConfigurationName>'
        f"<t:XmlData>{data}</t:XmlData></{space}:UserConfiguration>",
    )
