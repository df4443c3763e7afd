"""A run with kills, faults, rejected items and blocked mailboxes names nobody: not in Prefect's database, not
in any file of the state directory but the ledger, not on the terminal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from proving import Place, asked, until
from servers.dovecot import Dovecot
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import Fault, FaultPlan, Kind

from practice.world.world import World

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect]
MakePlace = Callable[[FaultyExchange], Place]
SHORT = 6
"""Words below this many characters ("Inbox") occur by chance."""
RATES = {
    Kind.MIME_CONVERSION_FAILED: 0.1,
    Kind.POISON_ITEM: 0.04,
    Kind.SOAP_SERVER_BUSY: 0.05,
    Kind.CUT_MID_BODY: 0.05,
    Kind.ERROR_PAGE: 0.03,
}


@pytest.fixture(scope="module")
def exchange() -> Iterator[FaultyExchange]:
    plan = FaultPlan(seed=8, rates=RATES, shapes={kind: Fault(kind, millis=100) for kind in RATES})
    with FaultyExchange(World(seed=47, people=3, items=60, large=()), faults=plan) as running:
        yield running


def test_a_troubled_run_names_nobody(place: Place, exchange: FaultyExchange, dovecot: Dovecot) -> None:
    full = next(iter(place.pairs.values()))
    dovecot.set_quota(full, 40_000)
    place.pairs["no.person.of.ours@practice.example"] = "nobody.at.all@target.example"
    place.configure()
    before = asked(exchange)
    with place.running("migrate", "--wave", "pilot") as running:
        assert until(lambda: asked(exchange) >= before + 25, running)
    said = [place.run("migrate", "--wave", "pilot") for _ in range(2)]
    said += [place.run("verify", "--level", "both"), place.run("status"), place.run("status", "--json")]
    assert place.codes(), "items were rejected"
    blocked = {code for state, code, _ in place.legs().values() if state == "blocked"}
    assert blocked >= {"over-quota", "mailbox-missing"}
    words = words_of(place)
    kept = {"the terminal": "\n".join(one.out + one.err for one in said), **files(place), **prefect(place)}
    (mailbox, *_), *_ = place.query("SELECT id FROM mailbox")
    assert str(mailbox) in kept["the terminal"]
    assert str(mailbox) in kept["prefect.db"], "the grep can find what is there"
    found = {name: [word for word in words if word in text] for name, text in kept.items()}
    assert {name: some for name, some in found.items() if some} == {}


def words_of(place: Place) -> set[str]:
    """Every address, name, subject and folder name of the run, as text and as JSON would escape it."""
    world, people = place.exchange.world, place.exchange.world.addresses()
    found: set[str] = {*place.pairs, *place.pairs.values()}
    for mailbox in map(world.mailbox, people):
        found |= {mailbox.letter(item).subject or "" for item in mailbox.messages()}
        found |= {part for folder in mailbox.folders() for part in folder.path}
    found |= {address.partition("@")[0] for address in found if "@" in address and " " not in address}
    long = {word for word in found if len(word) >= SHORT and word != "Archive"}
    assert len(long) > 100
    return long | {json.dumps(word)[1:-1] for word in long}


def files(place: Place) -> dict[str, str]:
    """Whatever lies in the state directory, but for the ledger."""
    found = [one for one in place.state.rglob("*") if one.is_file() and "ledger.db" not in one.name]
    return {one.name: one.read_text(errors="replace") for one in found}


def prefect(place: Place) -> dict[str, str]:
    """Prefect's whole database and its server's log: parameters, states, logs, artifacts, events."""
    home = Path(place.environment["PREFECT_HOME"]).parent / "prefect"
    return {
        "prefect.db": "\n".join(rows(home / "prefect.db")),
        "server.log": (home / "server.log").read_text(errors="replace"),
    }


def rows(database: Path) -> Iterator[str]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield " ".join(str(value) for value in row)
    finally:
        connection.close()
