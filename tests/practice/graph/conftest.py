"""A practice Microsoft 365, one world a test, and a client of it. Modules with other needs have their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from graph_asking import GraphAsker, asking_graph
from practice_fixtures import graph_fixture
from servers.faulty.graph import FaultyGraph

from practice.world.world import Mailbox

graph = graph_fixture(scope="function")


@pytest.fixture
def asker(graph: FaultyGraph, mailbox: Mailbox) -> Iterator[GraphAsker]:
    with asking_graph(graph, mailbox.address) as one:
        yield one
