"""Put the logo of an organisation into a page, as data."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from lxml import etree

from model.errors import Misconfigured

LARGEST = 256 * 1024
"""Bytes: every page holds the whole logo."""
PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}svg"
SETTING = "[report] logo"
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def logo_data(path: Path) -> str:
    """Return a PNG or SVG file as a data: URI for an <img>, in which a browser runs and fetches nothing.

    Raises:
        Misconfigured: the file cannot be read, is too large, or is neither of the two.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Misconfigured(SETTING, f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > LARGEST:
        raise Misconfigured(SETTING, f"{path}: is larger than {LARGEST // 1024} KiB; give a smaller one")
    kind = "png" if content.startswith(PNG) else "svg+xml" if _is_svg(content) else None
    if kind is None:
        raise Misconfigured(SETTING, f"{path}: is neither a PNG nor an SVG picture")
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def _is_svg(content: bytes) -> bool:
    """Return True if it is an SVG document without a document type, which could define entities."""
    try:
        root = etree.fromstring(content, _PARSER)
    except etree.XMLSyntaxError:
        return False
    return root.tag == SVG and root.getroottree().docinfo.internalDTD is None
