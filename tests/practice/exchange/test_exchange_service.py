"""Streaming, cost, TLS, starting and stopping."""

from __future__ import annotations

import base64
import gc
import threading
import time
from pathlib import Path

import pytest
import requests
from ews_asking import (
    INBOX,
    MIME,
    NS,
    Asker,
    asking,
    codes,
    envelope,
    get_folder,
    get_items,
)

from practice.exchange.server import ExchangeServer
from practice.world.folders import Folder
from practice.world.world import Mailbox, World

ROOT = Path(__file__).parents[3]


def _peak_kilobytes() -> int:
    """The highest resident size of this process since _forget_peak."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("the peak of memory cannot be reset here")


def test_a_large_message_is_never_whole(world: World, mailbox: Mailbox, inbox: Folder) -> None:
    """150 MB, 200 MB as base64, with server and client in this one process."""
    size = 150_000_000
    item = mailbox.deliver(inbox, recipe="large", size=size)
    with ExchangeServer(world) as server, asking(server, mailbox.address) as asker:
        asker.ask(get_folder(INBOX))
        _forget_peak()
        before = _peak_kilobytes()
        with asker.http.post(
            server.url, data=envelope(get_items(item.id, shape=MIME), asker.as_), stream=True, timeout=60
        ) as response:
            assert response.headers.get("Transfer-Encoding") == "chunked"
            received = sum(len(piece) for piece in response.iter_content(1 << 20))
    assert received > size * 4 / 3
    assert _peak_kilobytes() - before < 60_000


def test_a_batch_costs_little() -> None:
    """100 messages of 8 KB: about 10 ms of CPU on the machine it was measured on, letters included."""
    world = World(seed=1, people=1, items=150, nasty=False, message_size=8000, folder_count=1)
    mailbox = world.mailbox(world.addresses()[0])
    with ExchangeServer(world) as fast, asking(fast, mailbox.address) as one:
        wanted = get_items(*(item.id for item in mailbox.distinguished("inbox").items[:100]), shape=MIME)
        body = one.post(wanted).content
        begun = time.process_time()
        assert one.post(wanted).content == body
        spent = time.process_time() - begun
    assert len(body) > 100 * 8000
    assert spent < 0.2


def test_https_with_its_own_authority(world: World, mailbox: Mailbox) -> None:
    with ExchangeServer(world, https=True) as server:
        ca = server.ca_file
        assert ca is not None
        assert ca.exists()
        with asking(server, mailbox.address) as asker:
            assert codes(asker.ask(get_folder(INBOX))) == ["NoError"]
            asker.http.verify = True
            with pytest.raises(requests.exceptions.SSLError):
                asker.post(get_folder(INBOX))
    assert not ca.exists()


def test_stop_and_start_on_the_same_port(world: World, mailbox: Mailbox) -> None:
    server = ExchangeServer(world)
    with server:
        url = server.url
        server.stop()
        with asking(server, mailbox.address) as asker, pytest.raises(requests.exceptions.ConnectionError):
            asker.post(get_folder(INBOX))
        server.start()
        assert server.url == url
        with asking(server, mailbox.address) as asker:
            assert codes(asker.ask(get_folder(INBOX))) == ["NoError"]
    assert "practice-exchange" not in {thread.name for thread in threading.enumerate()}


def test_stop_cuts_off_whoever_is_connected(world: World, mailbox: Mailbox, inbox: Folder) -> None:
    """One client idle, one that does not read its large reply. Nothing is left unclosed: pytest turns
    the warning of a forgotten socket into an error."""
    large = mailbox.deliver(inbox, recipe="large", size=40_000_000)
    server = ExchangeServer(world).start()
    with asking(server, mailbox.address) as idle, asking(server, mailbox.address) as stuck:
        idle.ask(get_folder(INBOX))
        body = envelope(get_items(large.id, shape=MIME), mailbox.address)
        with stuck.http.post(server.url, data=body, stream=True, timeout=10) as response:
            begun = time.monotonic()
            server.close()
            assert time.monotonic() - begun < 5
            with pytest.raises(requests.exceptions.RequestException):
                list(response.iter_content(1 << 20))
    gc.collect()


def test_requests_are_counted(asker: Asker, server: ExchangeServer, inbox: Folder) -> None:
    asker.ask(get_folder(INBOX))
    asker.ask(get_items(inbox.items[0].id))
    asker.ask(get_items(inbox.items[0].id))
    assert server.requests == {"GetFolder": 1, "GetItem": 2}


def test_mime_of_every_oddity(asker: Asker, mailbox: Mailbox) -> None:
    items = list(mailbox.messages())
    root = asker.ask(get_items(*(item.id for item in items), shape=MIME))
    bodies = [base64.b64decode(each.text or "") for each in root.iterfind(".//t:MimeContent", NS)]
    assert bodies == [item.mime() for item in items]
