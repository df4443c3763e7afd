"""What a PROPFIND tells of files and folders, read as it arrives: a folder of 100,000 is never a tree."""

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
MOST: Final = 5_000_000  # entries of one answer
_SHARED = frozenset("SM")  # in Nextcloud's permissions: shared with the account, mounted from elsewhere
_PROPERTIES = "<d:resourcetype/><d:getcontentlength/><d:getlastmodified/><d:getetag/><o:permissions/>"
_FOLDERS = "<d:resourcetype/><d:getlastmodified/><o:permissions/>"
_QUOTA = "<d:resourcetype/><d:quota-used-bytes/><d:quota-available-bytes/>"


def _propfind(properties: str) -> bytes:
    spaces = 'xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"'
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{head}<d:propfind {spaces}><d:prop>{properties}</d:prop></d:propfind>".encode()


ENTRIES: Final = _propfind(_PROPERTIES)
FOLDERS: Final = _propfind(_FOLDERS)
IDENTIFIED: Final = _propfind(f"{_PROPERTIES}<o:fileid/>")
QUOTA: Final = _propfind(_QUOTA)


@dataclass(frozen=True, slots=True)
class PropfindEntry:
    """One file or folder. names: from the place that was asked about down to it, () for itself. shared: it is
    somebody else's; lent: a person's, who shares it. writable: new files may be made in it; None: the server
    does not say. id: by IDENTIFIED, the server's own: what is made anew under the same name has another."""

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
    """Everything a multistatus tells of base and what lies below it; path_of gives the canonical path of an
    href. Raises Garbage for what is none, or has no end."""
    parser = etree.XMLPullParser(
        events=("end",), tag=f"{DAV}response", resolve_entities=False, no_network=True, load_dtd=False
    )
    told = 0
    try:
        for chunk in chunks:
            parser.feed(chunk)
            for _event, element in parser.read_events():
                if not isinstance(element, etree._Element):
                    raise Garbage
                told += 1
                yield from _read(_checked(element, told), base, path_of)
                _forget(element)
        root = parser.close()
    except (etree.XMLSyntaxError, LookupError, ValueError):
        raise Garbage from None
    if root.tag != f"{DAV}multistatus":
        raise Garbage


def _checked(element: etree._Element, told: int) -> etree._Element:
    parent = element.getparent()
    plain = parent is not None and parent.tag == f"{DAV}multistatus" and parent.getparent() is None
    if not plain or told > MOST or element.getroottree().docinfo.internalDTD is not None:
        raise Garbage
    return element


def _forget(element: etree._Element) -> None:
    """The element, and what came before it in the root."""
    parent = element.getparent()
    element.clear()
    while parent is not None and len(parent) and parent[0] is not element:
        del parent[0]


def _read(
    response: etree._Element, base: str, path_of: Callable[[str], str | None]
) -> Iterator[PropfindEntry]:
    path = path_of((response.findtext(f"{DAV}href") or "").strip())
    if path is None or " 404" in (response.findtext(f"{DAV}status") or ""):
        return
    whole = path.rstrip("/") + "/"
    if not whole.startswith(base):
        return
    rest = whole[len(base) :].strip("/")
    names = tuple(unquote(part, errors="surrogateescape") for part in rest.split("/")) if rest else ()
    found = _properties(response)
    kind = found.get(f"{DAV}resourcetype")
    allowed = _text(found, PERMISSIONS)
    yield PropfindEntry(
        names=names,
        folder=kind is not None and kind.find(f"{DAV}collection") is not None,
        size=_number(found, f"{DAV}getcontentlength") or 0,
        modified=date(_text(found, f"{DAV}getlastmodified")),
        etag=etag(_text(found, f"{DAV}getetag")),
        shared=bool(_SHARED & set(allowed)),
        writable="C" in allowed if allowed else None,
        used=_number(found, USED),
        free=_number(found, FREE),
        id=_text(found, FILE_ID)[:ID_MOST],
        lent="S" in allowed,
    )


def _properties(response: etree._Element) -> dict[str, etree._Element]:
    return {
        one.tag: one
        for propstat in response.iterfind(f"{DAV}propstat")
        if " 200" in (propstat.findtext(f"{DAV}status") or " 200")
        for one in propstat.iterfind(f"{DAV}prop/*")
        if isinstance(one.tag, str)
    }


def _text(found: dict[str, etree._Element], tag: str) -> str:
    element = found.get(tag)
    return (element.text or "").strip() if element is not None else ""


def _number(found: dict[str, etree._Element], tag: str) -> int | None:
    text = _text(found, tag)
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def date(text: str) -> datetime | None:
    """An HTTP date (RFC 9110, 5.6.7), which is always of UTC."""
    try:
        return parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
