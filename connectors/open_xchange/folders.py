"""Name in the HTTP API the folders that DAV names by paths, and their items.

As recorded on 8.19: /carddav/32/ is con://0/32; the last segment of a calendar or a task list is the base64
of its id, cal://0/31 or 33.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote

from connectors.http.hrefs import quoted, segment
from connectors.open_xchange.client import ApiClient
from model.errors import Blocked, Rejected
from model.kinds import Kind

SUFFIX = {Kind.CONTACTS: ".vcf"}
_UID = re.compile(r"kogge-([0-9a-f]{32})")
_IDS = {
    Kind.CALENDAR: re.compile(r"cal://\d{1,10}/\d{1,10}", re.ASCII),
    Kind.CONTACTS: re.compile(r"\d{1,10}", re.ASCII),
    Kind.TASKS: re.compile(r"\d{1,10}", re.ASCII),
}


SETTINGS_CLOSED = frozenset({"password-scopes", "no-permission"})
"""A password or an account may have the right to its folders, and none to its settings."""


def folder_of(kind: Kind, href: str) -> str:
    """Return the API's id of a collection.

    Args:
        kind: the kind of its items.
        href: its canonical path.

    Raises:
        Blocked: "no-http-api" for a path that follows another rule than the one that was recorded.
    """
    last = unquote(segment(href))
    id_ = last if kind is Kind.CONTACTS else _decoded(last)
    if not _IDS[kind].fullmatch(id_):
        raise Blocked("no-http-api", "the names of the collections are not those of Open-Xchange 8.19")
    return f"con://0/{id_}" if kind is Kind.CONTACTS else id_


def default_book(client: ApiClient) -> str | None:
    """Return the number of the account's default address book; None where the API does not say.

    Args:
        client: the API.

    Raises:
        Transient: the retries are used up.
        Blocked: the server refuses the login, or has no API.

    Source:
        The module config of the HTTP API; "52" was measured on 8.19, for the address book of that number.
    """
    try:
        found = client.look("config/folder/contacts", "", {}).get("data")
    except Rejected:
        return None
    except Blocked as error:
        if error.code in SETTINGS_CLOSED:
            return None
        raise
    stated = str(found)
    return stated if _IDS[Kind.CONTACTS].fullmatch(stated) else None


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii", "replace")
    except (binascii.Error, ValueError):
        return ""


def item_name(kind: Kind, stem: str) -> str:
    """Return the last segment of the path of an item.

    A card of ours is named by its key (connectors.caldav.put.place), which its UID holds.

    Args:
        kind: the kind of the item.
        stem: the name without its ending, or the UID, as the API states it.
    """
    ours = _UID.fullmatch(stem) if kind is Kind.CONTACTS else None
    return quoted((f"k-{ours[1]}" if ours else stem) + SUFFIX.get(kind, ".ics"))
