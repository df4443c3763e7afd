"""A sample that nobody can choose: the draw, the work sheet, and what a sample shows."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from auditing import Desk, one_small
from packs import ANNA, BERT, KEYS, Pack, Sealed, Section, Thing, section, sha, two_mailboxes

from evidence import verifier

COPIED = {"match", "normalised", "converted"}


def drawn(desk: Desk, *places: Path, **options: object) -> dict[str, Any]:
    found = desk.audit(*places, json=True, **options)
    sample: dict[str, Any] = json.loads(found.text)["sample"]
    return sample


def by_hand(sealed: Sealed, seed: str) -> list[tuple[str, str, int, int, int]]:
    """All items that arrived by the SHA-256 of their places, as the description says, from the files alone.
    The last number is the line of the file."""
    found = []
    for path in (sealed.path / "data/results").iterdir():
        mailbox = path.name.partition(".")[0]
        header: dict[str, Any] = {}
        for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines(), 1):
            told = json.loads(line)
            header = told if "section" in told else header
            if told.get("verdict") in COPIED:
                found.append((mailbox, header["section"], header["pass"], told["i"], number))
    return sorted(found, key=lambda one: sha(" ".join(map(str, (seed, *one[:4]))).encode()))


@pytest.mark.parametrize("word", ["", "7 3 19 Würfel"])
def test_the_draw_follows_from_the_statement_and_the_word(desk: Desk, word: str) -> None:
    sealed = desk.seal()
    seed = sha(f"{sealed.statement} {word}".encode()) if word else sealed.statement
    all_of_them = by_hand(sealed, seed)
    told = drawn(desk, root=sealed.statement, sample=7, **({"word": word} if word else {}))
    assert (told["seed"], told["of"]) == (seed, len(all_of_them))
    columns = ("mailbox", "workload", "pass", "line", "line of the file")
    rows = [tuple(row[column] for column in columns) for row in told["items"]]
    assert rows == [tuple(map(str, one)) for one in all_of_them[:7]]


def test_what_did_not_arrive_is_not_drawn_and_one_workload_can_be(desk: Desk) -> None:
    sealed = desk.seal()
    told = drawn(desk, root=sealed.statement, sample=100)
    assert told["of"] == len(told["items"]) == len(by_hand(sealed, ""))
    assert {row["verdict"] for row in told["items"]} <= COPIED
    assert {row["workload"] for row in told["items"]} == {"mail", "calendar"}
    of_one = drawn(desk, root=sealed.statement, sample=100, workload="calendar")
    assert {row["workload"] for row in of_one["items"]} == {"calendar"}
    assert "that is every one of them" in desk.audit(root=sealed.statement, sample=100).text


def test_each_line_names_where_it_is(desk: Desk, tmp_path: Path) -> None:
    sealed = desk.seal()
    desk.audit(
        root=sealed.statement, sample=9, sheet=tmp_path / "sample.csv", report=tmp_path / "sample.html"
    )
    rows = list(csv.DictReader((tmp_path / "sample.csv").read_text().splitlines()))
    assert len(rows) == 9
    for row in rows:
        path = sealed.path / row["file"]
        lines = gzip.decompress(path.read_bytes()).splitlines()
        told = json.loads(lines[int(row["line of the file"]) - 1])
        assert (str(told["i"]), told["src"], told["verdict"]) == (row["line"], row["item"], row["verdict"])
        assert row["sha256 of the file"] == sha(path.read_bytes())
        assert row["statement"] == sealed.statement
        if row["workload"] == "mail":
            assert f"UID {told['dst'].partition(':')[2]} in the folder" in row["what to ask for"]
        assert {row[name] for name in verifier.TO_FILL_IN} == {""}
    assert "Sample: work sheet" in (tmp_path / "sample.html").read_text()


@pytest.mark.parametrize(
    ("workload", "mid", "told"),
    [
        ("mail", "0" * 32, "at the source, the message with the same Message-ID"),
        ("mail", None, "this message (it has no Message-ID), which the operator must show"),
        ("notes", None, "at the source, this note, which the operator must show"),
    ],
)
def test_a_message_id_is_named_where_there_is_one(workload: str, mid: str | None, told: str) -> None:
    asked = verifier.what_to_ask({"workload": workload, "dst": "17:4", "mid": mid})
    assert asked.startswith("at the target, UID 4 in the folder with UIDVALIDITY 17; ")
    assert asked.endswith(told)


def test_the_same_sample_in_another_place_is_the_same_to_the_byte(desk: Desk, tmp_path: Path) -> None:
    sealed = desk.seal()
    copy = desk.copy(sealed, "elsewhere")
    for number, place in enumerate((sealed.path, copy)):
        desk.audit(place, root=sealed.statement, sample=12, sheet=tmp_path / f"{number}.csv")
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()


def test_a_sample_of_another_pack_is_another_sample(desk: Desk) -> None:
    """Signed anew, over the same items: whoever hands over a work sheet of another pack is found out."""
    one = desk.seal()
    again = desk.seal(Pack(two_mailboxes(), change={"configuration": "1" * 64}), "again")
    rows = [drawn(desk, sealed.path, root=sealed.statement, sample=10)["items"] for sealed in (one, again)]
    assert rows[0] != rows[1]
    assert {row["statement"] for row in rows[1]} == {again.statement}


def test_nothing_is_drawn_from_what_was_changed_or_from_several(desk: Desk, tmp_path: Path) -> None:
    sealed = desk.seal()
    sheet = tmp_path / "sample.csv"
    found = desk.audit(root="0" * 64, sample=3, sheet=sheet)
    assert (found.code, sheet.exists()) == (verifier.TAMPERED, False)
    assert "no sample is drawn from a pack that was changed" in found.text
    desk.seal(one_small("other").follow(sealed), "other")
    found = desk.audit(sample=3, sheet=sheet)
    assert (found.code, "is drawn from one pack" in found.text) == (verifier.UNREADABLE, True)


def test_nothing_is_drawn_from_a_part_of_a_pack(desk: Desk) -> None:
    """A draw from the mailboxes that are there would say nothing of the whole, and look as if it did."""
    sealed = desk.seal()
    (sealed.path / f"data/results/{BERT}.jsonl.gz").unlink()
    found = desk.audit(root=sealed.statement, sample=3)
    assert (found.code, "or not read to its end" in found.text) == (verifier.INCOMPLETE, True)
    assert "drawn by the seed" not in found.text


def test_an_incomplete_pack_that_was_read_to_its_end_is_drawn_from(desk: Desk) -> None:
    loose = {"mailbox": "m-00000009", "section": "mail", "state": "failed", "code": "no-inventory"}
    sealed = desk.seal(Pack(two_mailboxes(), incomplete=[loose]))
    found = desk.audit(root=sealed.statement, sample=3)
    assert (found.code, "drawn by the seed" in found.text) == (verifier.INCOMPLETE, True)


def test_an_unanchored_pack_may_be_sampled_and_says_so(desk: Desk) -> None:
    desk.seal()
    assert desk.audit(sample=3).code == verifier.UNANCHORED


def test_every_item_is_as_likely_as_any_other(desk: Desk) -> None:
    """Over 300 words, each of 40 items is drawn about 75 times of 10 out of 40."""
    box = section(KEYS[ANNA], [Thing(str(number)) for number in range(40)])
    counts = Counter[int]()
    rows = [verifier.ROOTS_LINE.findall(box.row(ANNA))[0]]
    fates = verifier.RESULTS_LINE.findall(b"\n".join(box.results[1:]))
    for number in range(300):
        draw = verifier.Draw(10, word=str(number))
        draw.begin_pack("0" * 64)
        draw.mailbox = ANNA
        draw.offer(verifier.Section(*rows[0]), list(box.listed[1:]), list(box.results[1:]), fates)
        counts.update(line["i"] for line in draw.drawn())
    assert len(counts) == 40
    assert sum((count - 75) ** 2 / 75 for count in counts.values()) < 60  # 39 degrees: 1 in 60 is beyond


@pytest.mark.parametrize("size", [1, 29, 59, 60, 299, 1000])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_limit_without_faults_is_the_formula(size: int, confidence: float) -> None:
    limit = 1 - (1 - confidence) ** (1 / size)
    assert math.isclose(verifier.most_faulty(size, 0, confidence), limit, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("size", "faults", "limit"),
    [(59, 0, 0.0495), (60, 1, 0.0766), (93, 1, 0.0500), (100, 2, 0.0616), (10_000, 3, 0.000775), (5, 5, 1.0)],
)
def test_the_limit_with_faults_is_that_of_the_tables(size: int, faults: int, limit: float) -> None:
    """Clopper and Pearson, one side, 95 %."""
    assert verifier.most_faulty(size, faults, 0.95) == pytest.approx(limit, rel=0.006)


def test_a_large_pack_is_drawn_from_in_batches(desk: Desk) -> None:
    boxes: dict[str, list[Section]] = {
        ANNA: [section(KEYS[ANNA], [Thing(str(number)) for number in range(4100)])],
        BERT: [section(KEYS[BERT], [Thing("one")])],
    }
    sealed = desk.seal(Pack(boxes))
    rows = drawn(desk, root=sealed.statement, sample=5)["items"]
    assert [int(row["line"]) for row in rows] == [one[3] for one in by_hand(sealed, sealed.statement)[:5]]


def test_the_tables_of_the_documents_are_those_of_the_formula() -> None:
    """Each row: the share, the faults found, and the smallest sample at 90, 95 and 99 %."""
    text = (Path(__file__).parents[2] / "docs/evidence.md").read_text()
    faults = {"no fault found": 0, "one fault found": 1}
    rows = re.findall(
        r"(?m)^\| ([0-9.]+) %, (\w+ fault found) \| ([0-9,]+) \| ([0-9,]+) \| ([0-9,]+) \|$", text
    )
    assert len(rows) == 6
    for share, found, *sizes in rows:
        for size, confidence in zip(sizes, verifier.CONFIDENCES, strict=True):
            needed, most = int(size.replace(",", "")), float(share) / 100
            assert verifier.most_faulty(needed, faults[found], confidence) <= most
            assert verifier.most_faulty(needed - 1, faults[found], confidence) > most
