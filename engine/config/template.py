"""Write the files of `kogge init` and `kogge practice up`: a configuration that explains itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from model.errors import Misconfigured

TOML = Path(__file__).with_name("template.toml").read_text(encoding="utf-8")

CSV = """\
source,target,wave
anna.example@example.org,anna.example@example.org,pilot
"""


def refuse_existing(directory: Path, names: Iterable[str], remedy: str = "choose another directory") -> None:
    """Refuse to write if one of the files exists.

    Raises:
        Misconfigured: with the remedy.
    """
    existing = [path for path in (directory / name for name in names) if path.exists()]
    if existing:
        raise Misconfigured(str(existing[0]), f"exists already and is left as it is; {remedy}")


def write_new(directory: Path, files: dict[str, str]) -> list[Path]:
    """Write all files, or none if one exists. Only their owner can read them.

    Raises:
        Misconfigured: if one exists, or if they cannot be written.
    """
    refuse_existing(directory, files)
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            _write(directory / name, text)
            written.append(directory / name)
    except OSError as error:
        raise Misconfigured(str(directory), f"cannot be written ({error.strerror})") from None
    return written


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
