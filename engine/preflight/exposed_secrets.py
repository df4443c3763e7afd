"""Find files with secrets that every account of this machine may read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from connectors.settings import Secret, Strict
from engine.config.load import Config

GIVEN_BY_CONTAINERS = (Path("/run/secrets"), Path("/var/run/secrets"))
"""Container engines put secrets here, in a file system of the container alone, often with 0444."""
CERTIFICATE = "certificate_file"
"""A field that names a file with a private key."""


def exposed_secrets(config: Config) -> list[str]:
    """Return the places of settings (file, line, name) whose secret lies in a file that everybody may read.

    A file is not looked at if its name depends on the account, or if it is in one of GIVEN_BY_CONTAINERS.
    """
    tables = (config, *config.source.tables().values())
    named = ((place, Path(file)) for one in tables for place, file in _named(one) if "{" not in file)
    return sorted({place for place, path in named if _is_exposed(path)})


def _named(settings: Strict, within: str = "") -> Iterator[tuple[str, str]]:
    """Yield place and file. within: the place of what has no name of its own, as the hooks of a list."""
    for name, value in settings:
        place = settings.where(name)
        yield from _files(within if within and place == name else place, name, value)


def _files(place: str, name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Secret):
        if value.file:
            yield place, value.file
    elif isinstance(value, Strict):
        yield from _named(value, place)
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _files(place, name, one)
    elif name == CERTIFICATE and value is not None:
        yield place, str(value)


def _is_exposed(path: Path) -> bool:
    """Return True if others may read the file and search all folders above it."""
    whole = path.absolute()
    if any(whole.is_relative_to(folder) for folder in GIVEN_BY_CONTAINERS):
        return False
    try:
        above = all(folder.stat().st_mode & stat.S_IXOTH for folder in whole.resolve().parents)
        return above and bool(whole.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
