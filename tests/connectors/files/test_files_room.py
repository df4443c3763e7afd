"""How often a server is asked whether a file fits, and that none is sent on an old word that it does not."""

from __future__ import annotations

import pytest

from connectors.webdav import quota
from connectors.webdav.quota import QuotaRoom
from model.errors import Blocked


class Server:
    """Tells its room; None: nobody knows."""

    def __init__(self, room: int | None) -> None:
        self.room = room
        self.asked = 0

    def ask(self) -> int | None:
        self.asked += 1
        return self.room


def test_while_there_is_plenty_it_is_asked_once() -> None:
    server = Server(1000)
    room = QuotaRoom(server.ask)
    for _ in range(5):
        room.take(100)
    assert server.asked == 1


def test_beyond_half_of_what_it_told_it_is_asked_anew() -> None:
    server = Server(1000)
    room = QuotaRoom(server.ask)
    room.take(500)
    server.room = 50
    with pytest.raises(Blocked, match="over-quota"):
        room.take(100)
    assert server.asked == 2


def test_what_did_not_fit_is_asked_again() -> None:
    server = Server(50)
    room = QuotaRoom(server.ask)
    with pytest.raises(Blocked, match="over-quota"):
        room.take(100)
    server.room = 1000
    room.take(100)
    assert server.asked == 2


def test_an_old_word_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "FRESH", 0.0)
    server = Server(1000)
    room = QuotaRoom(server.ask)
    room.take(1)
    server.room = 0
    with pytest.raises(Blocked, match="over-quota"):
        room.take(1)


def test_where_nobody_knows_everything_is_sent_and_it_is_not_asked_each_time() -> None:
    server = Server(None)
    room = QuotaRoom(server.ask)
    room.take(10**12)
    room.take(10**12)
    assert server.asked == 1
