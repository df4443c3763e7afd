"""A pack's files: streamed, the same lines give the same bytes, and others' tools agree."""

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import bagit
import pytest
from merkle_roots import root_of

from evidence.bag_writer import (
    AnsweredLine,
    PackSection,
    Payload,
    WrittenMailbox,
    finish,
    sign,
    write_mailbox,
    write_payload,
)
from ledger.inventory.lines import (
    FAILED,
    LATER,
    MATCH,
    NEW,
    InventoryFolder,
    LineResult,
    inventory_header,
    inventory_line,
    results_header,
    results_line,
)
from model.errors import Corrupt, Misconfigured
from model.kinds import Kind

TOLD = {"Bag-Software-Agent": "kogge 0", "Bagging-Date": "2026-11-26"}


def lines(count: int, seed: str) -> Iterator[AnsweredLine]:
    for number in range(1, count + 1):
        source = hashlib.sha256(f"{seed}{number}".encode()).hexdigest()[:32]
        verdict = FAILED if number % 10 == 0 else MATCH
        result = LineResult(verdict, "too-large" if verdict == FAILED else None, "1:2", source, source, 10)
        yield AnsweredLine(
            inventory_line(number, "0" * 32, source, 10, NEW), results_line(number, source, result), verdict
        )


def section(
    count: int, kind: Kind = Kind.MAIL, seed: str = "", stream: Iterator[AnsweredLine] | None = None
) -> PackSection:
    header = inventory_header(
        kind, 1, 1.5, None, 0, [InventoryFolder("0" * 32, "1" * 32, kind, None, count, None)]
    )
    root = root_of([header, *(one.listed for one in lines(count, seed))])
    answered = results_header(kind, 1, root, count, "verified", 2.5, 3.5)
    return PackSection(
        kind, 1, count, root, header, answered, lines(count, seed) if stream is None else stream
    )


def written(bag: Path) -> tuple[list[WrittenMailbox], Payload]:
    found = [
        write_mailbox(bag, "m-1", [section(25), section(0, Kind.CALENDAR)]),
        write_mailbox(bag, "m-2", [section(3, seed="two")]),
    ]
    payload = write_payload(bag, found)
    finish(bag, payload, TOLD, b"{}\n", b"asked")
    sign(bag, b"{}\n")
    return found, payload


def bytes_of(bag: Path) -> dict[str, bytes]:
    return {path.relative_to(bag).as_posix(): path.read_bytes() for path in bag.rglob("*") if path.is_file()}


def read(path: Path) -> list[bytes]:
    with gzip.open(path) as file:
        return file.read().splitlines()


def test_the_layout(tmp_path: Path) -> None:
    written(tmp_path)
    assert set(bytes_of(tmp_path)) == {
        "bagit.txt",
        "bag-info.txt",
        "data/inventory/m-1.jsonl.gz",
        "data/inventory/m-2.jsonl.gz",
        "data/results/m-1.jsonl.gz",
        "data/results/m-2.jsonl.gz",
        "data/roots.jsonl",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "wave.dsse.json",
        "wave.tsq",
    }


def test_bagit_of_the_library_of_congress_takes_it(tmp_path: Path) -> None:
    written(tmp_path)
    bagit.Bag(str(tmp_path)).validate()
    results = tmp_path / "data/results/m-1.jsonl.gz"
    results.write_bytes(results.read_bytes()[:-1] + b"\xff")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(tmp_path)).validate()


def test_the_signed_statement_is_a_tag_file_and_the_time_stamp_none(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "wave.tsr").write_bytes(b"a reply")
    bagit.Bag(str(tmp_path)).validate()
    (tmp_path / "wave.dsse.json").write_bytes(b"{ }\n")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(tmp_path)).validate()


def test_the_roots_are_those_of_the_lines(tmp_path: Path) -> None:
    _, payload = written(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "data/roots.jsonl").read_bytes().splitlines()]
    assert [(row["mailbox"], row["section"], row["pass"], row["n"]) for row in rows] == [
        ("m-1", "mail", 1, 25),
        ("m-1", "calendar", 1, 0),
        ("m-2", "mail", 1, 3),
    ]
    assert rows[0]["verdicts"] == {"failed": 2, "match": 23}
    for folder in ("inventory", "results"):
        found = read(tmp_path / f"data/{folder}/m-1.jsonl.gz")
        assert len(found) == 27
        assert [rows[0][folder], rows[1][folder]] == [
            root_of(found[:26]).hex(),
            root_of(found[26:]).hex(),
        ]
    assert payload.root == root_of((tmp_path / "data/roots.jsonl").read_bytes().splitlines())
    assert (payload.mailboxes, payload.sections, payload.items) == (2, 3, 28)


def test_an_item_counts_where_its_fate_stands(tmp_path: Path) -> None:
    later = WrittenMailbox("m-1", (), (), {MATCH: 7, LATER: 3})
    assert write_payload(tmp_path, [later]).items == 7


def test_the_same_lines_give_the_same_bytes(tmp_path: Path) -> None:
    written(tmp_path / "one")
    written(tmp_path / "two")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    header = (tmp_path / "one/data/results/m-1.jsonl.gz").read_bytes()[:10]
    assert header[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "no name, no time"


@pytest.mark.parametrize("lost", [0, 12, 24])
def test_lines_that_were_not_listed_so_are_refused(tmp_path: Path, lost: int) -> None:
    rest = [one for number, one in enumerate(lines(25, "")) if number != lost]
    with pytest.raises(Corrupt, match="evidence-damaged"):
        write_mailbox(tmp_path, "m-1", [section(25, stream=iter(rest))])
    swapped = [*rest, next(lines(1, "another"))]
    with pytest.raises(Corrupt, match="evidence-damaged"):
        write_mailbox(tmp_path, "m-1", [section(25, stream=iter(swapped))])


def test_a_large_mailbox_is_not_held(tmp_path: Path) -> None:
    large = section(60_000)
    tracemalloc.start()
    write_mailbox(tmp_path, "m-1", [large])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000, "bytes; its lines are 20 MB"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(Misconfigured, match="--out: cannot be written"):
        write_mailbox(tmp_path, "m-1", [section(1)])
