"""A practice Open-Xchange of three users, on the evening of 28 November 2026."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ox_asking import NOW, USERS, Asker, asking
from servers.open_xchange.server import OpenXchangeServer
from servers.smtp_sink import SmtpSink


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running


@pytest.fixture
def ox(sink: SmtpSink) -> Iterator[OpenXchangeServer]:
    with OpenXchangeServer(USERS, sink=sink, now=NOW) as server:
        yield server


@pytest.fixture
def alice(ox: OpenXchangeServer) -> Iterator[Asker]:
    with asking(ox, "alice@ox.test") as one:
        yield one


@pytest.fixture
def bob(ox: OpenXchangeServer) -> Iterator[Asker]:
    with asking(ox, "bob@ox.test") as one:
        yield one
