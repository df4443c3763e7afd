"""What only looks leaves the whole ledger as it is: every look of the program, at people in several states.

The commands are taken from the program itself. One that comes later has to be put below LOOKS or ACTS.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest
import typer
from commands import run
from servers.dovecot import Dovecot
from town import Town, configure, dovecot
from walking import letter
from whole_tables import whole

from engine.config.load import load
from engine.planning.load_plan import plan
from kogge.command_table import COMMANDS
from ledger.db.rows import LegState, Phase

pytestmark = [
    pytest.mark.dovecot,
    # Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ITEMS = 3
WAVE, WHO = ("--wave", "pilot"), ("--by", "Night shift")
Tables = dict[str, list[tuple[object, ...]]]
_fresh = itertools.count()
__all__ = ["dovecot"]

LOOKS: Mapping[str, tuple[str, ...]] = {
    "check": WAVE,
    "discover": WAVE,
    "plan": (),
    "plan diff": (),
    "migrate": (*WAVE, "--dry-run"),
    "cutover": (*WAVE, "--dry-run"),
    "cutover --back": (*WAVE, "--back", "--dry-run"),
    "cutover --status": (*WAVE, "--status"),
    "notify": ("before", *WAVE, "--when", "2027-03-01 20:00", "--dry-run"),
    "notify --after": ("after", *WAVE, "--dry-run"),
    "rollback": WAVE,
    "give-back": ("--dry-run", "-m", "{frozen}", "-m", "{live}"),
    "repair": ("flags", *WAVE),
    "status": WAVE,
    "status --all": ("--all",),
    "metrics": ("--once",),
    "failures": WAVE,
    "failures --losses": ("--losses",),
    "score": WAVE,
    "links": WAVE,
    "show": ("{verified}",),
    "settings": ("-m", "{verified}", *WHO),
    "explain": ("not-approved",),
    "log": ("pilot", "--all"),
    "approvals": WAVE,
    "approve": (*WAVE, "--list", "plan.json"),
    "approve-settings": (),
    "who": (*WHO, "{live}"),
    "report": (*WAVE, "--out", "pages"),
    "completion": ("bash",),
    "audit seal": (*WAVE, "--dry-run"),
    "audit verifier": (),
    "server status": (),
    "keys public": ("--key", "key.pem"),
}
"""What looks, with the options with which it does."""

ELSEWHERE = {
    "server environment": "writes a file, and opens no ledger",
    "routes": "needs [mail_routes]; its dry run is in tests/engine/cutover",
    "audit show": "reads a pack alone",
    "audit verify": "reads a pack alone",
    "audit sample": "reads a pack alone",
    "audit locate": "reads; its event is in tests/kogge/audit",
    "audit prove": "reads; it needs a key of the auditor's",
    "audit reconcile": "reads two inventories",
}
"""What looks, at more than this world has."""

ACTS = frozenset(
    {
        *("init", "keys new", "ledger upgrade", "practice up", "practice work", "verify", "retry", "pause"),
        *("resume", "setup", "worker", "server up", "server down", "phase"),
        *("audit keys create", "audit keys export", "audit keys destroy"),
    }
)
"""What does not look; what of LOOKS acts with other options is not here. A verification writes to neither
side; its verdict, which is evidence, takes the place of the one before."""

KEEPS: Mapping[str, Collection[str]] = {
    "check": {"checked", "meta"},
    "discover": {"source_extra"},
    "who": {"event", "meta"},
    "settings": {"event", "meta"},
}
"""By command, the tables in which it writes down that it looked, or what it found."""
COUNTED = "counter"
"""Has what the process of any command counted, such as calls of servers, for metrics."""
PULSE = "pulse"
"""Has that a claimed workload lives: on a slow machine also one that is only looked at."""


def paths() -> Iterator[str]:
    """Every command of the program, as it is typed."""
    for name, entry in COMMANDS.items():
        module, _, attribute = entry.where.partition(":")
        yield from _below(name, getattr(import_module(module), attribute))


def _below(name: str, found: object) -> Iterator[str]:
    if not isinstance(found, typer.Typer):
        yield name
        return
    if found.info.invoke_without_command is True:
        yield name
    for one in found.registered_commands:
        yield f"{name} {one.name or getattr(one.callback, '__name__', '')}"
    for group in found.registered_groups:
        yield from _below(f"{name} {group.name}", group.typer_instance)


def words(name: str) -> str:
    """A command without the options by which LOOKS tells its looks apart."""
    return name.partition(" --")[0]


def test_each_command_is_one_or_the_other() -> None:
    assert {*map(words, LOOKS), *ELSEWHERE, *ACTS} == set(paths())


@pytest.fixture
def place(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Town:
    """A wave of three of whom one was never run."""
    configure(tmp_path, dovecot, monkeypatch, '[gate]\ndirectory = "people.csv"\n[approval]\nrequired = 0\n')
    monkeypatch.setenv("COLUMNS", "200")
    assert run("keys", "new", "A. Auditor", "--out", "key.pem") == 0
    town = Town.settled(tmp_path, dovecot, next(_fresh), {"anna": "pilot", "bert": "pilot"}, ITEMS)
    source, target = (one.replace("anna", "carl") for one in (town.sources["anna"], town.targets["anna"]))
    for name, row in (
        ("mailboxes.csv", f"{source},{target},pilot\n"),
        ("people.csv", f"{source},{target}\n"),
    ):
        (tmp_path / name).write_text((tmp_path / name).read_text() + row)
    with closing(town.ledger()) as ledger:
        plan(load(tmp_path / "kogge.toml"), ledger, None)
        town.ids["carl"] = next(row.id for row in ledger.mailboxes() if row.source == source)
    assert run("check", *WAVE) in (0, 1)
    return town


def at_work(town: Town) -> dict[str, str]:
    """Anna is frozen, Bert verified, and both got mail since; Carl was never run."""
    with closing(town.ledger()) as ledger:
        ledger.set_phase(town.ids["anna"], Phase.FROZEN, "somebody")
    for who in ("anna", "bert"):
        town.deliver(town.sources[who], letter(50))
    return {"frozen": town.ids["anna"], "live": town.ids["anna"], "verified": town.ids["bert"]}


def afterwards(town: Town) -> dict[str, str]:
    """Anna is live, what was Bert's does not match, Carl is blocked."""
    with closing(town.ledger()) as ledger:
        ledger.set_phase(town.ids["anna"], Phase.LIVE, "somebody")
        (leg,) = ledger.legs(mailbox=town.ids["carl"])
        lease = ledger.claim(leg.id, "worker", 60)
        assert lease is not None
        ledger.release(lease, LegState.BLOCKED, "login-refused")
    with town.client(town.targets["bert"]) as client:
        client.select_folder("INBOX")
        client.delete_messages([1])
        client.expunge()
    return {"frozen": town.ids["anna"], "live": town.ids["anna"], "verified": town.ids["bert"]}


def differences(database: Path, before: Tables, without: str) -> set[str]:
    """The tables that have other rows than before. without: a mailbox whose workloads do not count."""
    after = whole(database)
    own = [tables.pop("leg") for tables in (before, after)]
    kept, now = ([row for row in legs if without not in row] for legs in own)
    changed = {table for table in before if before[table] != after[table]} - {COUNTED}
    changed -= {PULSE} if without else set()
    return changed if kept == now else {*changed, "leg"}


@pytest.mark.parametrize("state", [at_work, afterwards], ids=lambda one: one.__name__)
def test_no_look_changes_the_ledger(
    place: Town, api: str, capsys: pytest.CaptureFixture[str], state: Callable[[Town], dict[str, str]]
) -> None:
    people, database = state(place), place.folder / "kogge-state" / "ledger.db"
    left: dict[str, set[str]] = {}
    with patch.dict(os.environ, {"PREFECT_API_URL": api}):
        run("migrate", *WAVE, "--dry-run")  # the first one keeps what it listed of whom nobody ran
        for name, options in LOOKS.items():
            before, messages = whole(database), [place.messages(who) for who in ("anna", "bert")]
            code = run(*words(name).split(), *(option.format(**people) for option in options))
            told = capsys.readouterr()
            assert code in (0, 1), (name, told.err)
            assert "Traceback" not in told.err
            claimed = place.ids["carl"] if name == "migrate" else ""  # of whom nothing was copied yet
            changed = differences(database, before, claimed) - set(KEEPS.get(name, ()))
            if changed:
                left[name] = changed
            assert [place.messages(who) for who in ("anna", "bert")] == messages, name
    assert left == {}
