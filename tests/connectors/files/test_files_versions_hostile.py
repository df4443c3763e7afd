"""Older versions of files on a server that has no room, refuses many of them, or lists what are none."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

import pytest
from files_desk import Desk
from results import stored
from test_files_versions import NOT_KEPT, SMALL, kept, opened, refusing, told

from connectors.files.versions import Histories
from model.protocols import Item, Stored
from practice.dav.proxy import Forward, Reply, Request


def test_an_older_version_takes_no_room_from_the_file_itself(desk: Desk) -> None:
    desk.cloud.shelves["anna"].quota = 100
    (one,) = stored(opened(desk).write("", [told(b"x" * 30, b"x" * 50, data=b"y" * 60)]))
    assert (kept(desk), desk.files()) == ({}, {"file 1.txt": b"y" * 60})
    assert (one.versions, one.losses) == (0, (NOT_KEPT,))


def test_more_refused_ones_than_calls_fit_into_each_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(desk, b"old", 413)
    item = told(b"one", *[b"old"] * 60, b"two")
    began, depths = Histories._last_step, set()

    def begun(self: Histories, steps: Sequence[Item]) -> tuple[int, Stored | None]:
        depths.add(len(inspect.stack(0)))
        return began(self, steps)

    monkeypatch.setattr(Histories, "_last_step", begun)
    (one,) = stored(opened(desk, versions=99).write("", [item]))
    assert (one.versions, one.losses, len(depths)) == (2, (NOT_KEPT,), 1)


def test_what_is_no_date_is_no_version(desk: Desk) -> None:
    def more(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        if request.method != "PROPFIND" or "/dav/versions/" not in request.path:
            return answer
        rows = "".join(
            f"<d:response><d:href>{request.path.rstrip('/')}/{name}</d:href></d:response>"
            for name in ("9" * 5000, "-1", "1e9", "%D9%A1")
        )
        return replace(
            answer, body=answer.body.replace(b"</d:multistatus>", f"{rows}</d:multistatus>".encode())
        )

    desk.cloud.layers = (more,)
    (one,) = stored(opened(desk).write("", [told(*SMALL)]))
    assert (one.versions, one.losses) == (3, ())
    assert opened(desk).versions("", "file 1.txt") == 3
