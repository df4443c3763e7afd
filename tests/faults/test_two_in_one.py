"""Two logins that open one account, at a server whose accounts have no id of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from sqlalchemy import update
from two_logins import NAMES, Two, once
from walking import Died, Failing, dying_at, letter

from engine.context.leg_context import LegContext
from engine.identity import account_binding
from engine.leg.leg_result import LegResult
from engine.steps.settling.worker_deaths import Cause
from ledger.db.engine import writing
from ledger.db.rows import LegState
from ledger.db.schema import leg
from model.errors import Transient

NONE: frozenset[str] = frozenset()


@pytest.fixture
def one(quick_path: Path) -> Two:
    store = MemoryStore()
    return Two(quick_path, dict.fromkeys(NAMES, store))


@pytest.mark.parametrize("approved", [False, True])
def test_what_another_login_wrote_since_the_binding_stops_it(one: Two, approved: bool) -> None:
    """Bob's whole walk falls into the listing of Anna's source."""
    if approved:
        one.ledger.approve("wave:w", "target-not-empty", "somebody", "they hold welcome mails")
    results: list[LegResult] = []
    anna = one.run("anna", once("source.changes", lambda: results.append(one.run("bob"))))
    assert results[0].state is LegState.VERIFIED
    assert (anna.state, anna.code) == (LegState.BLOCKED, "identity-bound-elsewhere")
    assert one.owners("anna") == {"bob"}


def test_whose_first_items_are_on_their_way_goes_first(one: Two) -> None:
    results: list[LegResult] = []
    anna = one.run("anna", once("target.write", lambda: results.append(one.run("bob"))))
    assert (results[0].state, results[0].code) == (LegState.WAITING, "account-in-doubt")
    assert anna.state is LegState.VERIFIED
    assert one.run("bob").code == "target-not-empty"
    assert one.owners("anna") == {"anna"}


def test_one_after_the_other(one: Two) -> None:
    assert one.run("anna").state is LegState.VERIFIED
    assert one.run("bob").code == "target-not-empty"
    assert one.owners("bob") == {"anna"}


def test_both_at_once(one: Two) -> None:
    found: dict[str, LegResult] = {}
    threads = [
        threading.Thread(target=lambda name=name: found.update({name: one.run(name)})) for name in NAMES
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [found[name].state for name in NAMES]
    assert states.count(LegState.VERIFIED) <= 1
    assert len(one.owners("anna")) == 1


def test_one_that_died_before_its_first_item_is_not_waited_for(one: Two) -> None:
    one.sources["anna"].folders.clear()
    assert one.run("anna").state is LegState.VERIFIED
    assert one.run("bob").state is LegState.VERIFIED
    assert one.owners("bob") == {"bob"}


def test_two_accounts_with_one_fingerprint_are_both_filled(quick_path: Path) -> None:
    two = Two(quick_path, {name: MemoryStore() for name in NAMES})
    results: list[LegResult] = []
    anna = two.run("anna", once("source.changes", lambda: results.append(two.run("bob"))))
    assert [one.state for one in (anna, *results)] == [LegState.VERIFIED, LegState.VERIFIED]
    assert [two.owners(name) for name in NAMES] == [{"anna"}, {"bob"}]


def test_one_whose_first_items_never_arrived_does_not_go_on_where_another_wrote_since(one: Two) -> None:
    """Anna's worker dies, the next one settles that nothing arrived, and stops there; then Bob's begins."""
    one.cause = lambda _: Cause.UNKNOWN
    with pytest.raises(Died):
        one.run("anna", dying_at("target.write"))
    away = Failing("source.changes", Transient("busy"), times=99)
    assert one.run("anna", away).state is LegState.WAITING
    bob = one.run("bob")
    anna = one.run("anna")
    assert bob.state is LegState.VERIFIED
    assert (anna.state, anna.code) == (LegState.BLOCKED, "identity-bound-elsewhere")
    assert one.owners("anna") == {"bob"}


@pytest.mark.parametrize("whose", ["anna", "bob"])
def test_a_mark_does_not_open_what_another_login_filled(one: Two, whose: str) -> None:
    """However it came there: after a restored ledger it may be older than what the other one wrote."""
    for store in one.stores.values():
        store.has_labels = True
    assert one.run("bob").state is LegState.VERIFIED
    one.stores["anna"].mark = f"{one.ids[whose]} 7 staging"
    first = one.run("anna").code
    assert first == ("ledger-restored" if whose == "anna" else "target-not-empty")
    one.ledger.approve(one.ids["anna"], "ledger-restored", "somebody", "looked at it")
    one.ledger.requeue()
    assert one.run("anna").code == "target-not-empty"
    assert one.owners("anna") == {"bob"}


def dead_in_its_first_batch(two: Two, *, released: bool) -> None:
    """Anna's worker died with her first items in hand, and no other settles what became of them. released:
    the next one found her source closed, and gave the leg back."""
    two.cause, two.grace = (lambda _: Cause.UNKNOWN), 5.0
    with pytest.raises(Died):
        two.run("anna", dying_at("target.write"))
    if released:
        away = Failing("source.identity", Transient("source-closed"), times=99)
        assert two.run("anna", away).state is LegState.WAITING
    two.expire("anna")
    two.slept.clear()


@pytest.mark.parametrize("released", [False, True])
def test_one_that_died_in_its_first_batch_and_never_runs_again_holds_nobody_up(
    quick_path: Path, released: bool
) -> None:
    two = Two(quick_path, {name: MemoryStore() for name in NAMES})
    dead_in_its_first_batch(two, released=released)
    assert two.run("bob").state is LegState.VERIFIED
    assert two.owners("bob") == {"bob"}
    assert sum(two.slept) == (5.0 if released else 55.0)


def test_what_the_dead_one_had_sent_arrives_while_it_is_waited_for(one: Two) -> None:
    dead_in_its_first_batch(one, released=False)
    store = one.stores["anna"]
    one.while_waiting = lambda: store.append(next(iter(store.folders)), letter(1, "of anna"), NONE, None)
    bob = one.run("bob")
    assert (bob.state, bob.code) == (LegState.BLOCKED, "identity-bound-elsewhere")
    assert one.owners("bob") == {"anna"}


def test_one_that_runs_again_while_it_is_waited_for_goes_first(one: Two) -> None:
    dead_in_its_first_batch(one, released=True)
    results: list[LegResult] = []
    one.while_waiting = lambda: results.append(one.run("anna"))
    bob = one.run("bob")
    assert results[0].state is LegState.VERIFIED
    assert (bob.state, bob.code) == (LegState.BLOCKED, "identity-bound-elsewhere")
    assert one.owners("bob") == {"anna"}


def test_one_that_runs_again_and_dies_again_is_waited_for_again(one: Two) -> None:
    dead_in_its_first_batch(one, released=True)
    died: list[bool] = []

    def die_again() -> None:
        with pytest.raises(Died):
            one.run("anna", dying_at("target.write"))
        one.expire("anna")
        died.append(True)

    one.while_waiting = die_again
    assert one.run("bob").state is LegState.VERIFIED
    assert died == [True]
    assert sum(one.slept) == 5.0 + 55.0


def test_who_is_waited_for_is_named(one: Two) -> None:
    results: list[LegResult] = []
    one.run("anna", once("target.write", lambda: results.append(one.run("bob"))))
    assert (results[0].code, results[0].detail) == ("account-in-doubt", one.ids["anna"])
    (row,) = one.ledger.legs(mailbox=one.ids["bob"])
    assert row.detail == one.ids["anna"]


def test_a_clock_put_ahead_between_the_look_and_the_first_item_lets_no_other_in(
    one: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the ledger's clock Anna's lease is over; her worker is as good as ever, and was about to begin."""
    look, results = account_binding.refuse_filled_since, list[LegResult]()

    def look_then_step(leg: LegContext, sleep: Callable[[float], None]) -> None:
        look(leg, sleep)
        if leg.mailbox.id == one.ids["anna"] and not results:
            one.expire("anna")
            results.append(one.run("bob"))

    monkeypatch.setattr(account_binding, "refuse_filled_since", look_then_step)
    one.while_waiting = lambda: one.renew("anna")
    anna = one.run("anna")
    assert (results[0].state, results[0].code) == (LegState.WAITING, "account-in-doubt")
    assert anna.state is LegState.VERIFIED
    assert one.owners("anna") == {"anna"}


def test_one_whose_end_nobody_has_proven_is_waited_for_as_long_as_it_may_send(quick_path: Path) -> None:
    """Who took her leg over gave it back before it had waited."""
    two = Two(quick_path, {name: MemoryStore() for name in NAMES})
    dead_in_its_first_batch(two, released=True)
    with writing(two.ledger.engine) as connection:
        connection.execute(update(leg).where(leg.c.mailbox == two.ids["anna"]).values(unproven=True))
    assert two.run("bob").state is LegState.VERIFIED
    assert sum(two.slept) == 55.0
