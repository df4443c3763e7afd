"""How the rate grows with workers: one, two and four on a real PostgreSQL, with servers that need no CPU.

One worker and the database have one core, two workers and the database have two: twice the rate is what two
workers could reach. More workers than cores show what waiting for one another costs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from statistics import median

import pytest
from bench_board import Board
from bench_crew import Crewed, measure
from servers.postgres import Postgres, serve
from services import need_postgres

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.timeout(1800)]
MAILBOXES, ROUNDS = 40, 3


@pytest.fixture
def server() -> Iterator[Postgres]:
    need_postgres()
    with serve(buffers=128) as started:
        yield started


def test_two_workers_do_twice_as_much(board: Board, server: Postgres) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core")
    pairs = [(measure(server, 1, MAILBOXES), measure(server, 2, MAILBOXES)) for _ in range(ROUNDS)]
    efficiency = median(two.per_second / one.per_second / 2 for one, two in pairs)
    one, two = pairs[-1]
    board.put("scale-2-workers", two.per_second, one.per_second, efficiency)
    growth = median(_cpu(two) / _cpu(one) for one, two in pairs)
    board.notes.append(("CPU a mailbox, two workers / one", f"{growth:.2f}"))
    many = measure(server, 4, MAILBOXES // 2, pinned=False)
    board.notes.append(("CPU a mailbox, four workers / one", f"{_cpu(many) / _cpu(one):.2f}"))


def _cpu(crewed: Crewed) -> float:
    return crewed.worker_ms + crewed.database_ms
