"""What the rehearsal counts with: its own count finds what is lost, twice or strange; its meter adds up what
processes used, also those that are gone; kills come by turns; the world is the same at every start."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from rehearsal.count import Count, parsed, source
from rehearsal.crew import FAILURES, Child
from rehearsal.kills import KINDS, Kills
from rehearsal.meter import Meter
from rehearsal.place import Place
from rehearsal.servers import exchange_of
from rehearsal.size import SEED, SIZES, Size, world_of

BUSY = "sum(i * i for i in range(20_000_000))"


def test_the_exchange_starts_where_its_rehearsal_starts_it(tmp_path: Path) -> None:
    child = exchange_of(Place(tmp_path, "test", SEED, {"exchange": 0, "prefect": 0}))
    child.start()
    try:
        while "http" not in (output := child.log.read_text()):
            assert child.alive(), output
            time.sleep(0.05)
    finally:
        child.stop()


def test_a_program_that_ends_by_itself_again_and_again_is_named(tmp_path: Path) -> None:
    child = Child("exchange", [sys.executable, "-c", ""], {}, tmp_path, tmp_path / "exchange.log")
    child.start()

    def end(*, killed: bool) -> None:
        assert child.process is not None
        child.process.wait()
        child.start_again(killed=killed)

    for _ in range(2 * FAILURES):
        end(killed=True)
    for _ in range(FAILURES - 1):
        end(killed=False)
    with pytest.raises(RuntimeError, match=r"again and again; see .*exchange\.log"):
        end(killed=False)


def test_the_sizes_add_up() -> None:
    whole = SIZES["whole"]
    assert (whole.mailboxes, whole.items) == (40_020, 300_000)
    for size in SIZES.values():
        counts = Counter(size.items_of(index) for index in range(size.mailboxes))
        assert counts == {size.small_items: size.small, size.large_items: size.large}
        waves = Counter(size.wave_of(index) for index in range(size.mailboxes))
        assert len(waves) == size.waves
        assert max(waves.values()) - min(waves.values()) <= 1


def test_every_start_has_the_same_mails() -> None:
    size = SIZES["test"]
    address = world_of(size).addresses()[17]
    first, second = (source(world_of(size).mailbox(address)) for _ in range(2))
    assert first == second
    assert first.copies.total() == size.small_items


def test_the_count_tells_lost_from_twice_from_strange() -> None:
    one, two, strange = ("INBOX", b"1"), ("INBOX", b"2"), ("Sent", b"3")
    count = Count()
    count.compare(Counter([one, two, two]), Counter([one, one, two, strange]), left_behind=0)
    assert (count.items, count.found) == (3, 4)
    assert (count.lost, count.duplicated, count.foreign) == (1, 1, 1)


def test_what_the_ledger_left_behind_is_not_lost() -> None:
    count = Count()
    count.compare(Counter({("INBOX", b"1"): 3}), Counter({("INBOX", b"1"): 1}), left_behind=1)
    assert (count.lost, count.left_behind, count.duplicated) == (1, 1, 0)


def test_a_copy_in_another_folder_is_lost_there_and_strange_here() -> None:
    count = Count()
    count.compare(Counter([("INBOX", b"1")]), Counter([("Sent", b"1")]), left_behind=0)
    assert (count.lost, count.foreign) == (1, 1)


def test_messages_are_cut_by_their_length_not_by_what_is_in_them() -> None:
    tricky = b"Subject: a\n\nx\n\x0c\nbert@x\nmailbox: INBOX\n"
    told = b"anna@x\nmailbox: Projekte/2025\nsize.physical: %d\ntext:\n%s\x0c\n" % (len(tricky), tricky)
    told += b"bert@x\nmailbox: INBOX\nsize.physical: 0\ntext:\n"
    assert list(parsed(told)) == [("anna@x", "Projekte/2025", tricky), ("bert@x", "INBOX", b"")]
    assert list(parsed(b"")) == []
    with pytest.raises(RuntimeError, match="as long"):
        list(parsed(told.replace(b": 0\n", b": 7\n")))


def test_the_meter_keeps_what_the_dead_used() -> None:
    meter = Meter()
    with subprocess.Popen([sys.executable, "-c", f"{BUSY}; input()"], stdin=subprocess.PIPE) as one:
        used = 0.0
        deadline = time.monotonic() + 60
        while used < 0.1 and time.monotonic() < deadline:
            meter.sample({"busy": [one.pid]})
            used = meter.seconds().get("busy", 0.0)
        assert used >= 0.1
        assert meter.peak["busy"] >= meter.largest["busy"] > 1_000_000
        one.kill()
    meter.sample({"busy": []})
    assert meter.seconds()["busy"] >= used
    assert Meter.kept(meter.keep()).seconds() == meter.seconds()


def test_what_a_parent_was_told_counts_once() -> None:
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{BUSY}']); input()"
    meter = Meter()
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as one:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            meter.sample({"busy": [one.pid]})
            if len(meter._seen) == 1 and meter.seconds()["busy"] > 0.2:
                break  # only the parent is left
            time.sleep(0.05)
        told = meter.seconds()["busy"]
        before = os.times()
        one.kill()
        one.wait()
        after = os.times()
    real = after.children_user + after.children_system - before.children_user - before.children_system
    assert abs(told - real) < 0.1


def test_kills_come_by_turns_at_their_marks() -> None:
    size = Size(10, 1, 0, 0, 1, 5, legs=1, kill_seconds=0, marks=(0.1, 0.2, 0.3, 0.4))
    killed: list[str] = []

    def act(kind: str, works: bool = True) -> bool:
        killed.append(kind)
        return works

    acts = {kind: lambda _, kind=kind: act(kind) for kind in KINDS}
    kills = Kills(size, acts, random.Random(1))
    assert kills.due(0.05) is None
    assert [kills.due(share) for share in (0.1, 0.15, 0.2, 0.3, 0.4, 0.9, 1.0)] == [
        "worker", None, "prefect", "dovecot", "worker", None, None
    ]  # fmt: skip
    assert killed == ["worker", "prefect", "dovecot", "worker"]


def test_nothing_to_kill_is_no_kill() -> None:
    size = Size(10, 1, 0, 0, 1, 5, legs=1, kill_seconds=0, marks=(0.1,))
    kills = Kills(size, dict.fromkeys(KINDS, lambda _: False), random.Random(1))
    assert kills.due(0.5) is None
    assert kills.done == 0
