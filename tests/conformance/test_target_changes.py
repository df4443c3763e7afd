"""What model.protocols.Target promises, asked of every target: positions, reading, amending, removing, and
when nothing may be written."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from benches import TargetBench
from target_items import Goods, digests, only_messages, ordered, there, written

from model.errors import Blocked, LeaseLost, MigrationError
from model.protocols import Amendment, Failed, Item, Native, Stored, Target


def test_position_lies_below_what_comes_after(target: Target, goods: Goods, href: str) -> None:
    ordered(target, href)
    written(target, href, [goods.item(1), goods.item(2)])
    mark = target.position(href)
    later = written(target, href, [goods.item(3), goods.item(4)])
    assert {one.href for one in there(target, href, mark)} == {one.href for one in later.values()}
    assert len(there(target, href)) == 4


def test_nothing_is_listed_after_a_position_at_the_end(target: Target, goods: Goods, href: str) -> None:
    ordered(target, href)
    written(target, href, [goods.item(1), goods.item(2)])
    assert there(target, href, target.position(href)) == []


def test_a_position_of_another_life_lists_everything(target: Target, goods: Goods, href: str) -> None:
    ordered(target, href)
    written(target, href, [goods.item(1), goods.item(2)])
    validity, _, following = target.position(href).partition(":")
    assert len(there(target, href, f"{int(validity) + 7}:{following}")) == 2


def test_reading_what_is_gone_fails_alone(
    target_bench: TargetBench, target: Target, goods: Goods, href: str
) -> None:
    stored = list(written(target, href, [goods.item(number) for number in range(3)]).values())
    target_bench.vanish(href, stored[1].href)
    results = dict(target.read(href, [one.href for one in stored]))
    assert {one: type(result) for one, result in results.items()} == {
        stored[0].href: Native,
        stored[1].href: Failed,
        stored[2].href: Native,
    }


def test_reading_changes_no_flag(target: Target, goods: Goods, href: str) -> None:
    stored = written(target, href, [goods.item(1, flags=frozenset())])
    digests(goods, target, href, [one.href for one in stored.values()])
    assert [one.flags for one in there(target, href)] == [frozenset()]


def test_amend_sets_exactly_these_flags_and_is_idempotent(target: Target, goods: Goods, href: str) -> None:
    only_messages(target, "only messages have flags")
    stored = written(target, href, [goods.item(1), goods.item(2), goods.item(3)])
    wanted = frozenset({"\\Flagged", "\\Answered"})
    changes = [Amendment(stored[goods.item(number).key], wanted) for number in (1, 3)]
    for _ in range(2):
        results = list(target.amend(href, changes))
        assert {r.key for r in results if isinstance(r, Stored)} == {goods.item(1).key, goods.item(3).key}
    flags = {one.message_id: one.flags for one in there(target, href)}
    assert flags == {"<1@example.org>": wanted, "<2@example.org>": goods.flags, "<3@example.org>": wanted}


def test_amending_what_is_gone_fails_alone(
    target_bench: TargetBench, target: Target, goods: Goods, href: str
) -> None:
    stored = written(target, href, [goods.item(1), goods.item(2)])
    target_bench.vanish(href, stored[goods.item(1).key].href)
    results = list(target.amend(href, [Amendment(one, frozenset()) for one in stored.values()]))
    failed = [result for result in results if isinstance(result, Failed)]
    assert [(one.key, one.error.code) for one in failed] == [(goods.item(1).key, "vanished")]
    assert len(results) == 2


def test_remove_takes_exactly_these_and_is_idempotent(target: Target, goods: Goods, href: str) -> None:
    if target.capabilities.facts.get("removes", "yes") == "no":
        pytest.skip("this server cannot remove single items safely")
    stored = written(target, href, [goods.item(number) for number in range(4)])
    chosen = [stored[goods.item(1).key], stored[goods.item(2).key]]
    for _ in range(2):
        results = list(target.remove(href, chosen))
        assert {r.key for r in results if isinstance(r, Stored)} == {one.key for one in chosen}
        left = {one.href for one in there(target, href)}
        assert left == {stored[goods.item(0).key].href, stored[goods.item(3).key].href}


def test_remove_leaves_what_the_owner_marked_deleted(
    target_bench: TargetBench, target: Target, goods: Goods, href: str
) -> None:
    stored = written(target, href, [goods.item(1), goods.item(2)])
    if not target_bench.mark_deleted(href, stored[goods.item(1).key].href):
        pytest.skip("no such state here")
    if target.capabilities.facts.get("removes", "yes") == "no":
        with pytest.raises(Blocked):
            list(target.remove(href, [stored[goods.item(2).key]]))
        assert len(there(target, href)) == 2
        return
    list(target.remove(href, [stored[goods.item(2).key]]))
    assert [one.href for one in there(target, href)] == [stored[goods.item(1).key].href]


def test_a_lost_lease_writes_nothing(
    target_bench: TargetBench, target: Target, goods: Goods, href: str
) -> None:
    stored = list(written(target, href, [goods.item(1)]).values())

    def lost() -> None:
        raise LeaseLost("lease-lost")

    refused = target_bench.open(lost)
    attempts = (
        lambda: list(refused.write(href, [goods.item(2)])),
        lambda: list(refused.amend(href, [Amendment(stored[0], frozenset())])),
        lambda: refused.ensure(goods.container("Never")),
        lambda: refused.rename(href, goods.container("Never")),
        lambda: list(refused.remove(href, stored)) if _removes(refused) else lost(),
    )
    for attempt in attempts:
        with pytest.raises(LeaseLost):
            attempt()
    refused.close()
    assert [(one.href, one.flags) for one in there(target, href)] == [(stored[0].href, goods.flags)]
    assert goods.path("Never") not in [one.path for one in target.containers()]


def _removes(target: Target) -> bool:
    return target.capabilities.facts.get("removes", "yes") == "yes"


def test_a_lease_lost_within_a_batch_stores_no_half_message(
    target_bench: TargetBench, goods: Goods, href: str
) -> None:
    calls = iter(range(100))

    def lost_after_the_first() -> None:
        if next(calls) >= 1:
            raise LeaseLost("lease-lost")

    hasty = target_bench.open(lost_after_the_first)
    large = goods.item(1, goods.raw(1, min(goods.large, 900_000)))
    written_all = False
    try:
        list(hasty.write(href, [large]))
        written_all = True
    except LeaseLost:
        written_all = False
    hasty.close()
    fresh = target_bench.open(lambda: None)
    hrefs = [one.href for one in there(fresh, href)]
    assert list(digests(goods, fresh, href, hrefs).values()) == ([large.digest] if written_all else [])
    fresh.close()


def test_in_the_live_phase_only_new_items_are_added(
    target_bench: TargetBench, target: Target, goods: Goods, href: str
) -> None:
    stored = written(target, href, [goods.item(1)])
    live = target_bench.open(lambda: None, live=True)
    assert len(written(live, href, [goods.item(2)])) == 1
    for attempt in (
        lambda: list(live.amend(href, [Amendment(one, frozenset()) for one in stored.values()])),
        lambda: list(live.remove(href, stored.values())),
    ):
        with pytest.raises(Blocked, match="live-phase"):
            attempt()
    live.close()
    assert [one.flags for one in there(target, href)] == [goods.flags, goods.flags]


def test_labels_are_kept_or_refused_with_a_word(target: Target) -> None:
    first = target.label({"projekt": "Projekt Ä"})
    assert target.label({"projekt": "Projekt Ä"}) is first


def test_nothing_works_after_close(target_bench: TargetBench, goods: Goods, href: str) -> None:
    closed = target_bench.open(lambda: None)
    closed.position(href)
    closed.close()
    closed.close()
    with pytest.raises(MigrationError):
        list(closed.write(href, [goods.item(1)]))


def test_close_from_another_thread_ends_a_write(target_bench: TargetBench, goods: Goods, href: str) -> None:
    target = target_bench.open(lambda: None)
    started = threading.Event()
    outcome: list[MigrationError | None] = []

    def endless() -> Iterator[Item]:
        for number in range(100_000):
            if number == 30:
                started.set()
            yield goods.item(number)

    def work() -> None:
        try:
            for _ in target.write(href, endless()):
                continue
            outcome.append(None)
        except MigrationError as error:
            outcome.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    assert started.wait(30)
    target.close()
    worker.join(30)
    assert not worker.is_alive()
    assert len(outcome) == 1
    assert isinstance(outcome[0], MigrationError)
