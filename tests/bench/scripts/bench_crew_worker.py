"""One worker of a bench: walks its share of mailboxes on a real ledger. Its servers are in memory, and answer
after a while.

    python bench_crew_worker.py '{"url": "postgresql+psycopg://...", "first": 0, "count": 50, ...}'

prints "ready", begins when it reads a line, prints a Worked as JSON, and ends with its standard input.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from memory.doubles import MemoryMailbox, MemoryStore
from walking import ONE, Trial, letter

from engine.context.leg_context import BatchLimits
from engine.identity.identity_gate import GateRules
from engine.leg.run import Leg
from engine.planning.mailbox_list import Directory
from ledger.db.rows import LegState
from ledger.store import Ledger
from model.protocols import Role

FOLDERS = 4


@dataclass(frozen=True, slots=True)
class Share:
    """first, count: which mailboxes. at_once: how many of them. mails: of each. answers: seconds until a
    server answers a call. cores: where it may run; empty means anywhere."""

    url: str
    first: int
    count: int
    at_once: int = 4
    mails: int = 5
    answers: float = 0.005
    cores: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Worked:
    """seconds by the clock; cpu seconds of this process, in all its threads."""

    verified: int
    seconds: float
    cpu: float


def mailboxes(share: Share, ledger: Ledger) -> list[Trial]:
    directory = Path(tempfile.mkdtemp(prefix="kogge-crew-"))
    numbers = range(share.first, share.first + share.count)
    return [_mailbox(share, ledger, directory, number) for number in numbers]


def _mailbox(share: Share, ledger: Ledger, directory: Path, number: int) -> Trial:
    source, target = f"p{number}@old.example", f"p{number}@new.example"
    mailbox = MemoryMailbox(id=f"source-{number}", addresses=frozenset({source}))
    folders = [mailbox.create_folder(("Inbox",), Role.INBOX)]
    folders += [mailbox.create_folder((f"Folder {one}",)) for one in range(1, FOLDERS)]
    for one in range(share.mails):
        mailbox.deliver(folders[one % FOLDERS], letter(one + number * share.mails, "x" * 2_000))
    return Trial(
        directory,
        mailbox,
        MemoryStore(id=f"target-{number}"),
        pace=BatchLimits(),
        rules=GateRules(directory=Directory({source: ONE}, {target: ONE})),
        source=source,
        target=target,
        wave=f"wave-{number // 2_000}",
        shares=ledger,
    )


def work(share: Share) -> None:
    if share.cores:
        os.sched_setaffinity(0, share.cores)
    ledger = Ledger(share.url)
    trials = mailboxes(share, ledger)

    def answer(name: str) -> None:
        if not name.endswith("done"):
            time.sleep(share.answers)

    def walk(trial: Trial) -> bool:
        (row,) = ledger.legs(mailbox=trial.id)
        return Leg(trial.setting(answer), row).run().state is LegState.VERIFIED

    with ThreadPoolExecutor(share.at_once) as pool:
        _say("ready")
        sys.stdin.readline()
        used, began = _cpu(), time.perf_counter()
        verified = sum(pool.map(walk, trials))
        _say(json.dumps(asdict(Worked(verified, time.perf_counter() - began, _cpu() - used))))
        sys.stdin.read()
    ledger.close()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    work(Share(**{**given, "cores": tuple(given.get("cores", ()))}))
