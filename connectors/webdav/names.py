"""Check file names by the rules that the server stated, so that refused names are not sent."""

from __future__ import annotations

import re
import unicodedata

from model.errors import Rejected
from model.file_names import FileNames

STAGED = re.compile(r"\.kogge-([0-9a-f]{16})(?:\..*)?")
"""The name of a file while it is written beside its final place."""
_CONTROLS = re.compile("[/\x00-\x1f\x7f\ud800-\udfff]")


def check(name: str, rules: FileNames) -> None:
    """Check a file or folder name.

    Args:
        name: the name.
        rules: the server's rules.

    Raises:
        Rejected: "name-not-allowed".
    """
    if not takes(name, rules):
        raise Rejected("name-not-allowed", "the server does not take its name")


def takes(name: str, rules: FileNames) -> bool:
    """Return True if the server takes a name.

    Args:
        name: the name.
        rules: the server's rules.
    """
    low = name.lower()
    dot = low.find(".", 1)
    return not (
        name in {"", ".", ".."}
        or len(name.encode("utf-8", "replace")) > rules.bytes
        or _CONTROLS.search(name) is not None
        or bool(set(name) & set(rules.characters))
        or low in rules.names
        or (low if dot < 0 else low[:dot]) in rules.stems
        or low.endswith(tuple(rules.endings))
        or (rules.composed and not unicodedata.is_normalized("NFC", name))
        or STAGED.fullmatch(name) is not None
    )


def staged(key: bytes, name: str) -> str:
    """Return the temporary name of a file until it is complete; the same for every attempt.

    Args:
        key: the item's key.
        name: the final name; its ending is kept.
    """
    ending = name[at:] if (at := name.rfind(".")) > 0 and len(name[at:].encode()) <= 20 else ""
    return f".kogge-{key.hex()[:16]}{ending}"
