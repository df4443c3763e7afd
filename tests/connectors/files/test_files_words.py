"""What a file server says of a refusal goes with the error."""

from __future__ import annotations

import pytest
from files_desk import Desk, file, folder

from model.errors import Blocked, Rejected
from model.protocols import Failed, Stored
from practice.dav.proxy import Forward, Reply, Request, dav_error

SAID = "virus found in Anna's file"


@pytest.mark.parametrize("status", [415, 500])
def test_a_file_that_is_refused(desk: Desk, status: int) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        refused = request.method == "PUT" and "file 1" in request.path
        return dav_error(status, "<d:x/>", SAID) if refused else rest(request)

    target = desk.target(patience_seconds=600)
    href = target.ensure(folder("Work"))
    desk.cloud.layers = (refuses,)
    (failed,) = (one for one in target.write(href, [file(1), file(2)]) if not isinstance(one, Stored))
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.words.spoken()) == ("refused-by-target", SAID)
    assert "Anna" not in f"{failed.error!r} {failed.error} {failed.error.words!r}"


def test_a_move_that_is_refused(desk: Desk) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        return dav_error(501, "<d:x/>", SAID) if request.method == "MOVE" else rest(request)

    target = desk.target()
    href = target.ensure(folder("Work"))
    (old,) = target.write(href, [file(1)])
    assert isinstance(old, Stored)
    desk.cloud.layers = (refuses,)
    with pytest.raises(Blocked, match="server-refuses") as caught:
        list(target.write(href, [file(1, b"changed", "other name.txt", replaces=old)]))
    assert caught.value.words.spoken() == SAID


def test_a_folder_that_is_refused(desk: Desk) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        return dav_error(400, "<d:x/>", SAID) if request.method == "MKCOL" else rest(request)

    target = desk.target()
    desk.cloud.layers = (refuses,)
    with pytest.raises(Rejected, match="name-not-allowed") as caught:
        target.ensure(folder("Work"))
    assert caught.value.words.spoken() == SAID
