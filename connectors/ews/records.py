"""Convert EWS elements into refs and into the properties of a mail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from lxml import etree

from connectors.ews.errors import MNS, TNS, incomplete
from connectors.ews.requests import DELIVERY_TIME, FLAG_STATUS, LAST_VERB
from connectors.ews.response_stream import FORBIDDEN
from model.kinds import Kind
from model.protocols import Ref

FLAGS = {1: "Complete", 2: "Flagged"}  # PidTagFlagStatus, MS-OXOFLAG 2.2.1.1
CLASSES: Mapping[Kind, tuple[str, ...]] = {
    Kind.MAIL: ("ipm.note", "ipm.schedule", "ipm.post", "report"),
    Kind.CALENDAR: ("ipm.appointment",),
    Kind.CONTACTS: ("ipm.contact", "ipm.distlist"),
    Kind.TASKS: ("ipm.task",),
    Kind.NOTES: ("ipm.stickynote",),
}
"""The item classes that belong into a folder of this kind, each with the classes below it."""
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?\s*(Z|[+-]\d\d:\d\d)?", re.ASCII
)


def moment(text: str | None) -> datetime | None:
    """Return an xs:dateTime as an aware datetime in UTC, to the microsecond.

    One dialect sends nine digits. A text without a zone is UTC.

    Returns:
        None for no text, and for dates that a datetime cannot hold.
    """
    match = _TIME.fullmatch((text or "").strip())
    if match is None:
        return None
    *numbers, fraction, zone = match.groups()
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        return datetime(*map(int, numbers), micro, tzinfo=_zone(zone)).astimezone(UTC)  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[4:6])))


@dataclass(frozen=True, slots=True)
class SyncPage:
    """Hold one answer of SyncFolderItems.

    Attributes:
        refs: the changed items.
        state: the new sync state; "" when the server gave none.
        last: True if there are no further changes.
        series: the ids of those that are series.
    """

    refs: tuple[Ref, ...]
    state: str
    last: bool
    series: frozenset[str] = frozenset()


def sync_page(message: etree._Element, kind: Kind) -> SyncPage:
    """Read an answer of SyncFolderItems.

    Refs keep the server's order; of a ref that appears twice the last one counts. Single occurrences of a
    series are left out, because they belong to its master.

    Args:
        message: the response message.
        kind: the folder's.

    Raises:
        Transient: "reply-incomplete" for a page without a list of changes: its state would skip what it
            leaves out.
    """
    changes = message.find(MNS + "Changes")
    if changes is None and (message.findtext(MNS + "SyncState") or "").strip():
        raise incomplete()
    own = CLASSES.get(kind, ())
    refs = {ref.id: ref for ref in _changed_refs(changes, own)} if changes is not None else {}
    return SyncPage(
        tuple(refs.values()),
        (message.findtext(MNS + "SyncState") or "").strip(),
        true(message.findtext(MNS + "IncludesLastItemInRange")),
        frozenset(_series(changes)) if changes is not None else frozenset(),
    )


def _series(changes: etree._Element) -> Iterator[str]:
    for change in changes:
        item = change.find(f".//{TNS}ItemId")
        if item is not None and _type(change) == "RecurringMaster":
            yield str(item.get("Id"))


def _changed_refs(changes: etree._Element, own: tuple[str, ...]) -> Iterator[Ref]:
    for change in changes:
        kind = etree.QName(change).localname
        item = change.find(f".//{TNS}ItemId")
        if item is None or not item.get("Id") or is_occurrence(change):
            continue
        yield _ref(kind, change, str(item.get("Id")), item.get("ChangeKey") or "", own)


def is_occurrence(holder: etree._Element) -> bool:
    """Return True if the item in an element is one date of a series, also a changed one."""
    return _type(holder) in {"Occurrence", "Exception"}


def _type(holder: etree._Element) -> str:
    return (holder.findtext(f"*/{TNS}CalendarItemType") or "").strip()


def _ref(kind: str, change: etree._Element, id_: str, version: str, own: tuple[str, ...]) -> Ref:
    if kind == "Delete":
        return Ref(id_, version, deleted=True)
    if kind == "ReadFlagChange":
        # Some servers keep the change key; the version must differ nevertheless.
        return Ref(id_, f"{version}/r{int(true(change.findtext(TNS + 'IsRead')))}")
    size, class_ = number(change.findtext(f"*/{TNS}Size")), change.findtext(f"*/{TNS}ItemClass")
    return Ref(id_, version, size=size, foreign=class_ is not None and not _is_of(class_, own))


def _is_of(class_: str, own: tuple[str, ...]) -> bool:
    """Return True if an item class is one of these, or below one of them."""
    name = class_.strip().lower()
    return any(name == one or name.startswith(f"{one}.") for one in own)


def true(text: str | None) -> bool:
    """Return True for "true" and "1"."""
    return (text or "").strip().lower() in {"true", "1"}


def number(text: str | None) -> int | None:
    """Return a text as a number; None when it is not one."""
    try:
        return int((text or "").strip())
    except ValueError:
        return None


def item_of(message: etree._Element) -> etree._Element | None:
    """Return the one item in a GetItem response message; None when there is none."""
    items = message.find(MNS + "Items")
    return items[0] if items is not None and len(items) else None


def id_of(item: etree._Element) -> tuple[str, str]:
    """Return an item's id and change key; ("", "") for an item without an id."""
    element = item.find(TNS + "ItemId")
    return ("", "") if element is None else (element.get("Id") or "", element.get("ChangeKey") or "")


def id_in(message: etree._Element) -> str:
    """Return the id of the one item in a GetItem response message; "" when there is none."""
    item = item_of(message)
    return "" if item is None else id_of(item)[0]


def properties(item: etree._Element) -> dict[str, object]:
    """Return the properties that a mail mapping reads; see the mappings of "ews-message"."""
    plain: dict[str, etree._Element] = {}
    tags: dict[int, str] = {}
    cut = len(TNS)
    for child in item:
        name = child.tag[cut:] if isinstance(child.tag, str) else ""
        if name == "ExtendedProperty":
            tagged(child, tags)
        else:
            plain[name] = child
    text = {name: shown(child.text) for name, child in plain.items()}
    return {
        "ItemClass": text.get("ItemClass", ""),
        "IsRead": true(text.get("IsRead")),
        "IsDraft": true(text.get("IsDraft")),
        "IsReadReceiptRequested": true(text.get("IsReadReceiptRequested")),
        "IsAssociated": true(text.get("IsAssociated")),
        "Categories": tuple(shown(category.text) for category in plain["Categories"] if category.text)
        if "Categories" in plain
        else (),
        "Importance": text.get("Importance") or "Normal",
        "Flag": FLAGS.get(number(tags.get(FLAG_STATUS)) or 0, "NotFlagged"),
        "LastVerb": number(tags.get(LAST_VERB)),
        "Received": moment(tags.get(DELIVERY_TIME)) or moment(text.get("DateTimeReceived")),
        "Sent": moment(text.get("DateTimeSent")),
        "Created": moment(text.get("DateTimeCreated")),
        "MessageId": text.get("InternetMessageId") or None,
        "From": smtp_address(plain["From"]) if "From" in plain else None,
        "Size": number(text.get("Size")) or 0,
        "Rebuilt": False,
    }


def shown(text: str | None) -> str:
    """Return a text with U+FFFD in place of characters that XML could not carry."""
    return (text or "").replace(FORBIDDEN, "\ufffd")


def tagged(element: etree._Element, tags: dict[int, str]) -> None:
    """Add an ExtendedProperty to `tags` when it is identified by a tag and has one value.

    Args:
        element: the ExtendedProperty element.
        tags: receives the value by tag.
    """
    uri, value = element.find(TNS + "ExtendedFieldURI"), element.findtext(TNS + "Value")
    tag = uri.get("PropertyTag") if uri is not None else None
    if tag and value is not None:
        try:
            # Servers write 0x0E06 also as 0xe06 and in decimal.
            tags[int(tag, 0)] = value
        except ValueError:
            return


def smtp_address(party: etree._Element) -> str | None:
    """Return the address of a From or recipient element; None for one that is not SMTP."""
    box = party.find(TNS + "Mailbox") if party.tag != TNS + "Mailbox" else party
    if box is None:
        return None
    address = (box.findtext(TNS + "EmailAddress") or "").strip()
    routing = (box.findtext(TNS + "RoutingType") or "SMTP").strip().upper()
    return address if routing == "SMTP" and "@" in address else None
