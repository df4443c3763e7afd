"""Which configurations a process offers to runs that Prefect starts, by name.

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
    """The name of a configuration: its file's name without the ending."""
    return path.stem


def listed(paths: Iterable[Path]) -> str:
    """These files as a value of KOGGE_CONFIGS. Raises Misconfigured for two of one name, and for a path that
    holds the separator."""
    absolute = [path.absolute() for path in paths]
    _by_name(absolute)
    if any(os.pathsep in str(path) for path in absolute):
        raise Misconfigured("--config", f"a path with a {os.pathsep} cannot be given to a worker")
    return os.pathsep.join(str(path) for path in absolute)


def offered(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """The configurations of this process: name -> file, the first is the one that an empty name means. Raises
    Misconfigured where the environment names none, or two of one name."""
    several = environment.get(SEVERAL) or ""
    found = [Path(entry) for entry in several.split(os.pathsep) if entry]
    if not found and environment.get(ONE):
        found = [Path(environment[ONE])]
    if not found:
        advice = "is not set where this run was to work; start its worker by `kogge worker`"
        raise Misconfigured(ONE, advice)
    return _by_name(found)


def chosen(name: str) -> Config:
    """The configuration of this name; the first one for an empty name. Raises Misconfigured for a name that
    this process does not offer, and what load() does."""
    known = offered()
    if not name:
        return load(next(iter(known.values())))
    if name not in known:
        raise Misconfigured("configuration", unknown(name, known))
    return load(known[name])


def _by_name(paths: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if found.setdefault(name_of(path), path) != path:
            raise Misconfigured(SEVERAL, f"two files are called {name_of(path)}; rename one of them")
    return found
