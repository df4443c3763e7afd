"""The rehearsal: a whole migration on one machine, while its workers and servers are killed again and again.

python -m rehearsal.run [--size whole] [--state build/rehearsal] [--report build/rehearsal.json]

A practice Exchange that slows down and fails; a real Dovecot; ledger and Prefect on PostgreSQL; two workers.
The waves are run by `kogge migrate`; whatever dies is started again here. At the end all that lies in
Dovecot's store is compared with all that the source holds. Whatever ends the rehearsal, the same command
goes on with it; --fresh begins anew. The command of a wave is begun once: nothing is done here that a person
would have to do at night. --second-night: a second pass over everything, with nothing new, and its cost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Engine, create_engine

from ledger.store import Ledger
from practice.harness.alone import LOCK, only_one
from rehearsal.count import Count, count
from rehearsal.crew import adopting, bury, end_the_left_over
from rehearsal.kills import KINDS, Kills
from rehearsal.place import Place
from rehearsal.report import SECONDS, clean, left_behind, report
from rehearsal.servers import Servers, running
from rehearsal.size import SEED, SIZES, world_of
from rehearsal.waves import Progress, Waves, progress

TURN_SECONDS = 0.5
LOOK_SHARE = 50
"""To ask the ledger how far all waves are takes a fiftieth of the time: with 40,000 mailboxes it is work."""
TELL_SECONDS = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.run", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="whole")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--state", type=Path, default=Path("build/rehearsal"), help="where everything is kept"
    )
    parser.add_argument("--report", type=Path, default=Path("build/rehearsal.json"))
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    parser.add_argument("--calm", action="store_true", help="kill nothing: to measure")
    parser.add_argument("--second-night", action="store_true", help="then all once more, with nothing new")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    directory = given.state.absolute()
    with only_one(directory, "rehearsal", 0o711):
        end_the_left_over(directory)
        if given.fresh:
            clear(directory)
        place = Place.at(directory, given.size, given.seed)
        result = rehearse(place, calm=given.calm, second_night=given.second_night)
    given.report.parent.mkdir(parents=True, exist_ok=True)
    given.report.write_text(json.dumps(result, indent=1) + "\n")
    say(json.dumps(result, indent=1))
    raise SystemExit(0 if clean(result) else 1)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # ends the servers on the way out


def rehearse(place: Place, *, calm: bool, second_night: bool) -> dict[str, Any]:
    """From wherever it stands to the end: the result."""
    with adopting(), running(place, say) as servers:
        ledger = Ledger(servers.ledger_url)
        ledger.migrate()
        ledger.close()
        with connected(servers.ledger_url) as engine, connected(servers.prefect_url) as prefect:
            rehearsal = Rehearsal(place, servers, engine)
            rehearsal.run(calm=calm)
            if second_night:
                rehearsal.run_second_night()
            say("every wave has ended; now what lies in Dovecot's store is counted")
            counted = count_all(place, servers, engine)
            return report(place, engine, prefect, counted, load=os.getloadavg())


@contextmanager
def connected(url: str) -> Iterator[Engine]:
    engine = create_engine(url, pool_pre_ping=True)
    try:
        yield engine
    finally:
        engine.dispose()


@dataclass(slots=True)
class Rehearsal:
    """The waves under way. at: when the time was last added up. known: how far they are. due: when that is
    asked again."""

    place: Place
    servers: Servers
    engine: Engine
    at: float = field(default_factory=time.monotonic)
    told: float = 0.0
    known: dict[str, Progress] = field(default_factory=dict)
    due: float = 0.0

    def run(self, *, calm: bool) -> None:
        """Until every wave has ended."""
        if self.place.first:
            return
        done = {name for name, one in progress(self.engine).items() if one.sealed}
        self._run(self._waves([name for name in self._names() if name not in done]), calm=calm)
        self.place.first = {**self.place.meter.seconds(), SECONDS: self.place.seconds}
        self.place.keep()

    def run_second_night(self) -> None:
        """Everything once more, with nothing new: what it takes. Nothing is killed."""
        say("now everything once more, with nothing new")
        before, began = self.place.meter.seconds(), self.place.seconds
        waves = self._waves(self._names(), options=())
        self._run(waves, calm=True)
        used = self.place.meter.seconds()
        cpu = {role: seconds - before.get(role, 0.0) for role, seconds in used.items()}
        self.place.night = {**cpu, SECONDS: self.place.seconds - began}
        self.place.keep()

    def _names(self) -> list[str]:
        size = self.place.size
        return list(dict.fromkeys(size.wave_of(index) for index in range(size.mailboxes)))

    def _waves(self, names: Sequence[str], options: Sequence[str] = ("--rest",)) -> Waves:
        place = self.place
        environment, patience = self.servers.environment, place.size.patience
        return Waves(names, place.directory, environment, patience, place.begun, place.unfinished, options)

    def _run(self, waves: Waves, *, calm: bool) -> None:
        place, kills = self.place, self._kills()
        self._measure(waves)
        try:
            while not waves.turn(known := self._known()):
                share = self._share(known)
                self._measure(waves)
                if not calm and (whom := kills.due(share)) is not None:
                    place.kills[whom] += 1
                    say(f"{share:7.2%}  {whom} killed")
                self.servers.turn()
                place.keep()
                self._tell(share, known)
                time.sleep(TURN_SECONDS)
        finally:
            self._measure(waves)
            place.keep()
            waves.stop()

    def _known(self) -> dict[str, Progress]:
        now = time.monotonic()
        if now >= self.due:
            self.known = progress(self.engine)
            self.due = now + LOOK_SHARE * (time.monotonic() - now)
        return self.known

    def _kills(self) -> Kills:
        place, servers = self.place, self.servers
        acts = (servers.kill_worker, servers.kill_prefect, servers.kill_dovecot)
        done = place.kills.total()
        return Kills(place.size, dict(zip(KINDS, acts, strict=True)), random.Random(place.seed + done), done)

    def _measure(self, waves: Waves) -> None:
        self.place.meter.sample({**self.servers.roots(), "wave": waves.pids()})
        bury([*self.servers.popen(), *waves.popen()])
        now = time.monotonic()
        self.place.seconds += now - self.at
        self.at = now

    def _share(self, known: Mapping[str, Progress]) -> float:
        """Of the mailboxes that are sealed."""
        return sum(one.legs.get("verified", 0) for one in known.values()) / self.place.size.mailboxes

    def _tell(self, share: float, known: Mapping[str, Progress]) -> None:
        if time.monotonic() - self.told >= TELL_SECONDS:
            self.told = time.monotonic()
            done = sum(one.done for one in known.values())
            say(f"{share:7.2%}  {done:,} items, {self.place.seconds / 60:.1f} minutes")


def count_all(place: Place, servers: Servers, engine: Engine) -> Count:
    servers.stop()
    world = world_of(place.size, place.seed)
    return count(world, place.dovecot / "dovecot.conf", left_behind(engine), _counted)


def _counted(mailboxes: int) -> None:
    if mailboxes % 5_000 == 0:
        say(f"  {mailboxes:,} mailboxes counted")


def clear(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
