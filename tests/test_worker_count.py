"""How many workers run the tests."""

from __future__ import annotations

import pytest
from worker_count import of_this_machine, workers

MUCH = "MemTotal:       64000000 kB\nMemAvailable:   60000000 kB\n"
LITTLE = "MemTotal:       16000000 kB\nMemAvailable:    6000000 kB\n"


@pytest.mark.parametrize(
    ("cores", "meminfo", "limit", "number"),
    [
        (2, MUCH, "max\n", 6),
        (2, MUCH, "", 6),
        (2, LITTLE, "", 4),
        (8, MUCH, "8000000000\n", 5),
        (2, LITTLE, "500000000\n", 1),
        (2, "", "", 6),
    ],
)
def test_cores_and_memory_say_how_many(cores: int, meminfo: str, limit: str, number: int) -> None:
    assert workers(cores, meminfo, limit) == number


def test_this_machine_has_some() -> None:
    assert of_this_machine() >= 1
