"""Say why a wave that somebody named is not there, and what to type to get it."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path

from engine.config.file_errors import unknown
from engine.config.hints import next_command
from engine.config.load import Config
from engine.planning.mailbox_list import csv_rows
from engine.planning.waves_csv import MAILBOXES
from model.errors import Misconfigured
from model.plural import many


def missing_wave(config: Config, wave: str, known_waves: Collection[str]) -> str:
    """Return why a wave is not known where it was looked for, and the command that plans it.

    Args:
        config: the configuration.
        wave: the wave that was named.
        known_waves: the waves that are known there.
    """
    path, listed = config.path, config.file(config.mailboxes)
    waves = list(_waves_of(listed))
    if wave in waves:
        return f"not planned yet, but {listed.name} has it; {_check(path, wave)} plans it"
    for other in _others(config):
        if wave in _waves_of(_list_of(other)):
            return f"not planned here, but it is a wave of {other.name}; {_check(other, wave)} plans it"
    if wave in _waves_of(planned := listed.with_name(f"{listed.stem}.planned{listed.suffix}")):
        return f"only in {planned.name} yet; look through it, then move it to {listed.name}"
    text, left = unknown(wave, {*known_waves, *filter(None, waves)}), waves.count("")
    if not left:
        return text
    rows = many(left, "row has", "rows have")
    return f"{text}; {rows} no wave yet in {listed.name}: `{next_command(path, 'plan --write')}` makes waves"


def _check(path: Path, wave: str) -> str:
    return f"`{next_command(path, f'check --wave {shlex.quote(wave)}')}`"


def _others(config: Config) -> Iterator[Path]:
    """Yield the other configurations of the same folder."""
    own = config.path.resolve()
    yield from (path for path in sorted(config.path.parent.glob("*.toml")) if path.resolve() != own)


def _list_of(path: Path) -> Path:
    """Return where a configuration has its list; a folder that is none if it cannot be read."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return path / MAILBOXES
    return path.parent / str(document.get("mailboxes", MAILBOXES))


def _waves_of(path: Path) -> Iterator[str]:
    """Yield the wave of each row of a list, "" for none; nothing if the list cannot be read.

    Its own commands report that.
    """
    try:
        for _, cells in csv_rows(path, "a list of mailboxes", (("source",), None), []):
            yield cells.get("wave", "")
    except Misconfigured:
        return
