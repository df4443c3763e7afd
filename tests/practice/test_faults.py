"""The fault plan: seeded, budgeted, scripted."""

from __future__ import annotations

from servers.faulty.plan import (
    OPERATIONS,
    PER_ITEM,
    PERMANENT,
    Fault,
    FaultPlan,
    Kind,
    Poison,
    cut_mid_body,
    http_503,
    item_server_busy,
    mime_conversion_failed,
    poison_item,
    slow,
)

ITEMS = tuple(f"item-{n}" for n in range(200))
PASSING = set(Kind) - PERMANENT


def test_none_never_strikes() -> None:
    plan = FaultPlan.none()
    assert all(plan.draw("GetItem", "a", ITEMS) == [] for _ in range(50))
    assert plan.struck == {}
    assert plan.calls("GetItem") == 50


def test_the_same_seed_strikes_the_same() -> None:
    def drawn(seed: int) -> list[list[Fault]]:
        plan = FaultPlan(seed, {Kind.HTTP_503: 0.3, Kind.ITEM_SERVER_BUSY: 0.1})
        return [plan.draw("GetItem", "a", ITEMS[n : n + 10]) for n in range(50)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_other_mailboxes_do_not_change_what_strikes_one() -> None:
    rates = {Kind.CUT_MID_BODY: 0.5}
    alone, among = FaultPlan(3, rates), FaultPlan(3, rates)
    mine = [alone.draw("FindItem", "a") for _ in range(6)]
    theirs = []
    for n in range(6):
        among.draw("FindItem", f"other-{n}")
        theirs.append(among.draw("FindItem", "a"))
    assert mine == theirs


def test_a_passing_fault_hits_one_target_at_most_its_budget() -> None:
    for kind in sorted(PASSING):
        operation = next(iter(OPERATIONS.get(kind, {"GetItem"})))
        plan = FaultPlan(1, {kind: 1.0}, budget=3)
        struck = [plan.draw(operation, "a", ["one"]) for _ in range(20)]
        assert [bool(faults) for faults in struck] == [True] * 3 + [False] * 17
        assert plan.draw(operation, "b", ["two"])


def test_a_permanent_fault_afflicts_the_same_items_for_ever() -> None:
    for kind in sorted(PERMANENT):
        plan = FaultPlan(1, {kind: 0.1}, budget=1)
        first = {fault.item for fault in plan.draw("GetItem", "a", ITEMS)}
        assert 5 < len(first) < 50
        for _ in range(5):
            assert {fault.item for fault in plan.draw("GetItem", "b", ITEMS[::-1])} == first


def test_chance_strikes_only_where_it_can() -> None:
    plan = FaultPlan(1, {Kind.INVALID_SYNC_STATE: 1.0, Kind.POISON_ITEM: 1.0})
    assert plan.draw("FindItem", "a", ["one"]) == []
    assert [fault.kind for fault in plan.draw("SyncFolderItems", "a")] == [Kind.INVALID_SYNC_STATE]
    assert plan.draw("GetItem", "a", ["one"]) == [Fault(Kind.POISON_ITEM, "one")]


def test_faults_of_chance_have_the_shape_asked() -> None:
    shape = poison_item("", Poison.GARBAGE)
    plan = FaultPlan(1, {Kind.POISON_ITEM: 1.0}, shapes={Kind.POISON_ITEM: shape})
    assert plan.draw("GetItem", "a", ["one"]) == [poison_item("one", Poison.GARBAGE)]


def test_a_script_strikes_the_nth_call_once() -> None:
    plan = FaultPlan.none()
    plan.draw("GetItem", "a", ["zero"])
    plan.script("GetItem", 2, http_503(7))
    plan.script("GetItem", 2, slow(0.1))
    assert plan.draw("GetItem", "a", ["one"]) == []
    assert plan.draw("FindItem", "a") == []
    assert plan.draw("GetItem", "b", ["two"]) == [http_503(7), slow(0.1)]
    assert plan.draw("GetItem", "b", ["two"]) == []
    assert plan.struck == {Kind.HTTP_503: 1, Kind.SLOW: 1}


def test_a_scripted_item_fault_without_item_takes_the_first() -> None:
    plan = FaultPlan.none()
    plan.script("GetItem", 1, item_server_busy(back_off_ms=50))
    assert plan.draw("GetItem", "a", ["one", "two"]) == [item_server_busy("one", 50)]


def test_an_affliction_lasts_until_healed() -> None:
    plan = FaultPlan(1, {Kind.HTTP_503: 1.0})
    plan.afflict(mime_conversion_failed("two"))
    plan.script("GetItem", 9, cut_mid_body())
    assert mime_conversion_failed("two") in plan.draw("GetItem", "a", ["one", "two"])
    assert mime_conversion_failed("two") not in plan.draw("GetItem", "a", ["one"])
    assert mime_conversion_failed("two") not in plan.draw("FindItem", "a", ["two"])
    plan.heal()
    assert all(plan.draw("GetItem", "a", ["two"]) == [] for _ in range(20))


def test_every_fault_of_an_item_names_it() -> None:
    plan = FaultPlan(1, dict.fromkeys(PER_ITEM, 1.0))
    drawn = plan.draw("GetItem", "a", ["one", "two"])
    assert {(fault.kind, fault.item) for fault in drawn} == {
        (kind, item) for kind in PER_ITEM for item in ("one", "two")
    }


def test_a_plan_of_many_targets_remembers_the_newest() -> None:
    plan = FaultPlan(1, {Kind.HTTP_503: 1.0}, budget=1, known=10)
    assert all(plan.draw("GetItem", f"mailbox-{n}") for n in range(50))
    assert plan.draw("GetItem", "mailbox-49") == []
    assert plan.draw("GetItem", "mailbox-0"), "forgotten: it is a new target"
    assert len(plan._asked) == len(plan._spent) == 10
