"""`kogge practice`: servers to practise on, and people who work there."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, StateSettings, load
from engine.config.template import refuse_existing, write_new
from engine.control.ledger_access import opened_ledger
from kogge.terminal.given_once import GivenOnceCommand
from kogge.terminal.options import ConfigPath, Wave, echo, help_text, refuse_missing, say
from ledger.db.rows import Phase
from model.errors import Misconfigured
from model.plural import many

if TYPE_CHECKING:
    from engine.planning.mailbox_list import Person
    from kogge.prepare.practice_servers import Stage
    from ledger.db.rows import MailboxRow

practice = typer.Typer(help="Starts servers to practise on, and has their people work.", no_args_is_help=True)
AGAIN = "of servers that have ended, the directory is of no use: delete it, or choose another"
SERVERS = ("pymap", "radicale", "starlette", "uvicorn")
"""What the extra `practice` brings."""
EMBEDDED = (
    "No Dovecot 2.4 serves IMAP on this machine (Debian: dovecot-core and dovecot-imapd). The IMAP target is"
    " the server that comes with Kogge (pymap): it keeps mail in memory alone, and has no quota."
)
ENDED = "no practice servers run for this directory any more; `kogge practice up DIRECTORY` starts new ones"
LIVE = (
    "Who is live works in the new account: of what happens in the old one, only what is new is brought. Say"
    " --late for mail that still arrives there, and --target for work in the new account."
)
DURATION = re.compile(r"(\d{1,5})(s|m|h|)")
PAUSE_SECONDS = 5.0
"""Between two people at work, with --for."""


@contextmanager
def _understood() -> Iterator[None]:
    """Name what is wrong in the practice world's data; its servers have started nothing then."""
    from practice.world.cases import CaseError

    try:
        yield
    except CaseError as error:
        raise Misconfigured("practice", f"its data are not understood; {error}") from None


def practice_up(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where to write the files.")] = Path(
        "practice-run"
    ),
    people: Annotated[
        int,
        typer.Option(
            min=0,
            max=40_000,
            help="How many mailboxes of Exchange hold odd items: the wave `odd`, if any is plain.",
        ),
    ] = 5,
    plain: Annotated[
        int,
        typer.Option(
            min=0,
            max=40_000,
            help="How many mailboxes of Exchange hold ordinary items alone: the wave `pilot`.",
        ),
    ] = 3,
    items: Annotated[
        int,
        typer.Option(
            min=1, max=100_000, help="Mails a mailbox; odd ones next to plain ones have 200 at most."
        ),
    ] = 100,
    pim: Annotated[
        int,
        typer.Option(
            min=0,
            max=10_000,
            help="Events, contacts, tasks and notes a mailbox, so many of each; 0 for none.",
        ),
    ] = 20,
    cloud: Annotated[
        int,
        typer.Option(
            min=0, max=40_000, help="How many people Microsoft 365 has, in addition to those of Exchange."
        ),
    ] = 5,
    seed: Annotated[int, typer.Option(help="The same seed makes the same mailboxes.")] = 1,
) -> None:
    """Starts a practice Exchange and Microsoft 365, and targets for them (IMAP, DAV, Nextcloud).

    It writes a configuration for each of the two. Plain mailboxes go live without a decision of yours. Odd
    ones lose something, and wait at the cutover for somebody who approves their score. Runs until
    interrupted. In another terminal, every command works in DIRECTORY: nothing there is real.

    Example: kogge practice up my-practice --plain 10
    """
    if not people + plain:
        raise Misconfigured("--people", "give --people or --plain more than 0")
    missing = [name for name in SERVERS if find_spec(name) is None]
    if missing:
        why = f"its servers are not installed ({missing[0]} is missing); install the extra `practice`"
        raise Misconfigured("practice", why)
    from kogge.prepare.practice_servers import practising
    from practice.harness.served import Signalled

    refuse_existing(directory, ["kogge.toml", "microsoft365.toml"], AGAIN)
    refuse_existing(
        directory, [str(StateSettings().directory)], "a ledger may be in it; choose another directory"
    )
    with _understood(), practising(people, items, seed, pim, cloud, plain=plain, rules=True) as stage:
        written = write_new(directory, stage.files())
        done = Signalled()
        for line in stage.lines():
            echo(line)
        for path in written:
            if path.suffix == ".toml":
                echo(f"configuration {path}")
        _say_next(stage, directory)
        done.wait()


def _say_next(stage: Stage, directory: Path) -> None:
    """Print what to type now, and how it ends."""
    from kogge.prepare.practice_servers import APPROVERS, CLOUD, ODD, PILOT

    if stage.embedded:
        say(EMBEDDED)
    say(f"Try, in another terminal:  cd {directory} && kogge check --wave {PILOT}")
    say("A wave takes two approvers, whose keys lie there, too; sign with each:")
    for name in APPROVERS:
        say(f"  kogge approve --wave {PILOT} --key {name}.pem --reason practice")
    say(f"Then:  kogge migrate --wave {PILOT}")
    if ODD in stage.waves:
        say(f"The wave {ODD} likewise: its items are odd, and its cutover waits for your decision.")
    if stage.cloud is not None:
        say(f"Microsoft 365 likewise, with  -c microsoft365.toml --wave {CLOUD}")
    say(f"People work when you say  kogge practice work --wave {PILOT}")
    say("Ctrl-C ends the servers and everything in them. The local Prefect goes on:")
    say("  kogge server down   in that directory, before you delete it")


def practice_work(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Annotated[
        list[str] | None,
        typer.Option(
            "--mailbox",
            "-m",
            metavar="M",
            help="Only this mailbox (its line in the list, as `kogge check` shows it; random id or address);"
            " repeatable.",
        ),
    ] = None,
    late: Annotated[
        bool,
        typer.Option(
            "--late", help="Send only mail that still arrives at the old server, as after a cutover."
        ),
    ] = False,
    target: Annotated[
        bool,
        typer.Option(
            "--target", help="Work in the new account, as whoever is live does. What they add stays."
        ),
    ] = False,
    how_long: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Go on for so long: 60s, 5m; one person every 5 s.")
    ] = "",
) -> None:
    """Has people of the practice world work for a minute, and says what they did.

    So a delta, a cutover and late mail can be rehearsed. They receive mail of this minute, read, flag, move
    and delete mail, change and add events, edit and delete contacts, complete a task and write a note.
    Without --wave and --mailbox everybody of the list does. It needs the servers that `kogge practice up`
    runs for this directory.

    Example: kogge practice work --mailbox 3 --late
    """
    from practice.servers.people_at_work import LATE, TARGET, WORK

    if late and target:
        raise Misconfigured("--late", "is mail at the old server; --target is work in the new account")
    seconds = _seconds(how_long)
    settings = load(config)
    known = _known(settings)
    people = _people(settings, wave, mailbox, known)
    what = LATE if late else TARGET if target else WORK
    if what == WORK and any(_is_live(known.get(person.source)) for person in people):
        say(LIVE)
    at = Place(_socket(config), what, {source: row.id for source, row in known.items()})
    done = sum((at.work(person) for person in _in_turn(people, seconds)), Counter[str]())
    _say_worked(done, people, what == TARGET, config)


def _in_turn(people: Sequence[Person], seconds: int) -> Iterator[Person]:
    """Yield each at once, and then one after the other for so many seconds."""
    yield from people
    until = time.monotonic() + seconds
    for person in cycle(people):
        if time.monotonic() + PAUSE_SECONDS > until:
            return
        time.sleep(PAUSE_SECONDS)
        yield person


def _seconds(text: str) -> int:
    found = DURATION.fullmatch(text.strip())
    if text and not found:
        raise Misconfigured("--for", "is no time; give one like 60s, 5m or 1h")
    return int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0


def _people(
    config: Config, wave: str | None, mailbox: list[str] | None, rows: Mapping[str, MailboxRow]
) -> Sequence[Person]:
    """Return whom the options choose. Raise Misconfigured if one of them does not exist."""
    from engine.planning.mailbox_list import read_mailboxes
    from kogge.terminal.options import among

    people = read_mailboxes(config.mailboxes, unplanned=True)
    found = [person for person in people if wave is None or person.wave == wave]
    if not found:
        waves = sorted({person.wave for person in people if person.wave})
        raise Misconfigured("--wave", f"nobody in the list has it; known there: {', '.join(waves) or 'none'}")
    if not mailbox:
        return found
    ids = {source: row.id for source, row in rows.items()}
    names = {
        person.line: (str(person.line), person.source, person.target, ids.get(person.source, ""))
        for person in found
    }
    chosen, known = among(mailbox, names)
    refuse_missing(mailbox, known, config.mailboxes.name, config.mailboxes.name)
    return [person for person in found if person.line in chosen]


def _known(config: Config) -> dict[str, MailboxRow]:
    """Return the ledger's mailboxes by source; none before the first wave is checked."""
    if not (config.state_directory / "ledger.db").exists():
        return {}
    with opened_ledger(config) as ledger:
        return {row.source: row for row in ledger.mailboxes()}


def _is_live(row: MailboxRow | None) -> bool:
    return row is not None and row.phase is Phase.LIVE


def _socket(config: Path) -> Path:
    from kogge.prepare.practice_servers import CONTROL

    try:
        return Path(json.loads((config.parent / CONTROL).read_text(encoding="utf-8"))["socket"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured(CONTROL, f"is missing or damaged; {ENDED}") from None


@dataclass(frozen=True, slots=True)
class Place:
    """Describe where people work.

    Attributes:
        socket: of the servers' process.
        what: a minute's work, late mail, or work in the new account.
        ids: the random id of each source that is planned.
    """

    socket: Path
    what: str
    ids: Mapping[str, str]

    def work(self, person: Person) -> Counter[str]:
        """Let this person work, and print what was done. Raise Misconfigured if nobody can."""
        from practice.harness.control import NotServedError, ask
        from practice.servers.people_at_work import FAULT, TARGET, UNKNOWN
        from practice.world.work import in_words

        address = person.target if self.what == TARGET else person.source
        try:
            answered = ask(self.socket, {"what": self.what, "address": address})
        except NotServedError:
            raise Misconfigured("practice", ENDED) from None
        if FAULT in answered:
            unknown = answered[FAULT] == UNKNOWN
            why = "has no mailbox in the practice world" if unknown else "has no new account that answers"
            raise Misconfigured(f"line {person.line}", why)
        done = Counter({name: int(str(count)) for name, count in answered.items()})
        whose = f" ({self.ids[person.source]})" if person.source in self.ids else ""
        echo(f"line {person.line}{whose}: {in_words(done)}")
        return done


def _say_worked(done: Counter[str], people: Sequence[Person], target: bool, config: Path) -> None:
    """Print how much it was, and what carries it over."""
    mailboxes = many(len(people), "mailbox", "mailboxes")
    say(f"{many(sum(done.values()), 'change', 'changes')} in {mailboxes}")
    if target:
        say("They were made in the new accounts: Kogge carries nothing back, and removes none of it.")
        return
    waves = sorted({person.wave for person in people if person.wave})
    for wave in waves:
        say(f"Next: {next_command(config, f'migrate --wave {wave}')} carries over what changed")


practice.command("up", help=help_text(practice_up), cls=GivenOnceCommand)(practice_up)
practice.command("work", help=help_text(practice_work), cls=GivenOnceCommand)(practice_work)
