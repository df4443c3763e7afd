"""Spool files: seen by nobody else, closed with their last reader, and one word when there is no room."""

from __future__ import annotations

import errno
import gc
import os
import stat
from pathlib import Path

import pytest

from connectors.spool import SpoolFile
from model.errors import Blocked


def test_a_spool_file_closes_with_its_last_reader(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path)
    file.write(b"abc")
    stream = file.open()
    fd = file.fd
    del file
    gc.collect()
    assert stream.read() == b"abc"
    stream.close()
    del stream
    gc.collect()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_the_directory_is_its_owners_alone_and_shows_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "spool"
    SpoolFile(folder).write(b"abc")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []


def test_where_files_must_have_a_name_it_is_gone_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open
    nameless = getattr(os, "O_TMPFILE", 0)  # Linux alone knows it

    def no_nameless(path: object, flags: int, *mode: int, **more: object) -> int:
        if nameless and flags & nameless == nameless:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return really(path, flags, *mode, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("connectors.spool.os.open", no_nameless)
    file = SpoolFile(tmp_path)
    file.write(b"abc")
    assert list(tmp_path.iterdir()) == []
    with file.open() as stream:
        assert stream.read() == b"abc"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_needs_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    file = SpoolFile(tmp_path)
    monkeypatch.setattr("connectors.spool.os.write", full)
    with pytest.raises(Blocked) as caught:
        file.write(b"abc")
    assert caught.value.code == "spool-full"


def test_no_place_needs_a_person(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Blocked) as caught:
        SpoolFile(tmp_path / "file" / "spool")
    assert caught.value.code == "spool-unusable"
    assert str(tmp_path) not in str(caught.value)


def test_a_disk_that_cannot_be_read_needs_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SpoolFile(tmp_path)
    file.write(b"x")

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, str(tmp_path))

    monkeypatch.setattr(os, "preadv", broken)
    with file.open() as stream, pytest.raises(Blocked, match="spool-unusable") as caught:
        stream.read()
    assert str(tmp_path) not in str(caught.value)
