"""Read files and folders from a PROPFIND as it arrives: a folder of 100,000 entries never becomes a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote

from lxml import etree

from connectors.http.multistatus import Garbage, etag

DAV: Final = "{DAV:}"
PERMISSIONS: Final = "{http://owncloud.org/ns}permissions"
FILE_ID: Final = "{http://owncloud.org/ns}fileid"
USED: Final = f"{DAV}quota-used-bytes"
FREE: Final = f"{DAV}quota-available-bytes"
ID_MOST: Final = 64  # characters
TAGS_MOST: Final = 1_000_000  # of one response: each takes about 100 bytes of memory, however short it is
MOST: Final = 5_000_000  # entries of one answer
_SHARED = frozenset("SM")  # in Nextcloud's permissions: shared with the account, mounted from elsewhere
_PROPERTIES = "<d:resourcetype/><d:getcontentlength/><d:getlastmodified/><d:getetag/><o:permissions/>"
_FOLDERS = "<d:resourcetype/><d:getlastmodified/><o:permissions/>"
_QUOTA = "<d:resourcetype/><d:quota-used-bytes/><d:quota-available-bytes/>"


def _propfind(properties: str) -> bytes:
    """Return the body of a PROPFIND for these properties."""
    spaces = 'xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"'
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{head}<d:propfind {spaces}><d:prop>{properties}</d:prop></d:propfind>".encode()


ENTRIES: Final = _propfind(_PROPERTIES)
FOLDERS: Final = _propfind(_FOLDERS)
IDENTIFIED: Final = _propfind(f"{_PROPERTIES}<o:fileid/>")
QUOTA: Final = _propfind(_QUOTA)


@dataclass(frozen=True, slots=True)
class PropfindEntry:
    """Hold one file or folder.

    Attributes:
        names: the names from the requested place down to it; () for the place itself.
        folder: True for a folder.
        size: bytes; 0 when the server gave none.
        modified: the date of the last change; None when the server gave none.
        etag: the ETag; "" without a usable one.
        shared: True if it belongs to another person or is mounted from elsewhere.
        writable: True if files may be created in it; None when the server does not say.
        used: bytes used in the account; None when not requested or not stated.
        free: bytes free in the account, negative for special values; None when not requested or not stated.
        id: with IDENTIFIED, the server's own id, which changes when it is re-created under the same name.
        lent: True if a person shares it with the account.
    """

    names: tuple[str, ...]
    folder: bool
    size: int = 0
    modified: datetime | None = None
    etag: str = ""
    shared: bool = False
    writable: bool | None = None
    used: int | None = None
    free: int | None = None
    id: str = ""
    lent: bool = False


def entries(
    chunks: Iterable[bytes], base: str, path_of: Callable[[str], str | None]
) -> Iterator[PropfindEntry]:
    """Yield the entries of a multistatus for `base` and everything below it.

    Args:
        chunks: the body of the answer.
        base: the requested path, with a slash at its end.
        path_of: returns the canonical path of an href; None for one that lies elsewhere.

    Raises:
        Garbage: the answer is not a multistatus or has no end.
    """
    parser = etree.XMLPullParser(
        events=("end",), tag=f"{DAV}response", resolve_entities=False, no_network=True, load_dtd=False
    )
    count = tags = 0
    try:
        for chunk in chunks:
            tags += chunk.count(b"<")
            if tags > TAGS_MOST:
                raise Garbage
            parser.feed(chunk)
            for _event, element in parser.read_events():
                tags = 0
                if not isinstance(element, etree._Element):
                    raise Garbage
                count += 1
                yield from _entry_of(_check_element(element, count), base, path_of)
                _forget(element)
        root = parser.close()
    except (etree.XMLSyntaxError, LookupError, ValueError):
        raise Garbage from None
    if root.tag != f"{DAV}multistatus":
        raise Garbage


def _check_element(element: etree._Element, count: int) -> etree._Element:
    """Return the element; raise Garbage where the document has another shape or too many entries."""
    parent = element.getparent()
    plain = parent is not None and parent.tag == f"{DAV}multistatus" and parent.getparent() is None
    if not plain or count > MOST or element.getroottree().docinfo.internalDTD is not None:
        raise Garbage
    return element


def _forget(element: etree._Element) -> None:
    """Free the element and everything before it in the root."""
    parent = element.getparent()
    element.clear()
    while parent is not None and len(parent) and parent[0] is not element:
        del parent[0]


def _entry_of(
    response: etree._Element, base: str, path_of: Callable[[str], str | None]
) -> Iterator[PropfindEntry]:
    """Convert one response into an entry, unless it lies outside of `base`."""
    path = path_of((response.findtext(f"{DAV}href") or "").strip())
    if path is None or " 404" in (response.findtext(f"{DAV}status") or ""):
        return
    whole = path.rstrip("/") + "/"
    if not whole.startswith(base):
        return
    rest = whole[len(base) :].strip("/")
    names = tuple(unquote(part, errors="surrogateescape") for part in rest.split("/")) if rest else ()
    properties = _properties(response)
    kind = properties.get(f"{DAV}resourcetype")
    allowed = _text(properties, PERMISSIONS)
    yield PropfindEntry(
        names=names,
        folder=kind is not None and kind.find(f"{DAV}collection") is not None,
        size=_number(properties, f"{DAV}getcontentlength") or 0,
        modified=date(_text(properties, f"{DAV}getlastmodified")),
        etag=etag(_text(properties, f"{DAV}getetag")),
        shared=bool(_SHARED & set(allowed)),
        writable="C" in allowed if allowed else None,
        used=_number(properties, USED),
        free=_number(properties, FREE),
        id=_text(properties, FILE_ID)[:ID_MOST],
        lent="S" in allowed,
    )


def _properties(response: etree._Element) -> dict[str, etree._Element]:
    """Return the properties that were found, by tag."""
    return {
        element.tag: element
        for propstat in response.iterfind(f"{DAV}propstat")
        if " 200" in (propstat.findtext(f"{DAV}status") or " 200")
        for element in propstat.iterfind(f"{DAV}prop/*")
        if isinstance(element.tag, str)
    }


def _text(properties: dict[str, etree._Element], tag: str) -> str:
    """Return a property's text, or ""."""
    element = properties.get(tag)
    return (element.text or "").strip() if element is not None else ""


def _number(properties: dict[str, etree._Element], tag: str) -> int | None:
    """Return a property's number; None when it is missing or malformed."""
    text = _text(properties, tag)
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def date(text: str) -> datetime | None:
    """Return an HTTP date, which is always in UTC; None when it is missing or malformed.

    Source:
        RFC 9110, section 5.6.7.
    """
    try:
        return parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
