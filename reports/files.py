"""Where the pages of reports lie, and how they get there."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from model.errors import Misconfigured
from model.private_files import make_directory

REPORTS = "reports"
"""The directory below the state directory, where no other is given."""
PEOPLE = "people"
"""The directory below it with a page for each person."""
OWNERS = "owners"
"""The directory below it with pages that name folders, each for the owner of its mailbox."""


def page_of(wave: str, language: str) -> str:
    """Return the name of a wave's page; no two waves share one."""
    return f"wave-{quote(wave, safe=' ')}.{language}.html"


def newest_page(state: Path, wave: str) -> Path | None:
    """Return the newest of the wave's pages at their usual place, in any language."""
    head, _, _ = page_of(wave, "en").rpartition(".en.html")
    folder = state / REPORTS
    pages = [path for path in folder.glob("wave-*.html") if path.name.rsplit(".", 2)[0] == head]
    return max(pages, key=lambda path: path.stat().st_mtime, default=None)


def put(path: Path, words: str, option: str) -> Path:
    """Write a file whole, or not at all: an earlier one stays until the new one is complete.

    No other account of this machine can read it, because it names who decided.

    Raises:
        Misconfigured: the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        make_directory(path.parent)
        part.unlink(missing_ok=True)
        with os.fdopen(
            os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(words)
        part.replace(path)
    except OSError as error:
        raise Misconfigured(f"{option} {path}", f"cannot be written ({error.strerror})") from None
    return path
