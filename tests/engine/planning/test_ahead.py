"""What is left of each wave, and how long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from configurations import imap_sides
from memory.doubles import MemoryStore
from sqlalchemy import update
from walking import Trial, a_mailbox

from engine.config.load import Config, load
from engine.leg.run import Task
from engine.planning.eta import Eta
from ledger.db.rows import LegState, Phase
from ledger.db.schema import leg as leg_table
from ledger.plan.approvals import Check, keep_checks
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from ledger.views.rates import measured
from ledger.views.sizes import amounts
from model.kinds import KINDS, Kind

TOML = f"""\
{imap_sides()}
[run]
mailboxes_at_once = 2
[plan]
inventory = "inventory.csv"
rates = {{ mail = 10, bytes = 1000000000 }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "kogge.toml").write_text(TOML)
    return load(tmp_path / "kogge.toml")


@pytest.fixture
def ledger(config: Config) -> Iterator[Ledger]:
    ledger = Ledger(config.ledger_url())
    ledger.migrate()
    rows = [
        PlannedMailbox(f"{name}@x", f"{name}@y", wave, Phase.STAGING, frozenset({Kind.MAIL}))
        for name, wave in (("anna", "w1"), ("bert", "w1"), ("carl", "w2"))
    ]
    ledger.add_mailboxes(rows)
    yield ledger
    ledger.close()


def stand(ledger: Ledger, name: str, **values: object) -> None:
    (number,) = [row.id for row in ledger.mailboxes() if row.source == f"{name}@x"]
    with ledger.engine.begin() as connection:
        connection.execute(update(leg_table).where(leg_table.c.mailbox == number).values(**values))


def walked(ledger: Ledger, number: int, **values: object) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(update(leg_table).where(leg_table.c.id == number).values(**values))


def test_what_nobody_listed_is_a_typical_mailbox(config: Config, ledger: Ledger) -> None:
    left = Eta(config, ledger).left()
    assert {name: one.items for name, one in left.items()} == {
        "w1": 2 * KINDS[Kind.MAIL].typical_items,
        "w2": KINDS[Kind.MAIL].typical_items,
    }


def test_what_is_left_counts_and_the_others_median_where_nothing_is_known(
    config: Config, ledger: Ledger
) -> None:
    stand(ledger, "anna", items=1000, done=400, state=LegState.RUNNING.value)
    left = Eta(config, ledger).left()
    assert (left["w1"].items, left["w1"].mailboxes) == (1600, 2)
    assert left["w1"].seconds == 100.0  # bert alone: 1,000 items at ten a second
    assert left["w1"].alone
    assert left["w2"].items == 1000


def test_the_inventory_goes_before_the_median(config: Config, ledger: Ledger) -> None:
    config.file(config.mailboxes).write_text("source,target\nanna@x,anna@y\nbert@x,bert@y\n")
    assert config.plan.inventory is not None
    config.file(config.plan.inventory).write_text("line,items,bytes,code,mail\n2,7,70,,7\n3,8,80,,8\n")
    left = Eta(config, ledger).left("w1")
    assert (set(left), left["w1"].items) == ({"w1"}, 15)


def test_what_a_check_counted_goes_before_the_median_until_all_is_listed(
    config: Config, ledger: Ledger
) -> None:
    both = frozenset({Kind.MAIL, Kind.CALENDAR})
    ledger.add_mailboxes([PlannedMailbox("dora@x", "dora@y", "w3", Phase.STAGING, both)])
    anna, dora = (
        row.id for name in ("anna", "dora") for row in ledger.mailboxes() if row.source == f"{name}@x"
    )
    keep_checks(ledger, [Check(anna, "directory", None, 30, 3000), Check(dora, "directory", None, 500, 9000)])
    assert {name: (one.items, one.bytes) for name, one in Eta(config, ledger).left().items()} == {
        "w1": (30 + 265, 3000 + 6000),  # bert's is the median of both
        "w2": (265, 6000),
        "w3": (500, 9000),
    }
    mail, calendar = (
        next(one.id for one in ledger.legs(mailbox=dora) if one.workload is kind)
        for kind in (Kind.MAIL, Kind.CALENDAR)
    )
    walked(ledger, mail, items=200, done=150, state=LegState.RUNNING.value)
    assert Eta(config, ledger).left("w3")["w3"].items == 350
    walked(ledger, mail, items=450, done=450, state=LegState.VERIFIED.value)
    assert Eta(config, ledger).left("w3")["w3"].items == 50
    walked(ledger, calendar, items=20, done=0, code="dry-run")
    assert Eta(config, ledger).left("w3")["w3"].items == 20, "what is listed is the truth"
    walked(ledger, calendar, state=LegState.BLOCKED.value)
    assert Eta(config, ledger).left("w3") == {}


def test_what_is_verified_blocked_or_withheld_is_not_awaited(config: Config, ledger: Ledger) -> None:
    stand(ledger, "anna", state=LegState.BLOCKED.value, items=10, done=0)
    stand(ledger, "bert", state=LegState.VERIFIED.value, items=10, done=10)
    assert set(Eta(config, ledger).left()) == {"w2"}
    ledger.add_mailboxes([], whole=True, waves={"w2"})
    assert Eta(config, ledger).left() == {}


def test_what_was_measured_corrects_what_is_ahead(config: Config, ledger: Ledger) -> None:
    stand(ledger, "carl", items=100_000, done=0, state=LegState.PENDING.value, code="dry-run")
    assumed = Eta(config, ledger).left("w2")["w2"].seconds
    stand(ledger, "anna", busy=20_000.0, copied=100_000, copied_bytes=100)
    slower = Eta(config, ledger).left("w2")["w2"].seconds
    assert slower / assumed == pytest.approx(2, rel=0.01)


def test_a_run_is_measured_and_what_it_looked_at_before_is_known(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    trial.run(task=Task(dry=True))
    assert measured(trial.ledger) == {}
    (before,) = amounts(trial.ledger)[trial.id].values()
    assert before.items == before.left > 0
    assert trial.finish().state is LegState.VERIFIED
    one = measured(trial.ledger)[Kind.MAIL]
    (after,) = amounts(trial.ledger)[trial.id].values()
    assert (one.items, one.bytes) == (after.items, after.bytes)
    assert after.left == 0 < one.seconds
    trial.finish()
    again = measured(trial.ledger)[Kind.MAIL]
    assert (again.items, again.bytes) == (one.items, one.bytes)  # there was nothing to write
    assert again.seconds > one.seconds
    trial.discard()
