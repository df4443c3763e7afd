"""A process of practice servers is asked for something, and two worlds share a machine."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from practice.harness.control import NotServedError, ask, controlled
from practice.harness.reserved_port import reserved_port


def test_who_asks_is_answered_until_the_servers_end() -> None:
    asked: list[Mapping[str, object]] = []

    def answer(request: Mapping[str, object]) -> Mapping[str, object]:
        asked.append(request)
        return {"number": len(asked)}

    with controlled(answer) as path:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert [ask(path, {"what": "work"})["number"] for _ in range(2)] == [1, 2]
    assert asked == [{"what": "work"}] * 2
    with pytest.raises(NotServedError):
        ask(path, {"what": "work"})
    assert not path.parent.exists()


def test_a_socket_that_never_was_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(NotServedError):
        ask(tmp_path / "socket", {})


def test_two_worlds_have_two_ports() -> None:
    with reserved_port(0) as free:
        wanted = free
    with reserved_port(wanted) as one, reserved_port(wanted) as two:
        assert one == wanted
        assert two > one
    with reserved_port(wanted) as again:
        assert again == wanted
