"""Read names that people give to files and folders: practice/world/data/files."""

from __future__ import annotations

from dataclasses import dataclass

from practice.world.cases import tables


@dataclass(frozen=True, slots=True)
class _Names:
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


_READ = tables("files", _Names).values()
NAMES = tuple(name for each in _READ for name in each.files)
FOLDERS = tuple(name for each in _READ for name in each.folders)
