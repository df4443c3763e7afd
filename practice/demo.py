"""Show a migration: five people move from Exchange and five from Microsoft 365.

One person goes on working while the migration runs, and another one after the first pass; their changes
follow. Where Dovecot is installed with Pigeonhole, their rules, replies and rights move, too.

python -m practice.demo [--hold] [--state demo-state]

It runs the same commands that a migration engineer would, in a directory of its own, against practice servers
in a process of their own. Nothing in it is real, and it can run again at any time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from flows.deploy import prefect_server
from kogge.prepare.practice_servers import APPROVERS, staged
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.drive.pointers import strew
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.graph_items.drives import GraphDrives
from practice.harness.alone import LOCK, only_one
from practice.harness.warden import die_with_the_starter
from practice.servers.at_the_target import received, shared_with
from practice.servers.pigeonhole import Pigeonhole
from practice.world.folders import Grant
from practice.world.rules import RULES
from practice.world.work import in_words, work
from practice.world.world import World

PEOPLE = 5
ITEMS = 80
CLOUD_ITEMS = 25
PIM = 14
TREE = Tree(files=15, depth=6)
SEED = 7
LARGE = 3_000_000
SHARED = "Team"
"""A folder of the first person that the second one looks after."""
SORTED = "Trash"
"""Where the first rule of practice people puts mail."""
ACTED = "In the new accounts:"
READS_BEFORE_USE = 3
"""The first mailbox is used after so many replies with mail: the migration is under way then."""


def main() -> None:
    """Run the demonstration, or its practice servers."""
    parser = argparse.ArgumentParser(prog="python -m practice.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path("demo-state"), help="where everything lies")
    parser.add_argument("--hold", action="store_true", help="keep the Prefect UI until Ctrl-C")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    state = given.state.absolute()
    if given.serve:
        serve(state)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the servers on the way out
    with only_one(state, "demonstration", 0o700):
        code = demonstrate(state, hold=given.hold)
    raise SystemExit(code)


def demonstrate(state: Path, *, hold: bool) -> int:
    """Run the whole scenario.

    Returns:
        The exit code of its last command, or of the first one that failed.
    """
    began = time.monotonic()
    clear(state)
    with served(state) as (lines, go_on):
        say(f"The practice servers are up: {lines.readline().strip()}.\n")
        try:
            code = moved(state, lines, go_on)
            if code == 0:
                code = sealed(state)
            finish(state, code, time.monotonic() - began, hold=hold)
        finally:
            prefect_server.down(state / "kogge-state")
    return code


def moved(state: Path, lines: IO[str], go_on: Callable[[], None]) -> int:
    """Both waves, while two of their people work; the exit code of the last command."""
    cloud = ("-c", "microsoft365.toml", "--wave", "cloud")

    def first() -> int:
        say("The first person goes on working meanwhile: mail, calendar, contacts, tasks, notes.\n")
        go_on()
        return run(state, "migrate", "--wave", "pilot")

    def second() -> int:
        say(f"\nThe first person's doing, meanwhile: {lines.readline().strip()}.")
        go_on()
        say(f"The second person's, now: {lines.readline().strip()}.")
        say("A second pass carries only what changed since:\n")
        return run(state, "migrate", "--wave", "pilot")

    def others() -> int:
        say("\nFive others come from Microsoft 365, with their files:\n")
        return approved(state, "cloud", "-c", "microsoft365.toml")

    def last() -> int:
        say("\nNobody is cut over before two people have signed that, too:\n")
        code = signed(state, "cloud", "--stage", "cutover", "-c", "microsoft365.toml")
        say("The last pass, when people can no longer work, shares what is shared:\n")
        code = code or run(state, "phase", "frozen", *cloud, "--by", "demo")
        return code or run(state, "migrate", *cloud)

    def looked() -> int:
        say("\nAn independent look at the target, and at the source once more, body by body:\n")
        return run(state, "verify", "--wave", "pilot", "--level", "both")

    def acting() -> int:
        say("\nRules, replies and rights act once their owners are frozen, and not before:\n")
        code = signed(state, "pilot", "--stage", "cutover")
        code = code or run(state, "phase", "frozen", "--wave", "pilot", "--by", "demo")
        code = code or run(state, "migrate", "--wave", "pilot")
        if code:
            return code
        go_on()
        found = lines.readline().strip()
        say(f"\n{found}")
        return int(not found.startswith(ACTED))

    steps: tuple[Callable[[], int], ...] = (
        lambda: approved(state, "pilot"),
        first,
        second,
        others,
        lambda: run(state, "migrate", *cloud),
        last,
        looked,
        lambda: run(state, "verify", *cloud, "--level", "both"),
        *((acting,) if "[target.settings]" in (state / "kogge.toml").read_text() else ()),
    )
    return next((code for step in steps if (code := step())), 0)


def sealed(state: Path) -> int:
    """Seal a pack, check it without Kogge's ledger and servers, and write the page for the managers."""
    say("\nEvidence for those who check, and a page about the sealed wave for those who decide:\n")
    pack, key = "evidence/wave-pilot", ("--key", "operator.pem")
    code = run(state, "keys", "new", "Operator", "--out", key[1])
    if code or (code := run(state, "audit", "seal", "--wave", "pilot", *key, "--out", "evidence")):
        return code
    with (state / "operator.pub").open("w") as public:
        code = run(state, "keys", "public", *key, out=public)
    statement = hashlib.sha256((state / pack / "wave.dsse.json").read_bytes()).hexdigest()
    code = code or run(state, "audit", "verify", pack, "--pubkey", "operator.pub", "--root", statement)
    return code or run(state, "report", "--wave", "pilot")


def approved(state: Path, wave: str, *options: str) -> int:
    """Check every mailbox of a wave, and sign its plan with both approvers' keys."""
    code = run(state, "check", "--wave", wave, *options)
    say("\nNothing is written before two people have signed the plan:\n")
    return code or signed(state, wave, *options)


def signed(state: Path, wave: str, *options: str) -> int:
    """Both approvers sign, each with their own key."""
    code = 0
    for name in APPROVERS:
        if code == 0:
            key = ("--key", f"{name}.pem", "--reason", "a demonstration", "--yes")
            code = run(state, "approve", "--wave", wave, *key, *options)
    say("")
    return code


def finish(state: Path, code: int, seconds: float, *, hold: bool) -> None:
    """Say how the demonstration ended, and wait if its Prefect server is to stay."""
    outcome = "Every item is accounted for" if code == 0 else "NOT every item is accounted for"
    say(f"\n{outcome}; the demonstration took {seconds:.0f} s. Its files are in {state.name}/.")
    running = prefect_server.status(state / "kogge-state")
    if hold and running is not None:
        say(f"Prefect stays at {running.ui} until Ctrl-C.")
        wait_for_interrupt()


def wait_for_interrupt() -> None:
    """Wait until the user presses Ctrl-C."""
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("")


def run(state: Path, *arguments: str, out: IO[str] | None = None) -> int:
    """Run one kogge command in the state directory.

    It is killed with the demonstration: else it would go on, in the state directory of the next one.

    Args:
        state: the directory.
        arguments: of the command.
        out: a file for its output; None for this terminal.

    Returns:
        Its exit code.
    """
    into = "" if out is None else f" > {Path(out.name).name}"
    say(f"$ kogge {shlex.join(arguments)}{into}")
    command = [sys.executable, "-c", "from kogge.app import main; main()", *arguments]
    # A Prefect that the caller uses for real must not hear of the demonstration.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    done = subprocess.run(
        command, cwd=state, env=environment, stdout=out, check=False, preexec_fn=die_with_the_starter
    )
    return done.returncode


def clear(state: Path) -> None:
    """Remove what an earlier demonstration left: its mailboxes are gone with its servers.

    The Prefect server's database stays: to create it takes longer than everything else.
    """
    prefect_server.down(state / "kogge-state")
    for path in [*state.glob("*"), *(state / "kogge-state").glob("*")]:
        if path.name in ("kogge-state", "prefect", LOCK):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def served(state: Path) -> Iterator[tuple[IO[str], Callable[[], None]]]:
    """Run the practice servers in a process of their own.

    Yields:
        What they print, line by line, and a function that makes the next person work: the first one while the
        migration reads, the second one at once.
    """
    command = [sys.executable, "-m", "practice.demo", "--serve", "--state", str(state)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None  # noqa: S101 (a pipe was asked for)
    assert process.stdout is not None  # noqa: S101 (likewise)
    stdin = process.stdin

    def go_on() -> None:
        stdin.write("go on\n")
        stdin.flush()

    try:
        yield process.stdout, go_on
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def serve(state: Path) -> None:
    """Run the servers until standard input ends. Two mailboxes are used, each when a line asks for it."""
    world = World(
        seed=SEED,
        people=2 * PEOPLE,
        items=lambda index: ITEMS if index < PEOPLE else CLOUD_ITEMS,
        large=(LARGE,),
        pim=PIM,
    )
    exchange = ExchangeServer(world)
    drives = Drives(world, TREE)
    strew(world, drives, world.addresses()[PEOPLE:])
    _share(world)
    graph = GraphServer(world, services=[GraphDrives(drives)], https=True)
    with staged(exchange, PEOPLE, graph, rules=True) as stage:
        write(state, stage.files())
        tell(
            f"{PEOPLE} people in Exchange and {PEOPLE} in Microsoft 365, targets {stage.imap_product},"
            " Radicale and a practice Nextcloud"
        )
        first, second, *_ = stage.addresses
        if sys.stdin.readline() and is_read(exchange):
            _work(exchange, first)
            if sys.stdin.readline():
                _work(exchange, second)
                if sys.stdin.readline() and stage.rules is not None:
                    tell(_found_by(stage.rules, first, second))
                    sys.stdin.read()


def _share(world: World) -> None:
    """Let the second person of Exchange look after a folder of the first one."""
    first, second = (world.people.at(number) for number in range(2))
    mailbox = world.mailbox(first.address)
    folder = mailbox.create_folder(mailbox.root, SHARED)
    mailbox.share(folder, Grant(second.name, second.address, "Editor"))


def _found_by(server: Pigeonhole, first: str, second: str) -> str:
    """Return what two people find in their new accounts; it begins with ACTED if rules and rights act."""
    rule = RULES[0]
    subject = f"{rule.name} 12"
    folder, shared = received(server, first, subject), shared_with(server, second)
    acted = folder == SORTED and any(name.endswith(f"/{SHARED}") for name in shared)
    return (
        f'{ACTED if acted else "NOT as it should be:"} a mail "{subject}" was just delivered to the first'
        f' person. It lies in {folder}, where the rule "{rule.name}" puts such mail. The second person sees'
        f" of others: {', '.join(shared) or 'nothing'}."
    )


def is_read(exchange: ExchangeServer) -> bool:
    """Wait until the migration reads, and return False if it ended before."""
    begun = exchange.requests["GetItem"]
    while exchange.requests["GetItem"] < begun + READS_BEFORE_USE:
        if select.select([sys.stdin], [], [], 0.05)[0]:
            return False
    return True


def _work(exchange: ExchangeServer, address: str) -> None:
    with exchange.world.lock:
        tell(in_words(work(exchange.world.mailbox(address))))


def write(state: Path, files: dict[str, str]) -> None:
    """Write files that only this user may read."""
    for name, text in files.items():
        path = state / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201


tell = say
"""To the process that started this one, which reads lines."""


if __name__ == "__main__":
    main()
