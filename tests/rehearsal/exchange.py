"""The Exchange of a rehearsal, in a process of its own: python -m rehearsal.exchange --size ci

Its people and mailboxes are made when they are read and forgotten again; it slows down and fails by a plan.
"""

from __future__ import annotations

import argparse

from servers.faulty.exchange import FaultyExchange

from practice.harness.served import Signalled
from rehearsal.size import SEED, SIZES, faults_of, world_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.exchange", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    done = Signalled()
    world = world_of(SIZES[given.size], given.seed)
    with FaultyExchange(world, faults=faults_of(given.seed), port=given.port) as server:
        print(server.url, flush=True)  # noqa: T201 (to the process that started this one)
        done.wait()


if __name__ == "__main__":
    main()
