"""A practice Exchange, one world a test, and clients of it. Modules with other needs have their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ews_asking import Asker, asking
from practice_fixtures import exchange_fixture, mailbox_fixture, world_fixture
from servers.faulty.exchange import FaultyExchange

from practice.world.folders import Folder
from practice.world.world import Mailbox, World

world = world_fixture(seed=5, people=3, items=80, nasty=True, large=(), scope="function")
mailbox = mailbox_fixture(1)


@pytest.fixture
def inbox(mailbox: Mailbox) -> Folder:
    return mailbox.distinguished("inbox")


server = exchange_fixture(scope="function")


@pytest.fixture
def asker(server: FaultyExchange, mailbox: Mailbox) -> Iterator[Asker]:
    with asking(server, mailbox.address) as one:
        yield one


@pytest.fixture
def gromox(world: World, mailbox: Mailbox) -> Iterator[Asker]:
    with FaultyExchange(world, dialect="gromox") as running, asking(running, mailbox.address) as one:
        yield one
