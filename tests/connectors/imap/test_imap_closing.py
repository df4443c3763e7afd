"""What is left of connections that were made beside the thread that uses them."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable

import pytest
from imap_script import Serve, Settings

from connectors.imap.session import Session
from connectors.settings import Account
from model.errors import Transient

Make = Callable[[], Session]


@pytest.fixture
def session(serve: Serve, settings: Settings) -> Make:
    server = serve(lambda *_: b"TAG OK done\r\n")
    return lambda: Session(settings(server.port), Account(login="anna"))


def slowly() -> list[bytes]:
    """Ask nothing, while the other thread waits already."""
    time.sleep(0.1)
    return []


def test_whoever_waited_for_a_connection_frees_it(session: Make) -> None:
    opened = session()
    opened.connect_ahead(slowly)
    sock = opened.connection.imap.sock
    opened.close()
    assert sock.fileno() == -1


def test_a_connection_that_is_closed_while_it_is_made_is_freed(session: Make) -> None:
    opened = session()
    connected, closed = threading.Event(), threading.Event()
    made: list[object] = []

    def questions() -> list[bytes]:
        made.append(opened.has("UIDPLUS"))
        connected.set()
        closed.wait(5)
        return [b"NAMESPACE"]

    opened.connect_ahead(questions)
    assert connected.wait(5)
    connection = opened._connection
    assert connection is not None
    opened.close()
    closed.set()
    for thread in threading.enumerate():
        if thread.name == "connect-ahead":
            thread.join(5)
    assert made == [True]
    assert connection.imap.sock.fileno() == -1
    with pytest.raises(Transient, match="connection-closed"):
        opened.has("UIDPLUS")


def test_a_session_that_another_thread_closed_does_not_stay(session: Make) -> None:
    opened = session()
    sock = opened.connection.imap.sock
    keeper = threading.Thread(target=opened.close)
    keeper.start()
    keeper.join()
    left = weakref.ref(opened._connection)
    del opened
    gc.collect()
    assert left() is None
    assert sock.fileno() == -1
