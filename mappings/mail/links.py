"""Addresses of OneDrive and SharePoint in mails and documents: found, never rewritten.

An address is what a person follows: out of the wrapper that a mail gateway put around it ("safe links"), and
of the page that shows a file rather than being it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from io import BytesIO
from typing import BinaryIO
from urllib.parse import parse_qs, quote, urlsplit

from lxml import etree

from mappings.fields.bounded_reading import message_of

TEXT_MOST = 4_000_000
"""Bytes read of one text; more of it is no letter."""

DOCUMENT_MOST = 50_000_000
PARTS_MOST = 2_000
"""Of a document, how many parts are looked through."""

UNPACKED_MOST = 20_000_000
"""Of a document, bytes of all the parts that are looked through."""

WRAPPED_MOST = 5
OFFICE = (".docx", ".docm", ".dotx", ".dotm", ".xlsx", ".xlsm", ".xltx", ".pptx", ".pptm", ".potx", ".ppsx")
PAGES = (".html", ".htm", ".xhtml")
TEXTS = (".txt", ".url", ".website", ".md", ".csv", ".rtf")
DOCUMENTS = (*OFFICE, *PAGES, *TEXTS)

_HOST = re.compile(
    r"([a-z0-9-]+\.)+sharepoint(-[a-z]+)?(\.[a-z]{2,})+|1drv\.ms|onedrive\.live\.com|d\.docs\.live\.net"
)
_WRAPPER = re.compile(r"([a-z0-9-]+\.)*safelinks\.protection\.(outlook|office365)\.(com|us|de|cn)")
_URL = re.compile(r"https?://[^\s<>\"'`{}|\\^\[\]]+", re.IGNORECASE)
_SHOWS = re.compile(r"/(forms/[^/]+|_layouts/15/onedrive)\.aspx$", re.IGNORECASE)
"""Pages of a library that name the file they show in id."""

_ADDRESSES = frozenset({"href", "src", "originalsrc", "data-auth-original-url", "cite", "action"})
_DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError)
_RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


def is_document(name: str) -> bool:
    """Whether links are looked for in a file of this name."""
    return name.lower().endswith(DOCUMENTS)


def in_mail(stream: BinaryIO) -> list[str]:
    """Of every text of a message, and of the documents attached to it; each once, in their order."""
    try:
        return _distinct(_of_message(message_of(stream)))
    except RecursionError:  # parts within parts, deeper than any mailer nests
        return []


def in_document(name: str, stream: BinaryIO) -> list[str]:
    """Of an Office document, what its relationships lead to; of a page or a text, all. Each once, in their
    order; [] for a name that is no document's, and for what cannot be read."""
    return _distinct(_of_document(name, stream))


def followed(url: str) -> str:
    """Where a click leads: out of its wrappers, and to the file rather than the page that shows it; "" for
    what leads neither to OneDrive nor to SharePoint."""
    for _ in range(WRAPPED_MOST):
        host, asked = _host(url), parse_qs(_query(url))
        if not _WRAPPER.fullmatch(host):
            break
        url = next(iter(asked.get("url", ())), "")
    if not _HOST.fullmatch(host):
        return ""
    shown = next(iter(asked.get("id", ())), "")
    if shown.startswith("/") and _SHOWS.search(urlsplit(url).path):
        return f"https://{host}{quote(shown)}"
    return url


def _distinct(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(url for one in found if (url := followed(one))))


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _query(url: str) -> str:
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def _of_message(message: Message) -> Iterator[str]:
    for part in message.walk():
        if part.is_multipart():
            continue
        name, kind = _name(part), part.get_content_type()
        if kind in {"text/plain", "text/html"} or is_document(name):
            payload = part.get_payload(decode=True)
            data = payload if isinstance(payload, bytes) else b""
            if kind == "text/html":
                yield from _of_page(_text(data, part.get_content_charset()))
            elif kind == "text/plain":
                yield from _of_text(_text(data, part.get_content_charset()))
            elif len(data) <= DOCUMENT_MOST:
                yield from _of_document(name, BytesIO(data))


def _name(part: Message) -> str:
    try:
        return part.get_filename() or ""
    except (LookupError, ValueError, TypeError):
        return ""


def _text(data: bytes, charset: str | None) -> str:
    data = data[:TEXT_MOST]
    if charset is None:
        charset = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    try:
        return data.decode(charset, "replace")
    except (LookupError, UnicodeError):
        return data.decode("latin-1")


def _of_text(text: str) -> Iterator[str]:
    return (_trimmed(url) for url in _URL.findall(text))


def _trimmed(url: str) -> str:
    """Without what ends the sentence around it."""
    url = url.rstrip(".,;:!?*_~")
    surplus, end = url.count(")") - url.count("("), len(url)
    while surplus > 0 and url[end - 1] == ")":
        surplus, end = surplus - 1, end - 1
        while url[end - 1] in ".,;:!?":
            end -= 1
    return url[:end]


class _Page:
    """Gathers addresses. Text that comes in pieces is one text."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._text: list[str] = []

    def start(self, tag: str | bytes, attrib: Mapping[str | bytes, str | bytes]) -> None:
        del tag
        self._flush()
        self.found += [
            str(value).strip() for name, value in attrib.items() if str(name).lower() in _ADDRESSES
        ]

    def end(self, tag: str | bytes) -> None:
        del tag
        self._flush()

    def data(self, data: str | bytes) -> None:
        self._text.append(str(data))

    def comment(self, text: str | bytes) -> None:
        """Is not seen."""

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        self.found += _of_text("".join(self._text))
        self._text.clear()


def _of_page(text: str) -> list[str]:
    """Read by libxml2: html.parser takes time that grows with the square of an unfinished tag or comment."""
    if not text.strip():
        return []
    page = _Page()
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, target=page)
    parser.feed(text.encode("utf-8", "replace"))
    parser.close()
    return page.found


def _of_document(name: str, stream: BinaryIO) -> Iterator[str]:
    name = name.lower()
    if name.endswith(OFFICE):
        yield from _of_office(stream)
    elif name.endswith(PAGES):
        yield from _of_page(_text(stream.read(TEXT_MOST), None))
    elif name.endswith(TEXTS):
        yield from _of_text(_text(stream.read(TEXT_MOST), None))


def _of_office(stream: BinaryIO) -> Iterator[str]:
    left = UNPACKED_MOST
    try:
        with zipfile.ZipFile(stream) as package:
            parts = [one for one in package.infolist() if one.filename.endswith(".rels")]
            for part in parts[:PARTS_MOST]:
                with package.open(part) as packed:
                    data = packed.read(left + 1)
                left -= len(data)
                if left < 0:
                    return
                yield from _of_relationships(data)
    except (*_DAMAGED, OSError, RuntimeError, ValueError):
        return


def _of_relationships(data: bytes) -> Iterator[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return
    for one in root.iter(_RELATIONSHIP):
        if str(one.get("TargetMode")).lower() == "external":
            yield str(one.get("Target") or "").strip()
