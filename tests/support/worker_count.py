"""How many processes run the tests: three a core, since tests wait more than they compute."""

from __future__ import annotations

import os
import re
from pathlib import Path

A_CORE = 3
MEMORY = 1_500_000_000
"""Of a worker: it has 600 MB when it has collected all tests. The rest is for what it starts."""


def workers(cores: int, meminfo: str, limit: str) -> int:
    """Return the number of workers.

    Args:
        cores: the processors that may be used.
        meminfo: /proc/meminfo; empty where there is none.
        limit: the container's limit in bytes, `max` or empty without one.
    """
    bounds = [A_CORE * cores]
    if found := re.search(r"^MemAvailable: +(\d+) kB$", meminfo, re.MULTILINE):
        bounds.append(1024 * int(found[1]) // MEMORY)
    if limit.strip().isdecimal():
        bounds.append(int(limit) // MEMORY)
    return max(1, min(bounds))


def of_this_machine() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return workers(cores, _read("/proc/meminfo"), _read("/sys/fs/cgroup/memory.max"))


def _read(name: str) -> str:
    return Path(name).read_text() if Path(name).exists() else ""
