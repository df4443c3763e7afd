"""Packs and proofs that somebody made: `show`, `prove` and `reconcile` refuse them, in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from auditing import KEY, Desk, files_of, predicate_of, proof_in, with_line
from commands import run
from packs import ANNA, BERT, KEYS, Pack, Sealed, Section, Thing, section, tree, write_files

from evidence.message_proof import Standing, check

GIVEN = "<a@old.example>"
PLACE = "packs/wave-1"
SHOW = ("audit", "show", PLACE)
PROVE = ("audit", "prove", PLACE, "--message-id", GIVEN, "--keys", "anna.key")
RECONCILE = ("audit", "reconcile", PLACE, "anna.csv", "--keys", "anna.key")
UNCHECKED = "Nothing of this pack was checked here: kogge audit verify packs/wave-1 --pubkey operator.pub"
NOT_SEALED = "PACK: is not what was sealed, or not all of it; `kogge audit verify` tells more"
STATED = {"approvals": []}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("anna.key").write_text(json.dumps({"mailbox": ANNA, "key": KEYS[ANNA].hex()}))
    Path("anna.csv").write_text("FolderPath,ItemsInFolder\n/Inbox,2\n")
    return Desk(tmp_path)


def whole() -> Section:
    return section(KEYS[ANNA], [Thing("a", message_id=GIVEN), Thing("b", verdict="failed", rule="too-large")])


def seal(desk: Desk, one: Section, **stated: object) -> Sealed:
    return desk.seal(Pack({ANNA: [one]}, change={**STATED, **stated}))


def changed(line: bytes, old: bytes, new: bytes) -> list[bytes]:
    assert line.count(old) == 1
    return [line.replace(old, new)]


# What was stated


def test_an_answer_out_of_a_pack_says_that_nobody_checked_it(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = seal(desk, whole())
    path = sealed.path / "wave.dsse.json"
    told = json.loads(path.read_bytes())
    path.write_text(json.dumps({**told, "signatures": [{"keyid": "", "sig": ""}]}))
    other = [*PROVE[:4], "<none@old.example>", *PROVE[5:]]
    for code, arguments in ((0, PROVE), (1, other), (0, (*PROVE, "--json")), (0, RECONCILE)):
        assert run(*arguments) == code
        assert UNCHECKED in capsys.readouterr().err


def test_what_is_not_in_the_stated_tree_has_not_arrived(desk: Desk, said: Callable[[], str]) -> None:
    for stated, word in (
        ({"root": "0" * 64}, "PACK: its section is not in the wave's tree; `kogge audit verify` tells all"),
        ({"sections": 2}, "PACK: the wave has another number of sections"),
        ({"root": 1}, NOT_SEALED),
    ):
        seal(desk, whole(), **stated)
        assert run(*PROVE) == 2
        assert word in said()


def test_a_line_that_is_not_in_its_section_s_tree_has_not_arrived(
    desk: Desk, said: Callable[[], str]
) -> None:
    failed = section(KEYS[ANNA], [Thing("a", verdict="failed", rule="too-large", message_id=GIVEN)])
    arrived = section(KEYS[ANNA], [Thing("a", message_id=GIVEN)])
    pack = Pack({ANNA: [failed]})
    name = f"data/results/{ANNA}.jsonl.gz"
    files = {**files_of(pack), name: files_of(Pack({ANNA: [arrived]}))[name]}
    write_files(Path(PLACE), files, predicate_of(pack), KEY)
    assert run(*PROVE) == 2
    assert "PACK: a line is not in its section's tree" in said()


# What is no file


@pytest.mark.parametrize("name", ["wave.dsse.json", "data/roots.jsonl"])
@pytest.mark.parametrize("arguments", [SHOW, PROVE, RECONCILE])
def test_what_is_no_plain_file_is_not_read(
    desk: Desk, said: Callable[[], str], name: str, arguments: tuple[str, ...]
) -> None:
    path = seal(desk, whole()).path / name
    assert run(*arguments) == 0
    path.rename("elsewhere")
    path.symlink_to(Path("elsewhere").absolute())
    assert run(*arguments) == 2
    path.unlink()
    os.mkfifo(path)
    said()
    assert run(*arguments) == 2
    assert said().startswith("PACK: ")


def test_a_pack_behind_a_link_is_a_pack(desk: Desk) -> None:
    seal(desk, whole()).path.rename("elsewhere")
    Path(PLACE).symlink_to(Path("elsewhere").absolute())
    for arguments in (SHOW, PROVE, RECONCILE):
        assert run(*arguments) == 0


# Of another form


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, b"[]"),
        (None, b"{"),
        (b'"at":', b'"at":"yesterday","at":'),
        (b'"at":', b'"at":1e300,"to":'),
        (b'"folders":[', b'"folders":[1,'),
        (b'"listed":2', b'"listed":"3"'),
        (b'"name":', b'"name":[],"of":'),
        (b'"kind":"mail"', b'"kind":5'),
        (b'"omit":null', b'"omit":5'),
        (b'"section":"mail"', b'"section":"calendar"'),
    ],
)
def test_reconcile_of_a_header_that_is_none(
    desk: Desk, said: Callable[[], str], old: bytes | None, new: bytes
) -> None:
    seal(desk, with_line_of(whole(), "listed", 0, old, new))
    assert run(*RECONCILE) == 2
    assert said().startswith("PACK: ")


def with_line_of(one: Section, file: str, number: int, old: bytes | None, new: bytes) -> Section:
    return with_line(one, file, number, lambda line: [new] if old is None else changed(line, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"i":1', b"{1"),
        (b'"verdict":"match"', b'"verdict":"fine"'),
        (b'"verdict":"match"', b'"verdict":[]'),
        (b'"dst":"1700000000:1"', b'"dst":5'),
        (b'"i":1', b'"i":2'),
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",), ("--out", "proof.json")])
def test_prove_of_a_line_that_is_none(
    desk: Desk, said: Callable[[], str], old: bytes, new: bytes, options: tuple[str, ...]
) -> None:
    seal(desk, with_line_of(whole(), "results", 1, old, new))
    assert run(*PROVE, *options) == 2
    assert said().startswith("PACK: ")
    assert not Path("proof.json").exists()


def test_a_statement_in_another_encoding_is_none(desk: Desk, said: Callable[[], str]) -> None:
    path = seal(desk, whole()).path / "wave.dsse.json"
    path.write_bytes(path.read_text().encode("utf-16"))
    for arguments in (SHOW, (*PROVE, "--json")):
        assert run(*arguments) == 2
        assert said() == "PACK: wave.dsse.json in it is not what `kogge audit seal` wrote"


@pytest.mark.parametrize(
    ("counts", "holds"),
    [
        (b'{"failed":1,"match":1}', True),
        (b"junk", False),
        (b"[]", False),
        (f'{{"match":1}},"mailbox":"{BERT}","pass":7'.encode(), False),
        (b'{"match":"\\ud800"}', False),
    ],
)
def test_a_row_of_another_form_proves_nothing(desk: Desk, counts: bytes, holds: bool) -> None:
    """Whoever has the key can sign a tree of any leaves."""
    one = whole()
    row = one.row(ANNA).replace(b'{"failed":1,"match":1}', counts)
    pack = Pack({ANNA: [one]}, change={"root": tree([row]).hex()})
    files = {**files_of(pack), "data/roots.jsonl": row + b"\n"}
    sealed = write_files(Path(PLACE), files, predicate_of(pack), KEY)
    assert run(*PROVE, "--json") == (0 if holds else 2)
    found = check(proof_in(sealed, one, row), [KEY.public_key()], [sealed.root])
    assert found.standing is (Standing.ANCHORED if holds else Standing.BROKEN)


@pytest.mark.parametrize(
    "stated",
    [
        {"score": {"rating": "A", "distribution": []}},
        {"wave": "\ud800"},
        {"items": "many"},
        {"previous": 5},
        {"incomplete": [{"state": [], "code": "x"}]},
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_show_of_a_statement_of_another_form(
    desk: Desk, said: Callable[[], str], stated: dict[str, object], options: tuple[str, ...]
) -> None:
    seal(desk, whole(), **stated)
    assert run(*SHOW, *options) == 2
    assert said() == "PACK: is not what `kogge audit seal` wrote, or not all of it"


@pytest.mark.parametrize("counts", [b'{"match":"x"}', b'{"match":[]}', b"5", b"junk"])
def test_show_of_counts_that_are_none(desk: Desk, said: Callable[[], str], counts: bytes) -> None:
    path = seal(desk, whole()).path / "data/roots.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"failed":1,"match":1}', counts))
    assert run(*SHOW) == 2
    assert said() == "PACK: is not what `kogge audit seal` wrote, or not all of it"


def test_a_statement_does_not_say_that_it_was_checked(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    sealed = seal(desk, whole(), checked=True, stamped=True, statement="0" * 64)
    assert run(*SHOW, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["checked"], told["stamped"], told["statement"]) == (False, False, sealed.statement)
