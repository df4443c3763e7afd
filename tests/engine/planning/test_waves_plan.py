"""Waves: one for every mailbox, together who shares something, about the same length, always the same."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.planning.wave_assignment import PILOT, Draft, WaveMailbox, canary_of, components, draft
from engine.planning.wave_split import LONGER, Group, WaveLimits, cut, fits

KEYS = [f"{name}@x" for name in "abcdefghijklmnopqrst"]
WAVES = ("", "", "", "wave-001", "wave-002", PILOT, "by-hand")


@st.composite
def worlds(
    draw: st.DrawFn, waves: tuple[str, ...] = ("",)
) -> tuple[list[WaveMailbox], list[tuple[str, str]], WaveLimits]:
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1))
    boxes = []
    for key in keys:
        wave = draw(st.sampled_from(waves))
        boxes.append(
            WaveMailbox(
                key,
                wave,
                closed=bool(wave) and draw(st.booleans()),
                items=draw(st.integers(0, 5)),
                bytes=draw(st.integers(0, 50)),
                seconds=draw(st.floats(0, 100)),
                department=draw(st.sampled_from(["", "A", "B"])),
                priority=draw(st.sampled_from([0, 0, 0, 9])),
            )
        )
    pairs = st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS))
    links = draw(st.lists(pairs, max_size=15))
    bytes_ = draw(st.one_of(st.none(), st.integers(20, 200)))
    rules = WaveLimits(draw(st.integers(1, 8)), bytes_, draw(st.integers(0, 4)))
    return boxes, links, rules


def bonds(boxes: list[WaveMailbox], links: list[tuple[str, str]]) -> list[list[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    keys = {box.key for box in boxes}
    for one, other in links:
        if {one, other} <= keys:
            found[one].add(other)
            found[other].add(one)
    return components(keys, {key: frozenset(others) for key, others in found.items()})


def fit_together(boxes: list[WaveMailbox], rules: WaveLimits) -> bool:
    return fits(Group(tuple(box.key for box in boxes), sum(box.bytes for box in boxes)), rules)


def where(drafted: Draft) -> dict[str, str]:
    return {key: wave for wave, keys in drafted.waves.items() for key in keys}


@given(worlds(WAVES))
def test_every_mailbox_is_in_exactly_one_wave(world) -> None:
    boxes, links, rules = world
    drafted = draft(boxes, links, rules)
    placed = Counter(key for keys in drafted.waves.values() for key in keys)
    assert placed == Counter(box.key for box in boxes)
    assert all(drafted.waves.values())
    assert "" not in drafted.waves


@given(worlds(WAVES))
def test_who_has_a_wave_keeps_it(world) -> None:
    boxes, links, rules = world
    found = where(draft(boxes, links, rules))
    assert all(found[box.key] == box.wave for box in boxes if box.wave)


@given(worlds())
def test_who_shares_something_moves_together_unless_too_large(world) -> None:
    boxes, links, rules = world
    drafted = draft(boxes, links, rules)
    known, found = {box.key: box for box in boxes}, where(drafted)
    split = {key for remark in drafted.remarks if remark.code == "split" for key in remark.keys}
    for component in bonds(boxes, links):
        small = fit_together([known[key] for key in component], rules)
        assert len({found[key] for key in component}) == 1 or not small
        assert split.isdisjoint(component) == (small or len(component) == 1)


@given(worlds())
def test_no_wave_is_larger_than_it_may_be_but_for_one_mailbox(world) -> None:
    boxes, links, rules = world
    drafted = draft(boxes, links, rules)
    known = {box.key: box for box in boxes}
    large = {remark.keys for remark in drafted.remarks if remark.code == "too-large"}
    for keys in drafted.waves.values():
        assert fit_together([known[key] for key in keys], rules) or keys in large
    assert large == {(box.key,) for box in boxes if not fit_together([box], rules)}


@given(worlds())
def test_the_pilot_is_small_and_nobody_of_priority_is_in_it(world) -> None:
    boxes, links, rules = world
    keys = draft(boxes, links, rules).waves.get(PILOT, ())
    assert len(keys) <= rules.pilot
    assert not [box for box in boxes if box.key in keys and box.priority > 0]


@given(worlds())
def test_higher_priorities_come_first(world) -> None:
    boxes, links, rules = world
    drafted = draft(boxes, links, rules)
    order = [name for name in drafted.made if name != PILOT]
    known = {box.key: box for box in boxes}
    tops = {key: max(known[one].priority for one in part) for part in bonds(boxes, links) for key in part}
    if any(remark.code == "split" for remark in drafted.remarks):
        return
    levels = [[tops[key] for key in drafted.waves[name]] for name in order]
    assert all(min(one) >= max(other) for one, other in itertools.pairwise(levels))


@given(worlds(WAVES), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(world, dice: random.Random) -> None:
    boxes, links, rules = world
    first = draft(boxes, links, rules)
    dice.shuffle(boxes)
    dice.shuffle(links)
    turned = [(other, one) for one, other in links]
    assert draft(boxes, turned, rules) == first


@given(worlds(), st.randoms(use_true_random=False))
def test_planned_again_after_some_waves_ran_nothing_moves(world, dice: random.Random) -> None:
    boxes, links, rules = world
    first = draft(boxes, links, rules)
    found = where(first)
    ran = {name for name in first.waves if dice.random() < 0.5}
    after = [replace(box, wave=found[box.key], closed=found[box.key] in ran) for box in boxes]
    again = draft(after, links, rules)
    assert again.waves == first.waves
    assert again.made == ()


@given(worlds(), st.randoms(use_true_random=False))
def test_planned_anew_what_ran_stays(world, dice: random.Random) -> None:
    boxes, links, rules = world
    found = where(draft(boxes, links, rules))
    ran = {name for name in found.values() if dice.random() < 0.5}
    after = [
        replace(box, wave=found[box.key] if found[box.key] in ran else "", closed=found[box.key] in ran)
        for box in boxes
    ]
    again = draft(after, links, rules)
    assert all(where(again)[box.key] == box.wave for box in after if box.closed)
    assert not ran & set(again.made)
    for box in after:
        assert box.closed or where(again)[box.key] not in ran  # a wave that ran gets nobody new


groups = st.lists(
    st.builds(
        Group,
        st.integers(1, 4).map(lambda count: ("k",) * count),
        st.integers(0, 50),
        st.floats(0, 1000),
    ),
    min_size=1,
    max_size=40,
)


def joined(row: list[Group]) -> Group:
    return Group(tuple(key for one in row for key in one.keys), sum(one.bytes for one in row))


@given(groups, st.integers(4, 12), st.one_of(st.none(), st.integers(50, 300)))
def test_no_wave_is_much_longer_than_the_mean(row: list[Group], boxes: int, size: int | None) -> None:
    rules = WaveLimits(boxes, size)
    waves = cut(row, rules)
    assert [one for wave in waves for one in wave] == row
    total, longest = sum(one.seconds for one in row), max(one.seconds for one in row)
    few = 1
    held: list[Group] = []
    for one in row:  # as few waves as the limits alone would need
        if held and not fits(joined([*held, one]), rules):
            few, held = few + 1, []
        held.append(one)
    lengths = [sum(one.seconds for one in wave) for wave in waves]
    assert max(lengths) <= max(LONGER * total / few, longest) * 1.001 + 1e-6
    for wave in waves:
        assert fits(joined(wave), rules) or len(wave) == 1


def test_many_alike_are_cut_evenly() -> None:
    row = [Group((f"{number}",), seconds=60.0) for number in range(1001)]
    assert [len(wave) for wave in cut(row, WaveLimits(500))] == [334, 334, 333]


def test_hours_decide_where_limits_would_not() -> None:
    """A department of large mailboxes is not one long night because its people are few."""
    row = [Group((f"{number}",), seconds=100.0 if number < 100 else 1.0) for number in range(1000)]
    lengths = [sum(one.seconds for one in wave) for wave in cut(row, WaveLimits(500))]
    assert lengths == [5200, 5200, 500]


def box(name: str, **changes) -> WaveMailbox:
    given = {"items": 10, "bytes": 10, "seconds": 10.0}
    return WaveMailbox(f"{name}@x", **(given | changes))


def links(*pairs: str) -> list[tuple[str, str]]:
    return [(f"{one}@x", f"{other}@x") for one, other in pairs]


def test_who_shares_with_the_marked_pilot_joins_it() -> None:
    drafted = draft([box("a", wave=PILOT), box("b"), box("c"), box("d")], links("ab"), WaveLimits(2, None, 2))
    assert drafted.waves[PILOT] == ("a@x", "b@x")
    assert drafted.waves["wave-001"] == ("c@x", "d@x")
    assert drafted.remarks == ()


def test_delegates_who_cannot_be_together_are_told() -> None:
    """One wave has begun, the other has no room: both go elsewhere, and somebody is told."""
    boxes = [
        box("a", wave="wave-001", closed=True),
        box("b"),
        box("c", wave="wave-002"),
        box("d", wave="wave-002"),
        box("e"),
    ]
    drafted = draft(boxes, links("ab", "ce"), WaveLimits(2))
    assert drafted.waves["wave-003"] == ("b@x", "e@x")
    codes = [(remark.code, remark.keys) for remark in drafted.remarks]
    assert codes == [("apart", ("a@x", "b@x")), ("apart", ("c@x", "e@x"))]


def test_what_is_too_large_is_split_along_departments() -> None:
    boxes = [box(name, department="A" if name in "aceg" else "B") for name in "abcdefgh"]
    drafted = draft(boxes, links("ab", "bc", "cd", "de", "ef", "fg", "gh", "ac", "ce", "eg"), WaveLimits(4))
    assert [set(keys) for keys in drafted.waves.values()] == [
        {"a@x", "c@x", "e@x", "g@x"},
        {"b@x", "d@x", "f@x", "h@x"},
    ]
    assert [remark.code for remark in drafted.remarks] == ["split"]


def test_the_pilot_takes_from_every_department_and_one_group_that_shares() -> None:
    boxes = [box(name, department=name.upper(), seconds=float(ord(name))) for name in "abcdef"]
    boxes += [box("s", department="S"), box("t", department="S"), box("v", priority=1, seconds=1.0)]
    drafted = draft(boxes, links("st"), WaveLimits(10, None, 6))
    assert drafted.waves[PILOT] == ("a@x", "b@x", "c@x", "d@x", "s@x", "t@x")


def test_no_pilot_once_something_ran() -> None:
    drafted = draft([box("a", wave="first", closed=True), box("b")], [], WaveLimits(5, None, 1))
    assert set(drafted.waves) == {"first", "wave-001"}


def test_the_canary_is_small_holds_something_and_is_nobody_of_priority() -> None:
    boxes = [
        box("empty", items=0, seconds=0.0),
        box("site", person=False, seconds=1.0),
        box("minister", priority=9, seconds=2.0),
        box("clerk", seconds=3.0),
    ]
    assert canary_of(boxes) == "clerk@x"
    assert canary_of(boxes[:2]) is None


def test_the_largest_list_is_planned_in_seconds() -> None:
    """40,000 mailboxes, 650 departments, every fourth somebody's delegate, sizes as people have them."""
    dice = random.Random(7)
    boxes = [
        box(
            f"{number:05}",
            items=(items := int(dice.lognormvariate(7.3, 1.2))),
            bytes=items * 70_000,
            seconds=items / 8,
            department=f"Referat {number // 60}",
        )
        for number in range(40_000)
    ]
    pairs = [(f"{one:05}@x", f"{min(39_999, one + dice.randrange(30)):05}@x") for one in range(0, 40_000, 4)]
    began = time.process_time()
    drafted = draft(boxes, pairs, WaveLimits(500, None, 20))
    assert time.process_time() - began < 20  # 1.5 s where nothing else runs
    assert sum(map(len, drafted.waves.values())) == 40_000
    assert 80 <= len(drafted.made) <= 90
    known = {one.key: one.seconds for one in boxes}
    hours = [sum(known[key] for key in drafted.waves[name]) for name in drafted.made[1:]]
    assert max(hours) < 1.3 * sum(hours) / len(hours)
