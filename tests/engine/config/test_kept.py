"""What was read from a file is kept until the file is another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.config.file_cache import FileCache


def test_read_once_until_it_changes(tmp_path: Path) -> None:
    calls: list[str] = []

    def read(path: Path) -> str:
        calls.append(path.read_text())
        return calls[-1]

    path, kept = tmp_path / "list", FileCache(read)
    path.write_text("one")
    assert [kept(path), kept(path)] == ["one", "one"]
    assert calls == ["one"]
    path.write_text("other")
    assert kept(path) == "other"
    fresh = tmp_path / "fresh"
    fresh.write_text("third")
    before = path.stat()
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.replace(path)
    assert kept(path) == "third", "the same size and time, but another file"
    assert len(calls) == 3


def test_an_error_is_not_kept(tmp_path: Path) -> None:
    path, kept = tmp_path / "list", FileCache(Path.read_text)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            kept(path)
    path.write_text("here")
    assert kept(path) == "here"
    path.unlink()
    with pytest.raises(FileNotFoundError):
        kept(path)
