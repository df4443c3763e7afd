"""Say which configurations a process offers, by name, to runs that Prefect starts.

A run's parameters come from whoever may write to Prefect's API. They name a configuration and never a file:
the worker's own environment says which files there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.config.file_errors import unknown
from engine.config.load import Config, load
from model.errors import Misconfigured

ONE = "KOGGE_CONFIG"
SEVERAL = "KOGGE_CONFIGS"
"""Paths, with the separator of PATH between them. It counts before KOGGE_CONFIG."""


def name_of(path: Path) -> str:
    """Return the name of a configuration: its file's name without the ending."""
    return path.stem


def listed(paths: Iterable[Path]) -> str:
    """Return these files as a value of KOGGE_CONFIGS.

    Raises:
        Misconfigured: for two files with one name, and for a path that contains the separator.
    """
    absolute = [path.absolute() for path in paths]
    _by_name(absolute)
    if any(os.pathsep in str(path) for path in absolute):
        raise Misconfigured("--config", f"a path with a {os.pathsep} cannot be given to a worker")
    return os.pathsep.join(str(path) for path in absolute)


def offered(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Return the files of this process's configurations by name; an empty name means the first.

    Raises:
        Misconfigured: if the environment names none, or two with one name.
    """
    several = environment.get(SEVERAL) or ""
    paths = [Path(entry) for entry in several.split(os.pathsep) if entry]
    if not paths and environment.get(ONE):
        paths = [Path(environment[ONE])]
    if not paths:
        advice = "is not set where this run was to work; start its worker by `kogge worker`"
        raise Misconfigured(ONE, advice)
    return _by_name(paths)


def chosen(name: str) -> Config:
    """Return the configuration of this name; the first one for an empty name.

    Raises:
        Misconfigured: for a name that this process does not offer, and what load() raises.
    """
    files = offered()
    if not name:
        return load(next(iter(files.values())))
    if name not in files:
        raise Misconfigured("configuration", unknown(name, files))
    return load(files[name])


def _by_name(paths: Iterable[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in paths:
        if files.setdefault(name_of(path), path) != path:
            raise Misconfigured(SEVERAL, f"two files are called {name_of(path)}; rename one of them")
    return files
