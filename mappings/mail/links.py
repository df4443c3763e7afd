"""Find addresses of OneDrive and SharePoint in mails and documents; they are never rewritten.

An address is what a person follows: without the wrapper that a mail gateway put around it ("safe links"), and
without the page that shows a file rather than being it.
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

from mappings.fields.bounded_reading import charset_of, message_of, payload_of
from mappings.fields.charsets import text_of

TEXT_MOST = 4_000_000
"""Bytes read of one text; a longer text is no letter."""

DOCUMENT_MOST = 50_000_000
PARTS_MOST = 2_000
"""Parts of a document that are searched."""

UNPACKED_MOST = 20_000_000
"""Bytes of all the parts of a document that are searched."""

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
    """Return True if a file of this name is searched for links."""
    return name.lower().endswith(DOCUMENTS)


def in_mail(stream: BinaryIO) -> list[str]:
    """Return the links of every text of a message, and of the documents attached to it.

    Each once, in order.
    """
    try:
        return _distinct(_of_message(message_of(stream)))
    except RecursionError:  # parts within parts, deeper than any mailer nests
        return []


def in_document(name: str, stream: BinaryIO) -> list[str]:
    """Return the links of a document; each once, in order.

    Of an Office document these are the targets of its relationships; of a page or a text, all. The list is
    empty for a name that is no document's, and for what cannot be read.
    """
    return _distinct(_of_document(name, stream))


def followed(url: str) -> str:
    """Return where a click leads: without its wrappers, to the file rather than the page that shows it.

    Returns:
        "" if it leads neither to OneDrive nor to SharePoint.
    """
    for _ in range(WRAPPED_MOST):
        host, parameters = _host(url), parse_qs(_query(url))
        if not _WRAPPER.fullmatch(host):
            break
        url = next(iter(parameters.get("url", ())), "")
    if not _HOST.fullmatch(host):
        return ""
    shown = next(iter(parameters.get("id", ())), "")
    if shown.startswith("/") and _SHOWS.search(urlsplit(url).path):
        return f"https://{host}{quote(shown)}"
    return url


def _distinct(addresses: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(url for address in addresses if (url := followed(address))))


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
        name, kind = part.get_filename() or "", part.get_content_type()
        if kind in {"text/plain", "text/html"} or is_document(name):
            data = payload_of(part)
            if kind == "text/html":
                yield from _of_page(_text(data, charset_of(part)))
            elif kind == "text/plain":
                yield from _of_text(_text(data, charset_of(part)))
            elif len(data) <= DOCUMENT_MOST:
                yield from _of_document(name, BytesIO(data))


def _text(data: bytes, charset: str | None) -> str:
    """Return a text. One in an unknown charset is read as Latin-1: an address in it is ASCII in both."""
    data = data[:TEXT_MOST]
    if charset is None:
        charset = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    return text_of(data, charset)


def _of_text(text: str) -> Iterator[str]:
    return (_trimmed(url) for url in _URL.findall(text))


def _trimmed(url: str) -> str:
    """Remove what ends the sentence around an address."""
    url = url.rstrip(".,;:!?*_~")
    surplus, end = url.count(")") - url.count("("), len(url)
    while surplus > 0 and url[end - 1] == ")":
        surplus, end = surplus - 1, end - 1
        while url[end - 1] in ".,;:!?":
            end -= 1
    return url[:end]


class _Page:
    """Gather addresses. Text that comes in pieces is one text."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._text: list[str] = []

    def start(self, tag: str | bytes, attrib: Mapping[str | bytes, str | bytes]) -> None:
        """Begin an element."""
        del tag
        self._flush()
        self.found += [
            str(value).strip() for name, value in attrib.items() if str(name).lower() in _ADDRESSES
        ]

    def end(self, tag: str | bytes) -> None:
        """End an element."""
        del tag
        self._flush()

    def data(self, data: str | bytes) -> None:
        """Add text."""
        self._text.append(str(data))

    def comment(self, text: str | bytes) -> None:
        """Ignore a comment, which is not seen."""

    def close(self) -> None:
        """End the page."""
        self._flush()

    def _flush(self) -> None:
        self.found += _of_text("".join(self._text))
        self._text.clear()


def _of_page(text: str) -> list[str]:
    """Return the addresses of a page.

    libxml2 reads it: html.parser takes time that grows with the square of an unfinished tag or comment.
    """
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
            parts = [entry for entry in package.infolist() if entry.filename.endswith(".rels")]
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
    for relationship in root.iter(_RELATIONSHIP):
        if str(relationship.get("TargetMode")).lower() == "external":
            yield str(relationship.get("Target") or "").strip()
