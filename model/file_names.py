"""Describe which names a server of files takes, as it states or as is known of it.

Core code and connectors both use it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileNames:
    """Describe what a server of files takes as a name.

    Names are compared in Unicode NFC, and without case if `fold` is set.

    Attributes:
        bytes: the longest name, in bytes of UTF-8.
        path_bytes: the longest whole path, in bytes of UTF-8; 0 if no limit is known.
        characters: refused anywhere in a name, beside "/", NUL and other controls.
        names: whole names that are refused; lower-case, refused in any case.
        stems: names that are refused with any extension, too; lower-case, refused in any case.
        endings: refused at the end of a name, extensions among them; lower-case, refused in any case.
        fold: True if two names that differ only in case are one.
        composed: True if the server makes every name NFC.
    """

    bytes: int = 255
    path_bytes: int = 0
    characters: str = ""
    names: frozenset[str] = frozenset()
    stems: frozenset[str] = frozenset()
    endings: frozenset[str] = frozenset()
    fold: bool = False
    composed: bool = True
