"""A file whose answer ends with its connection is compared with the size that the server states of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from files_desk import Desk, file
from results import stored

from connectors.files.target import FilesTarget
from connectors.webdav.client import joined
from model.errors import Transient
from model.protocols import Native
from practice.dav.proxy import Fate, Forward, Layer, Reply, Request

DATA = b"content " * 200


def ending(*fates: Fate) -> Layer:
    """What becomes of the answers to GET, one after the other; the last one stays."""
    left = list(fates)

    def layer(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        if request.method != "GET" or "/files/" not in request.path:
            return answer
        return replace(answer, fate=left.pop(0) if len(left) > 1 else left[0])

    return layer


@pytest.fixture
def target(desk: Desk) -> FilesTarget:
    """A target with one file."""
    opened = desk.target(patience_seconds=3)
    stored(opened.write("", [file(1, DATA)]))
    return opened


def read(target: FilesTarget) -> bytes:
    ((_, found),) = target.read("", ["file 1.txt"])
    assert isinstance(found, Native), found
    assert found.body is not None
    with found.body() as stream:
        return stream.read()


@pytest.mark.parametrize("fates", [(Fate.UNSTATED,), (Fate.BROKEN_OFF, Fate.UNSTATED)])
def test_it_is_read_to_its_end(fates: tuple[Fate, ...], desk: Desk, target: FilesTarget) -> None:
    desk.cloud.layers = (ending(*fates),)
    assert read(target) == DATA


def test_what_always_breaks_off_is_no_file(desk: Desk, target: FilesTarget) -> None:
    desk.cloud.layers = (ending(Fate.BROKEN_OFF),)
    with pytest.raises(Transient, match="reply-incomplete"):
        read(target)


def test_its_hash_is_of_the_whole(desk: Desk, target: FilesTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = target._reading
    monkeypatch.setattr(reader, "_hashes", False)
    desk.cloud.layers = (ending(Fate.BROKEN_OFF, Fate.UNSTATED),)
    assert reader.digest(joined(target._tree.path(""), "file 1.txt")) == hashlib.sha256(DATA).digest()
