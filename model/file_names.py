"""Which names a server of files takes, as it tells or as is known of it: for core code and connectors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileNames:
    """What a server of files takes as a name. A name is compared in Unicode NFC, without case where fold.

    bytes, path_bytes  the longest name and the longest whole path, in UTF-8; path_bytes 0: no limit known
    characters         refused anywhere in a name, beside "/", NUL and other controls
    names              whole names refused; stems: also with any extension; endings: refused at the end of a
                       name, extensions among them. All three are lower-case and refused in any case
    fold               two names that differ only in case are one
    composed           the server makes every name NFC
    """

    bytes: int = 255
    path_bytes: int = 0
    characters: str = ""
    names: frozenset[str] = frozenset()
    stems: frozenset[str] = frozenset()
    endings: frozenset[str] = frozenset()
    fold: bool = False
    composed: bool = True
