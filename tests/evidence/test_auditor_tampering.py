"""The verifier on packs that somebody changed, with the operator's key and without it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest
from auditing import (
    FILES,
    KEY,
    OTHER,
    Desk,
    answering,
    compacted,
    edited,
    files_of,
    one_small,
    predicate_of,
    rewritten,
    with_line,
)
from packs import (
    ANNA,
    BERT,
    KEYS,
    Folder,
    Pack,
    Sealed,
    Section,
    Thing,
    section,
    two_mailboxes,
    write_files,
)

from evidence import verifier

TAMPERED, INCOMPLETE = verifier.TAMPERED, verifier.INCOMPLETE
ROOTS, MANIFEST, STATEMENT = "data/roots.jsonl", "manifest-sha256.txt", "wave.dsse.json"


# Without the key


@pytest.mark.usefixtures("key_is_read_once")
@pytest.mark.parametrize("name", FILES)
def test_a_bit_flipped_anywhere_is_found(desk: Desk, small: Sealed, name: str) -> None:
    path = small.path / name
    data = path.read_bytes()
    missed = []
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        if desk.audit(root=small.statement).code != TAMPERED:
            missed.append(at)
    assert missed == []


@pytest.mark.usefixtures("key_is_read_once")
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_or_goes_on_is_found(desk: Desk, small: Sealed, name: str) -> None:
    path = small.path / name
    data = path.read_bytes()
    for other in (b"", data[:1], data[: len(data) // 2], data[:-1], data + b"\n", data + b"x", data + data):
        path.write_bytes(other)
        assert desk.audit(root=small.statement).code == TAMPERED


def test_without_what_is_signed_there_is_no_word_of_comfort(desk: Desk, small: Sealed) -> None:
    """The results are changed, and the statement that would show it is gone."""
    path = small.path / f"data/results/{ANNA}.jsonl.gz"
    path.write_bytes(path.read_bytes() + b"\0")
    (small.path / "wave.dsse.json").unlink()
    for options in ({}, {"root": small.statement}):
        found = desk.audit(**options)
        assert found.code == verifier.UNREADABLE, "who sees no statement cannot say that it was changed"
        assert "the signed statement is missing: nothing could be held against a signature" in found.text
        assert verifier.MEANINGS[INCOMPLETE] not in found.text


@pytest.mark.parametrize("missing", ["data/roots.jsonl", f"data/inventory/{ANNA}.jsonl.gz"])
def test_what_is_there_is_held_against_the_manifest_though_something_is_missing(
    desk: Desk, small: Sealed, missing: str
) -> None:
    path = small.path / f"data/results/{ANNA}.jsonl.gz"
    path.write_bytes(path.read_bytes() + b"\0")
    (small.path / missing).unlink()
    assert desk.audit(root=small.statement).code == TAMPERED


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_makes_it_incomplete(desk: Desk, small: Sealed, name: str) -> None:
    (small.path / name).unlink()
    found = desk.audit(root=small.statement)
    without = ("wave.dsse.json", "manifest-sha256.txt")
    assert found.code == (verifier.UNREADABLE if name in without else INCOMPLETE)
    assert "is missing" in found.text


def test_what_was_changed_outweighs_what_is_missing(desk: Desk) -> None:
    sealed = desk.seal()
    (sealed.path / f"data/inventory/{ANNA}.jsonl.gz").unlink()
    assert desk.audit(root=sealed.statement).code == INCOMPLETE
    (sealed.path / f"data/results/{BERT}.jsonl.gz").write_bytes(b"")
    assert desk.audit(root=sealed.statement).code == TAMPERED


@pytest.mark.parametrize("folder", ["inventory", "results"])
def test_two_mailboxes_swapped_are_found(desk: Desk, folder: str) -> None:
    sealed = desk.seal()
    one, other = (sealed.path / f"data/{folder}/{name}.jsonl.gz" for name in (ANNA, BERT))
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)
    assert desk.audit(root=sealed.statement).code == TAMPERED


@pytest.mark.parametrize(
    "name", [f"data/inventory/{BERT}.jsonl.gz", "data/extra", "data/results/x/y", "data/inventory/.hidden"]
)
def test_a_file_that_no_manifest_names_is_found(desk: Desk, small: Sealed, name: str) -> None:
    path = small.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    assert desk.audit(root=small.statement).code == TAMPERED


def test_what_lies_beside_the_data_proves_nothing_and_changes_nothing(desk: Desk, small: Sealed) -> None:
    for name in ("Thumbs.db", "wave.tsq", "wave.tsr", "note.txt"):
        (small.path / name).write_bytes(b"?")
    found = desk.audit(root=small.statement)
    assert found.code == 0
    assert "'Thumbs.db', 'note.txt': not of the pack, nothing vouches for it" in found.text
    assert "wave.tsr: time stamp: not checked (no --tsa-root)" in found.text


@pytest.mark.parametrize("folder", ["inventory", "results"])
def test_the_file_that_was_changed_is_named_by_its_folder(desk: Desk, small: Sealed, folder: str) -> None:
    """Each mailbox has a file of the same name in both."""
    (file,) = (small.path / "data" / folder).iterdir()
    file.write_bytes(file.read_bytes() + b"\0")
    assert f"data/{folder}/{file.name} was changed" in desk.audit(root=small.statement).text
    file.unlink()
    assert f"data/{folder}/{file.name} is missing" in desk.audit(root=small.statement).text


def test_an_old_pack_in_place_of_the_newest_is_found(desk: Desk) -> None:
    old, new = desk.seal_chain(2)
    shutil.rmtree(new.path)
    shutil.copytree(old.path, new.path)
    assert desk.audit(new.path, root=new.root).code == TAMPERED
    assert desk.audit(new.path, root=new.statement).code == TAMPERED


def test_a_signature_by_somebody_else_is_found(desk: Desk) -> None:
    sealed = desk.seal(key=OTHER)
    assert desk.audit(root=sealed.statement).code == TAMPERED


# With the key


def test_a_rewritten_pack_is_found_by_its_anchor_alone(desk: Desk) -> None:
    """A lost mail is taken out of the inventory, and all is hashed and signed anew."""
    pack = Pack({ANNA: [section(KEYS[ANNA], [Thing("a"), Thing("b", verdict="failed", rule="too-large")])]})
    true = desk.seal(pack)
    shutil.rmtree(true.path)
    desk.seal(Pack({ANNA: [section(KEYS[ANNA], [Thing("a")])]}))
    assert desk.audit().code == verifier.UNANCHORED
    assert desk.audit(root=true.root).code == TAMPERED
    assert desk.audit(root=true.statement).code == TAMPERED


def test_a_rewritten_wave_within_a_chain_is_found(desk: Desk) -> None:
    one, two = desk.seal_chain(2)
    other = one_small("wave 1").write(desk.packs.parent / "other", KEY)
    assert desk.audit(other.path, two.path, root=two.statement).code == verifier.OK  # the same wave
    shutil.rmtree(one.path)
    rest = Pack({BERT: two_mailboxes()[BERT]}, wave="wave 1")
    desk.seal(rest)
    assert desk.audit(root=two.statement).code == TAMPERED
    assert desk.audit(root=[one.root, two.root]).code == TAMPERED


def test_a_whole_chain_signed_anew_is_found_by_each_anchor(desk: Desk) -> None:
    true = desk.seal_chain(2)
    shutil.rmtree(desk.packs)
    desk.packs.mkdir()
    first = Pack({BERT: two_mailboxes()[BERT]}, wave="wave 1")
    one = desk.seal(first)
    pack = one_small("wave 1").follow(one, wave="wave 2")
    desk.seal(pack)
    assert desk.audit().code == verifier.UNANCHORED
    assert desk.audit(root=[one.root for one in true]).code == TAMPERED
    assert desk.audit(root=true[-1].statement).code in (TAMPERED, INCOMPLETE)


Change = Callable[[Section], Section]
LINE = b'{"i":1,"src":"' + b"0" * 32 + b'","verdict":"match","rule":null,"dst":null}'


def results(number: int, **fields: object) -> Change:
    return lambda one: with_line(one, "results", number, lambda line: [edited(line, **fields)])


def listed(number: int, **fields: object) -> Change:
    return lambda one: with_line(one, "listed", number, lambda line: [edited(line, **fields)])


def raw(file: str, number: int, old: bytes, new: bytes) -> Change:
    def change(line: bytes) -> list[bytes]:
        assert old in line
        return [line.replace(old, new, 1)]

    return lambda one: with_line(one, file, number, change)


def swapped(file: str) -> Change:
    def change(one: Section) -> Section:
        lines = list(getattr(one, file))
        lines[1], lines[2] = lines[2], lines[1]
        return answering(replace(one, **{file: tuple(lines)}))

    return change


def folder(**fields: object) -> Change:
    def change(line: bytes) -> list[bytes]:
        told = json.loads(line)
        told["folders"][0].update(fields)
        return [compacted(told)]

    return lambda one: with_line(one, "listed", 0, change)


CHANGES: dict[str, Change] = {
    "a line of results is left out": lambda one: replace(one, results=one.results[:-1]),
    "a line of the inventory is left out": lambda one: answering(replace(one, listed=one.listed[:-1]), n=10),
    "a line of results is there twice": lambda one: replace(one, results=(*one.results, one.results[-1])),
    "an item is listed twice": lambda one: answering(
        replace(one, listed=(*one.listed, one.listed[-1]), results=(*one.results, one.results[-1]))
    ),
    "lines of results are in another order": swapped("results"),
    "lines of the inventory are in another order": swapped("listed"),
    "a line has another number": listed(3, i=4),
    "a result has another number": results(3, i=4),
    "the number is text": results(3, i="3"),
    "the number begins with zero": raw("results", 3, b'"i":3', b'"i":03'),
    "the number is negative": raw("listed", 3, b'"n":8192', b'"n":-1'),
    "the size is text": listed(3, n="8192"),
    "the size is a fraction": listed(3, n=1.5),
    "the size is true": listed(3, n=True),
    "the size is endless": raw("listed", 3, b'"n":8192', b'"n":' + b"9" * 5000),
    "a result is of another item": results(3, src="0" * 32),
    "a match has two contents": results(1, h_dst="0" * 32),
    "a match has no content": results(1, h_src=None, h_dst=None),
    "a match is nowhere": results(1, dst=None),
    "what lost something has two contents": results(7, h_dst="0" * 32),
    "what was rebuilt has two contents": results(6, h_dst="0" * 32),
    "what lost something names none": results(7, rule="lost"),
    "a failure was read back": results(9, dst="1:1", h_src="0" * 32, h_dst="0" * 32),
    "what was written is nowhere": results(9, rule="unverified"),
    "what was withdrawn has a place": results(11, dst="1:1"),
    "what comes later has a content": results(8, h_src="0" * 32),
    "a verdict begins as one of them": results(9, verdict="fine"),
    "a match has a rule": results(1, rule="rebuilt"),
    "what was rebuilt has another rule": results(6, rule="other"),
    "a failure has no code": results(9, rule=None),
    "a verdict is unknown": results(1, verdict="fine"),
    "a verdict is empty": results(1, verdict=""),
    "a verdict is in capitals": results(1, verdict="MATCH"),
    "a verdict has letters that look like others": results(1, verdict="m\u0430tch"),
    "a verdict has an escape": raw("results", 1, b'"match"', b'"\\u006datch"'),
    "later is now": results(8, rule="pass 1"),
    "later is never": results(8, rule="pass 0"),
    "later is in another pass": results(8, rule="pass 3"),
    "later without a pass": results(8, rule="later"),
    "a key is there twice": raw("results", 1, b'"rule":null', b'"rule":null,"rule":null'),
    "keys are in another order": lambda one: with_line(
        one, "results", 1, lambda line: [compacted(dict(reversed(json.loads(line).items())))]
    ),
    "there is a blank": raw("results", 1, b'"i":1,', b'"i": 1,'),
    "there is a carriage return": raw("results", 1, b"}", b"}\r"),
    "a line is empty": lambda one: with_line(one, "results", 1, lambda line: [b"", line]),
    "a line is another's": lambda one: with_line(one, "results", 1, lambda _: [LINE]),
    "a line is no JSON": lambda one: with_line(one, "listed", 1, lambda _: [b"\xff\x00"]),
    "a pseudonym is in capitals": listed(1, box="A" * 32),
    "a pseudonym is short": listed(1, box="a" * 31),
    "a box that no header names": listed(1, box="0" * 32),
    "what is neither new nor changed": listed(1, what="old"),
    "a folder has more lines than it says": folder(listed=1),
    "a folder's count is text": folder(listed="7"),
    "a folder's name is in clear": folder(name="/Inbox"),
    "a folder's name is in clear elsewhere": folder(kind="/Inbox/Mueller"),
    "a folder has another key": folder(path="/Inbox"),
    "a folder's code nests": folder(omit="},{"),
    "among folders is something else": raw("listed", 0, b'"folders":[', b'"folders":[/Inbox},'),
    "folders end in something else": raw("listed", 0, b"}]", b"},/Inbox]"),
    "the header is of another pass": listed(0, **{"pass": 2}),
    "the header is of another section": listed(0, section="notes"),
    "the header has an unknown section": listed(0, section="letters"),
    "the header follows another inventory": listed(0, after="0" * 64),
    "the header was taken at no time": listed(0, at="yesterday"),
    "the header is a list": lambda one: with_line(one, "listed", 0, lambda _: [b"[]"]),
    "the results answer another inventory": lambda one: answering(one, inventory="0" * 64),
    "the results are of another pass": lambda one: answering(one, **{"pass": 2}),
    "the results have another count": lambda one: answering(one, n=10),
    "the results' count is text": lambda one: answering(one, n="11"),
    "the results were never sealed": lambda one: answering(one, sealed=None),
    "the results' state is none": lambda one: answering(one, state=None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_contradicts_itself_is_found_though_it_is_signed(desk: Desk, name: str) -> None:
    def change(boxes: dict[str, list[Section]]) -> None:
        first, second, calendar = boxes[ANNA]
        first = CHANGES[name](first)
        if "inventory" not in name and "item is listed twice" not in name:
            head = edited(second.listed[0], after=first.root)
            second = answering(replace(second, listed=(head, *second.listed[1:])))
        boxes[ANNA] = [first, second, calendar]

    sealed = desk.seal(rewritten(one_small(), change))
    found = desk.audit(root=sealed.statement)
    assert found.code == TAMPERED, found.text


def test_a_changed_item_has_one_verdict_over_all_passes(desk: Desk) -> None:
    key = KEYS[ANNA]
    one = section(key, [Thing("a"), Thing("b")])
    two = section(key, [Thing("a", what="changed")], number=2, after=one.root)
    sealed = desk.seal(Pack({ANNA: [one, two]}))
    found = desk.audit(root=sealed.statement)
    assert (found.code, "two verdicts" in found.text) == (TAMPERED, True)


def test_an_item_is_listed_once_in_a_pass(desk: Desk) -> None:
    key = KEYS[ANNA]
    later = Thing("a", verdict="later", rule="pass 2")
    one = section(key, [later, Thing("b"), later])
    two = section(key, [Thing("a", what="changed")], number=2, after=one.root)
    sealed = desk.seal(Pack({ANNA: [one, two]}))
    assert desk.audit(root=sealed.statement).code == TAMPERED


def test_what_comes_later_is_listed_once_in_a_pass_however_far_apart(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "BATCH", 2)
    key, later = KEYS[ANNA], Thing("a", verdict="later", rule="pass 3")
    for things, code in (([later, Thing("b"), Thing("c")], 0), ([later, Thing("b"), Thing("c"), later], 1)):
        one = section(key, things)
        two = section(key, [replace(later, what="changed")], number=2, after=one.root)
        three = section(key, [Thing("a", what="changed")], number=3, after=two.root)
        sealed = desk.seal(Pack({ANNA: [one, two, three]}), f"{len(things)}-lines")
        assert desk.audit(sealed.path, root=sealed.statement).code == code


def test_a_folder_is_in_a_header_once(desk: Desk) -> None:
    key, folders = KEYS[ANNA], [Folder("/Inbox", 1), Folder("/Drafts", 5)]
    one = section(key, [Thing("a")], folders=folders)
    once = desk.seal(Pack({ANNA: [one]}))
    assert desk.audit(once.path, root=once.statement).code == 0
    for path, total in (("/Inbox", 1), ("/Drafts", 5), ("/Drafts", 6)):
        twice = section(key, [Thing("a")], folders=[*folders, Folder(path, total)])
        sealed = desk.seal(Pack({ANNA: [twice]}), f"{path[1:]}-{total}")
        assert desk.audit(sealed.path, root=sealed.statement).code == TAMPERED


def test_one_id_in_two_workloads_is_two_items(desk: Desk) -> None:
    key = KEYS[ANNA]
    one = section(key, [Thing("a")])
    two = section(key, [Thing("a")], "calendar")
    lines = [one.results[1].split(b'"')[5], two.results[1].split(b'"')[5]]
    two = replace(
        two,
        listed=tuple(line.replace(lines[1], lines[0]) for line in two.listed),
        results=tuple(line.replace(lines[1], lines[0]) for line in two.results),
    )
    sealed = desk.seal(Pack({ANNA: [one, answering(two)]}))
    assert desk.audit(root=sealed.statement).code == 0


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (0, 2, 1), (0, 2), (1, 2)])
def test_sections_in_another_order_or_with_a_gap_are_found(desk: Desk, order: tuple[int, ...]) -> None:
    pack = rewritten(one_small(), lambda boxes: boxes.update({ANNA: [boxes[ANNA][at] for at in order]}))
    sealed = desk.seal(pack)
    found = desk.audit(root=sealed.statement)
    # Without the second pass it is only not known what became of an item that is listed in it.
    assert found.code == (INCOMPLETE if order == (0, 2) else TAMPERED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"n":11', b'"n":12'),
        (b'"n":11', b'"n":10'),
        (b'"n":11', b'"n":99999999999999999'),
        (b'"n":11', b'"n":"11"'),
        (b'"n":11', b'"n":11.0'),
        (b'"n":11', b'"n":1e1'),
        (b'"pass":1', b'"pass":2'),
        (b'"mail"', b'"Mail"'),
        (b'"match":5', b'"match":6'),
        (b'"match":5', b'"match":"5"'),
        (b'"match":5', b'"match":5,"match":5'),
        (b'"mailbox":"m-', b'"mailbox":"../m-'),
        (b'"mailbox":"m-', b'"mailbox":"m-/../m-'),
        (b'"mailbox":"m-0000000a"', b'"mailbox":"m-0000000b"'),
        (b"}\n", b"}\r\n"),
        (b"}\n", b"}\n\n"),
        (b"{", b" {"),
    ],
)
def test_a_line_of_roots_that_is_not_so_is_found(desk: Desk, old: bytes, new: bytes) -> None:
    pack = one_small()
    files = files_of(pack)
    assert old in files[ROOTS]
    files[ROOTS] = files[ROOTS].replace(old, new, 1)
    sealed = write_files(desk.packs / "wave", files, predicate_of(pack), KEY)
    assert desk.audit(root=sealed.statement).code == TAMPERED
