"""Small mailboxes copied and verified one after the other in one process: what each costs, and in what.

    python bench_small.py --mailboxes 40 [--warm 8] [--profile FILE] [--passes 2] [--statements]

As in a rehearsal: five mails in eleven folders, from a practice Exchange in a process of its own to a private
Dovecot, ledger in a private PostgreSQL. Prints one JSON object for each pass: CPU by role in milliseconds,
and counts; all of them for each mailbox.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
from rehearsal.meter import Meter
from rehearsal.place import LEDGER, Place
from rehearsal.size import world_of
from servers.dovecot import Dovecot
from servers.postgres import Postgres, serve
from sqlalchemy import Engine, event

from connectors.http.transport import Transport
from connectors.imap.wire.connection import ImapConnection
from engine.assembly import build_leg
from engine.config.load import Config, load
from engine.planning import load_plan
from ledger.db.rows import LegState
from ledger.open_ledgers import held_open
from ledger.store import Ledger
from practice.exchange.server import ExchangeServer
from practice.harness.served import Signalled

SIZE = "ci"
SAMPLE_SECONDS = 0.002


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mailboxes", type=int, default=40)
    parser.add_argument("--warm", type=int, default=8, help="so many before, which are not counted")
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--statements", action="store_true", help="which statements, how often")
    parser.add_argument("--exchange", action="store_true")
    given = parser.parse_args()
    if given.exchange:
        _serve_exchange()
        return
    with tempfile.TemporaryDirectory(prefix="kogge-small-", dir=os.environ.get("BENCH_TMP")) as folder:
        Path(folder).chmod(0o711)
        with _servers(Path(folder)) as (place, postgres, roots):
            _measure(given, load(place.config), postgres, roots)


def _serve_exchange() -> None:
    done = Signalled()
    with ExchangeServer(world_of(Place.at(Path.cwd(), SIZE, 1).size)) as server:
        print(server.url, flush=True)  # noqa: T201
        done.wait()


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Place, Postgres, dict[str, list[int]]]]:
    with ExitStack() as stack:
        place = Place.at(folder, SIZE, 1)
        postgres = stack.enter_context(serve(place.postgres, 128))
        url = postgres.create(LEDGER)
        exchange = stack.enter_context(
            subprocess.Popen(
                [sys.executable, __file__, "--exchange"],
                stdout=subprocess.PIPE,
                cwd=folder,
                text=True,
                env=dict(os.environ),
            )
        )
        stack.callback(exchange.terminate)
        assert exchange.stdout is not None
        served = exchange.stdout.readline().strip()
        world = world_of(place.size)
        place.ports["exchange"] = int(served.split(":")[2].split("/")[0])
        dovecot = Dovecot(place.dovecot, keep=True, port=place.ports["dovecot"])
        place.write(world, url)
        dovecot.add_users(world.addresses())
        dovecot.start()
        stack.callback(dovecot.stop)
        master = int((place.postgres / "data" / "postmaster.pid").read_text().split()[0])
        yield (
            place,
            postgres,
            {
                "own": [os.getpid()],
                "exchange": [exchange.pid],
                "dovecot": [dovecot.pid],
                "postgres": [master],
            },
        )


def _measure(given: Any, config: Config, postgres: Postgres, roots: dict[str, list[int]]) -> None:
    ledger = held_open(config.ledger_url())
    load_plan.plan(config, ledger)
    small = [row for row in ledger.legs() if row.workload == "mail"][: given.warm + given.mailboxes + 2]
    counts, texts = Counter[str](), Counter[str]()
    _count_calls(counts, texts)
    for number in range(given.passes):
        for row in small[: given.warm]:
            _run(config, ledger, row.id)
        legs = small[given.warm : given.warm + given.mailboxes]
        sampled = bool(given.profile) and number == given.passes - 1
        counts.clear()
        texts.clear()
        before, commits, began = _cpu(roots), _transactions(postgres), time.perf_counter()
        with _sampling(given.profile, len(legs)) if sampled else nullcontext():
            for row in legs:
                _run(config, ledger, row.id)
        spent = {role: value - before.get(role, 0) for role, value in _cpu(roots).items()}
        seconds = time.perf_counter() - began
        time.sleep(1.2)  # PostgreSQL counts its transactions a little later
        each = len(legs)
        result = {
            "pass": number + 1,
            "seconds": round(seconds / each, 3),
            "cpu_ms": {role: round(1000 * value / each, 1) for role, value in sorted(spent.items())},
            "transactions": round((_transactions(postgres) - commits) / each, 1),
            **{name: round(value / each, 1) for name, value in sorted(counts.items())},
        }
        print(json.dumps(result), flush=True)  # noqa: T201
        if given.statements:
            for text, value in texts.most_common(90):
                print(f"{value / each:7.2f}  {text}")  # noqa: T201


@contextmanager
def _sampling(file: Path, mailboxes: int) -> Iterator[None]:
    """Samples the main thread's stack by CPU time: how much each function took with what it calls, and alone.

    The numbers are shares: the kernel's timer is too coarse for milliseconds.
    """
    within, itself = Counter[str](), Counter[str]()

    def sample(_number: int, frame: FrameType | None) -> None:
        names, at = [], frame
        while at is not None:
            code = at.f_code
            names.append(f"{'/'.join(code.co_filename.rsplit('/', 3)[1:])}:{code.co_qualname}")
            at = at.f_back
        within.update(set(names))
        itself.update(names[:1])

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        share = 1000 * SAMPLE_SECONDS / mailboxes
        lines = (f"{n * share:7.1f} {itself[name] * share:7.1f}  {name}" for name, n in within.most_common())
        file.write_text("\n".join(lines) + "\n")


def _run(config: Config, ledger: Ledger, leg: int) -> None:
    ended = build_leg(config, leg).run()
    assert ended.state is LegState.VERIFIED, (ended.state, ended.code)


def _count_calls(counts: Counter[str], texts: Counter[str]) -> None:
    def stated(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        counts["statements"] += 1
        texts["sql  " + " ".join(statement.split())[:150]] += 1

    event.listen(Engine, "before_cursor_execute", stated)
    send, begin = Transport.send, ImapConnection.begin

    def sent(self: Transport, *args: Any, **named: Any) -> Any:
        counts["requests"] += 1
        texts[f"http {_operation(args, named)}"] += 1
        return send(self, *args, **named)

    def began(self: ImapConnection, *args: Any, **named: Any) -> Any:
        counts["imap_commands"] += 1
        texts[f"imap {_command(args)}"] += 1
        texts[f"from {_callers()}"] += 1
        return begin(self, *args, **named)

    Transport.send = sent  # type: ignore[method-assign]
    ImapConnection.begin = began  # type: ignore[method-assign]


def _operation(args: tuple[Any, ...], named: dict[str, Any]) -> str:
    body = next((one for one in (*args, *named.values()) if isinstance(one, bytes) and b"Body>" in one), b"")
    return body.partition(b"Body>")[2][:40].decode(errors="replace")


def _callers() -> str:
    """The functions of the engine that led to a command, the innermost first."""
    names, at = [], sys._getframe(2)
    while at is not None and len(names) < 3:
        if "/engine/" in at.f_code.co_filename and "pacing" not in at.f_code.co_filename:
            names.append(f"{Path(at.f_code.co_filename).stem}.{at.f_code.co_name}:{at.f_lineno}")
        at = at.f_back
    return " < ".join(names)


def _command(args: tuple[Any, ...]) -> str:
    return str(args[0])[:60] if args else ""


def _transactions(postgres: Postgres) -> int:
    with psycopg.connect(host=str(postgres.folder), user="kogge", dbname="postgres") as connection:
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = %s"
        row = connection.execute(query, (LEDGER,)).fetchone()
        return int(row[0]) if row else 0


def _cpu(roots: dict[str, list[int]]) -> dict[str, float]:
    meter = Meter()
    meter.sample(roots)
    seconds = meter.seconds()
    return {"ledger" if role == f"postgres-{LEDGER}" else role: value for role, value in seconds.items()}


if __name__ == "__main__":
    main()
