"""Convert Graph's messages into refs, versions and the properties of a mail."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime

from connectors.graph_api.client import Json
from connectors.graph_api.folders import number, tagged
from model.protocols import Ref

ITEM_CLASS, MESSAGE_FLAGS, DELIVERY_TIME, SIZE = 0x001A, 0x0E07, 0x0E06, 0x0E08
LAST_VERB, FLAG_STATUS = 0x1081, 0x1090
TAGS = (
    "String 0x1a", "Integer 0xe07", "SystemTime 0xe06", "Integer 0xe08", "Long 0xe08", "Integer 0x1081",
    "Integer 0x1090",
)  # fmt: skip
_TERMS = " or ".join(f"id eq '{tag}'" for tag in TAGS)
EXPAND = f"singleValueExtendedProperties($filter={_TERMS})"
FIELDS = (
    "id,changeKey,isRead,isDraft,isReadReceiptRequested,categories,importance,flag,receivedDateTime,"
    "sentDateTime,createdDateTime,internetMessageId,from,parentFolderId"
)
LISTED = "changeKey,isRead,isDraft,categories,importance,flag"
"""Fields of a listing: everything that people change about a mail, so that the delta reports the change."""

ASSOCIATED = 0x40  # MSGFLAG_ASSOCIATED, MS-OXCMSG, section 2.2.1.6
FLAGS = {1: "Complete", 2: "Flagged"}  # PidTagFlagStatus, MS-OXOFLAG 2.2.1.1
NAMED_FLAGS = {"complete": "Complete", "flagged": "Flagged", "notflagged": "NotFlagged"}
CLASSES = {"#microsoft.graph.eventMessage": "IPM.Schedule.Meeting"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def ref_of(row: Json, cursor: str) -> Ref | None:
    """Return the ref of a row of a delta; None for a row without an id.

    Args:
        row: the row.
        cursor: the cursor of its page.
    """
    id_ = str(row.get("id") or "")
    if not id_:
        return None
    if "@removed" in row:
        return Ref(id_, "", deleted=True)
    return Ref(id_, version_of(row) or _unique_version(row, cursor))


def version_of(row: Json) -> str:
    """Return the change key and the read mark, which may change without it; "" without a change key."""
    etag = str(row.get("@odata.etag") or "").removeprefix("W/").strip('"')
    key = str(row.get("changeKey") or etag)
    read = row.get("isRead")
    return f"{key}/r{int(read)}" if key and isinstance(read, bool) else key


def _unique_version(row: Json, cursor: str) -> str:
    """Return a version that is unlike any other, and the same whenever this page is read."""
    text = json.dumps([row, cursor], sort_keys=True)
    return "~" + hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def moment(text: object) -> datetime | None:
    """Return an Edm.DateTimeOffset as an aware datetime in UTC; a text without a zone is UTC.

    Returns:
        None for no text, and for dates that a datetime cannot hold.
    """
    match = _TIME.fullmatch(str(text or "").strip())
    if match is None:
        return None
    whole, fraction, zone = match.groups()
    try:
        micro = (fraction or "0")[:6].ljust(6, "0")
        return datetime.fromisoformat(f"{whole}.{micro}{zone or '+00:00'}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def properties(item: Json) -> dict[str, object]:
    """Return the properties that a mail mapping reads; see the mappings of "graph-message"."""
    tags = tagged(item)
    flags = number(tags.get(MESSAGE_FLAGS)) or 0
    categories = item.get("categories")
    return {
        "ItemClass": tags.get(ITEM_CLASS) or _class(str(item.get("@odata.type") or "")),
        "IsRead": item.get("isRead") is True,
        "IsDraft": item.get("isDraft") is True,
        "IsReadReceiptRequested": item.get("isReadReceiptRequested") is True,
        "IsAssociated": bool(flags & ASSOCIATED),
        "Categories": tuple(str(category) for category in categories) if isinstance(categories, list) else (),
        "Importance": str(item.get("importance") or "normal").capitalize(),
        "Flag": _flag(item, tags),
        "LastVerb": number(tags.get(LAST_VERB)),
        "Received": moment(tags.get(DELIVERY_TIME)) or moment(item.get("receivedDateTime")),
        "Sent": moment(item.get("sentDateTime")),
        "Created": moment(item.get("createdDateTime")),
        "MessageId": item.get("internetMessageId") or None,
        "From": address_of(item.get("from")),
        "Size": number(tags.get(SIZE)) or 0,
        "Rebuilt": False,
    }


def _class(type_: str) -> str:
    return next((class_ for start, class_ in CLASSES.items() if type_.startswith(start)), "IPM.Note")


def _flag(item: Json, tags: dict[int, str]) -> str:
    status = number(tags.get(FLAG_STATUS))
    if status is not None:
        return FLAGS.get(status, "NotFlagged")
    flag = item.get("flag")
    stated = str(flag.get("flagStatus") or "") if isinstance(flag, dict) else ""
    return NAMED_FLAGS.get(stated.lower(), stated or "NotFlagged")


def address_of(party: object) -> str | None:
    """Return the address of a recipient; None for one that is not SMTP (a legacyExchangeDN)."""
    box = party.get("emailAddress") if isinstance(party, dict) else None
    address = str(box.get("address") or "").strip() if isinstance(box, dict) else ""
    return address if "@" in address and not address.startswith("/") else None
