"""Passes over mailboxes, one leg after the other, in a process of its own: what each of them costs.

    python bench_idle.py CONFIG PASSES [PROFILE]

plans what the configuration's list names, walks every leg PASSES times as a batch does, and prints one
line of JSON for each pass, a PassCost. It begins each pass when it reads a line.
PROFILE: the file that gets the last pass's profile.
"""

from __future__ import annotations

import cProfile
import json
import resource
import sys
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from connectors.imap.wire.connection import ImapConnection
from engine.assembly import build_leg
from engine.config.load import Config, load
from engine.opening.open_sides import open_ledger
from engine.planning import load_plan
from ledger.store import Ledger


@dataclass(slots=True)
class PassCost:
    """seconds by the clock, cpu seconds of this process; commands: IMAP commands by their names; copied:
    mails written; ends: legs by state and code."""

    seconds: float = 0.0
    cpu: float = 0.0
    legs: int = 0
    statements: int = 0
    transactions: int = 0
    copied: int = 0
    commands: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)


class Counting(Counter[str]):
    """IMAP commands by name, and the ledger's statements and transactions."""

    def attach(self, engine: Engine) -> None:
        begin = ImapConnection.begin

        def counted(connection: ImapConnection, command: bytes) -> bytes:
            words = command.split(b" ", 2)
            self[" ".join(word.decode() for word in words[: 2 if words[0] == b"UID" else 1])] += 1
            return begin(connection, command)

        def statement(*_: Any) -> None:
            self["statements"] += 1

        def transaction(*_: Any) -> None:
            self["transactions"] += 1

        ImapConnection.begin = counted  # type: ignore[method-assign]
        event.listen(engine, "before_cursor_execute", statement)
        event.listen(engine, "begin", transaction)


def walk(config: Config, ledger: Ledger, counting: Counting) -> PassCost:
    cost, ends = PassCost(), Counter[str]()
    legs = [row.id for row in ledger.legs()]
    counting.clear()
    used, began = _cpu(), time.perf_counter()
    for leg in legs:
        result = build_leg(config, leg).run()
        ends[f"{result.state}:{result.code}"] += 1
        cost.copied += result.tally.new
    cost.seconds, cost.cpu = time.perf_counter() - began, _cpu() - used
    cost.legs = len(legs)
    cost.statements, cost.transactions = counting.pop("statements", 0), counting.pop("transactions", 0)
    cost.commands, cost.ends = dict(counting), dict(ends)
    return cost


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(config_file: str, passes: str, profile: str = "") -> None:
    config = load(Path(config_file))
    ledger = open_ledger(config)
    ledger.migrate()
    load_plan.plan(config, ledger)
    counting = Counting()
    counting.attach(ledger.engine)
    for number in range(int(passes)):
        sys.stdin.readline()
        profiler = cProfile.Profile(time.process_time) if profile and number == int(passes) - 1 else None
        with profiler or nullcontext():
            cost = walk(config, ledger, counting)
        if profiler is not None:
            profiler.dump_stats(profile)
        print(json.dumps(asdict(cost)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
