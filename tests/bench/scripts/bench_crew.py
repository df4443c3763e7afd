"""Runs a crew of workers on one PostgreSQL, and says what each mailbox cost the workers and the database.

    python bench_crew.py [MAILBOXES]

measures 1, 2 and 4 workers, each on a core of its own as far as there are cores, then a ladder up to the 160
sessions of 40 workers, in 4 processes, whose servers take half a second for each answer, and writes
build/scale.json.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psycopg
from bench_crew_worker import Share, Worked
from servers.postgres import Postgres, run, serve

from ledger.store import Ledger

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SAMPLE_SECONDS = 0.05
LADDER, PROCESSES = (20, 40, 80, 160), 4
"""Mailboxes at once of 5, 10, 20 and 40 workers; and how many processes hold them."""
SLOW_ANSWERS = 0.5
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Crewed:
    """per_second: mailboxes by the clock of the slowest worker. worker_ms, database_ms: CPU a mailbox, of the
    workers and of PostgreSQL. transactions: a mailbox. waits: in which share of all looks a busy session
    waited for a lock of another one. waited_for: what the looks found."""

    workers: int
    at_once: int
    mailboxes: int
    per_second: float
    worker_ms: float
    database_ms: float
    transactions: float
    waits: float
    waited_for: dict[str, int]


@contextmanager
def worker(share: Share) -> Iterator[subprocess.Popen[str]]:
    paths = [ROOT, HERE, ROOT / "tests", *(ROOT / "tests" / "support").glob("*/"), ROOT / "tests" / "support"]
    with subprocess.Popen(
        [sys.executable, str(HERE / "bench_crew_worker.py"), json.dumps(asdict(share))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Waits:
    """Looks at the sessions of the database again and again."""

    def __init__(self, url: str) -> None:
        self.seen: Counter[str] = Counter()
        self.busy = 0
        self._url = url.replace("+psycopg", "")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Waits:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        statement = (
            "SELECT coalesce(wait_event_type || ':' || wait_event, 'none'), count(*) FROM pg_stat_activity"
            " WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            " GROUP BY 1"
        )
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._end.wait(SAMPLE_SECONDS):
                for name, count in connection.execute(statement):
                    self.seen[str(name)] += int(count)
                    self.busy += int(count)


def measure(
    server: Postgres,
    workers: int,
    mailboxes: int,
    *,
    at_once: int = 4,
    answers: float = 0.005,
    pinned: bool = True,
) -> Crewed:
    """mailboxes: of each worker. pinned: workers and database share as many cores as there are workers; one
    worker has half of what two have. Otherwise they may run anywhere."""
    name = f"crew_{next(_numbers)}"
    url = server.create(name)
    ledger = Ledger(url)
    ledger.migrate()
    ledger.close()
    every = sorted(os.sched_getaffinity(0))
    cores = every[:workers] if pinned else every
    root = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    os.sched_setaffinity(root, cores)  # a session inherits it
    own = itertools.cycle((core,) for core in cores) if pinned else itertools.repeat(())
    shares = [
        Share(url, number * mailboxes, mailboxes, at_once, answers=answers, cores=where)
        for number, where in zip(range(workers), own, strict=False)
    ]
    with ExitStack() as stack:
        crew = [stack.enter_context(worker(share)) for share in shares]
        for one in crew:
            if _out(one).readline() != "ready\n":
                raise RuntimeError("a worker does not begin")
        before, began = _cpu_seconds(root), _commits(url)
        with Waits(url) as waits:
            for one in crew:
                _tell(one)
            worked = [Worked(**json.loads(_out(one).readline())) for one in crew]
        database, commits = _cpu_seconds(root) - before, _commits(url) - began
    return _crewed(worked, shares, database, commits, waits)


def _cpu_seconds(root: int) -> float:
    """CPU of PostgreSQL: of its first process, of those that it has, and of those that have ended."""
    sessions = Path(f"/proc/{root}/task/{root}/children").read_text().split()
    ticks = _ticks(str(root), slice(11, 15)) + sum(_ticks(session, slice(11, 13)) for session in sessions)
    return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(process: str, which: slice) -> int:
    """which: fields of proc(5) stat after the name: utime and stime, then those of ended children."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0
    return sum(map(int, text.rpartition(")")[2].split()[which]))


def _crewed(
    worked: Sequence[Worked], shares: Sequence[Share], database: float, commits: int, waits: Waits
) -> Crewed:
    total = sum(one.verified for one in worked)
    if total != sum(share.count for share in shares):
        raise RuntimeError(f"only {total} mailboxes are verified")
    locked = {name: count for name, count in waits.seen.items() if name.startswith("Lock:")}
    return Crewed(
        len(worked),
        shares[0].at_once,
        total,
        total / max(one.seconds for one in worked),
        sum(one.cpu for one in worked) / total * 1000,
        database / total * 1000,
        commits / total,
        sum(locked.values()) / max(waits.busy, 1),
        dict(waits.seen.most_common(6)),
    )


def _commits(url: str) -> int:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _out(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def main(mailboxes: int) -> None:
    found: list[Crewed] = []
    (ROOT / "build").mkdir(exist_ok=True)
    with serve(buffers=128) as server:
        _admit(server, 3 * LADDER[-1])
        for one in _measured(server, mailboxes):
            found.append(one)
            sys.stdout.write(json.dumps(asdict(one)) + "\n")
            sys.stdout.flush()
            (ROOT / "build" / "scale.json").write_text(json.dumps([asdict(each) for each in found], indent=1))


def _admit(server: Postgres, connections: int) -> None:
    """Let more programs connect at once than PostgreSQL's default of 100."""
    with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET max_connections = {connections}")
    log = server.folder / "log"
    run(server.programs / "pg_ctl", "-D", server.folder / "data", "-w", "-m", "fast", "-l", log, "restart")


def _measured(server: Postgres, mailboxes: int) -> Iterator[Crewed]:
    for workers in (1, 2, 1, 2, 1, 2, 4):
        yield measure(server, workers, mailboxes)
    for sessions in LADDER:
        each = sessions // PROCESSES
        yield measure(server, PROCESSES, 2 * each, at_once=each, answers=SLOW_ANSWERS, pinned=False)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
