"""The verifier on packs that are what they should be, and on what is no pack."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from auditing import KEY, OTHER, Desk, one_small
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from packs import KEYS, Folder, Pack, Sealed, Section, Thing, public_line, section, sha, tree, two_mailboxes

from evidence import verifier

HASH = "f" * 64


def test_a_pack_is_well_but_nothing_outside_anchors_it(desk: Desk) -> None:
    sealed = desk.seal()
    found = desk.audit()
    assert found.code == verifier.UNANCHORED
    assert "mailboxes 2, sections 6, items 26" in found.text
    assert sealed.root in found.text
    assert sealed.statement in found.text
    assert found.text.endswith("verdict: unanchored\n")


def test_the_hash_of_the_statement_anchors_it_and_a_root_its_items_alone(desk: Desk) -> None:
    sealed = desk.seal()
    found = desk.audit(root=sealed.statement.upper())
    assert (found.code, found.text.splitlines()[-1]) == (0, "verdict: ok")
    assert "all that it states" in found.text
    assert desk.audit(root=sealed.root).code == verifier.UNANCHORED


def test_another_root_is_that_of_another_truth(desk: Desk) -> None:
    desk.seal()
    assert desk.audit(root=HASH).code == verifier.TAMPERED


def test_the_key_may_be_a_line_or_a_pem_file_and_one_of_several(desk: Desk, tmp_path: Path) -> None:
    sealed = desk.seal()
    pem = tmp_path / "operator.pem"
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    pem.write_bytes(KEY.public_key().public_bytes(serialization.Encoding.PEM, kind))
    other = tmp_path / "other.pub"
    other.write_text(public_line(OTHER))
    assert desk.audit(pubkey=pem, root=sealed.statement).code == 0
    assert desk.audit(pubkey=[other, pem], root=sealed.statement).code == 0
    wrong = desk.audit(pubkey=other, root=sealed.statement)
    assert wrong.code == verifier.TAMPERED
    assert "another key signed it" in wrong.text


def test_the_key_may_be_typed_from_paper(desk: Desk, small: Sealed, tmp_path: Path) -> None:
    line = public_line(KEY).strip()
    page = tmp_path / "out.html"
    for typed in (line, f"{line[:20]} {line[20:40]} {line[40:]}"):
        found = desk.audit(root=small.statement, pubkey=typed, report=page)
        assert found.code == 0, found.text
        page.unlink()
    wrong = line[:12] + ("A" if line[12] != "A" else "B") + line[13:]
    assert desk.audit(root=small.statement, pubkey=wrong).code == verifier.TAMPERED
    for no_key in (line[:-3], line + "=", "ed25519:"):
        found = desk.audit(root=small.statement, pubkey=no_key)
        assert (found.code, "is not a public key" in found.text) == (verifier.UNREADABLE, True)


NOBODYS = [
    *("01" + 31 * "00", "01" + 30 * "00" + "80", 32 * "00", "ec" + 30 * "ff" + "7f", "ee" + 30 * "ff" + "7f"),
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]
"""Points of small order on the curve of Ed25519, two of them spelled otherwise than RFC 8032 says."""


@pytest.mark.parametrize("key", NOBODYS)
def test_a_key_for_which_everybody_can_sign_is_refused(desk: Desk, tmp_path: Path, key: str) -> None:
    """A pack with this key on paper could be signed anew by anybody, and be denied by who sealed it."""
    sealed = desk.seal()
    point = b"\1" + bytes(31)
    signed = json.loads((sealed.path / verifier.STATEMENT).read_bytes())
    signed["signatures"][0]["sig"] = b64encode(point + bytes(32)).decode()
    (sealed.path / verifier.STATEMENT).write_text(json.dumps(signed))
    file = tmp_path / "nobodys.pub"
    file.write_text(f"ed25519:{b64encode(bytes.fromhex(key)).decode()}\n")
    found = desk.audit(pubkey=file)
    assert found.code == verifier.UNREADABLE
    assert "is nobody's: everybody can sign for this key" in found.text


def test_a_slip_in_a_hash_is_no_sign_of_a_change(desk: Desk, small: Sealed) -> None:
    """Nobody can make a statement whose hash is so close. What is further away may be of another one."""
    for name in (small.statement, small.root):
        for count, code in ((1, verifier.UNREADABLE), (4, verifier.UNREADABLE), (5, verifier.TAMPERED)):
            typed = "".join("0" if one != "0" else "1" for one in name[:count]) + name[count:]
            found = desk.audit(root=typed)
            assert found.code == code
            assert ("digit 1" in found.text) == (code == verifier.UNREADABLE)


def test_an_archive_is_to_be_unpacked(desk: Desk, small: Sealed, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "pack"), "zip", small.path)
    for one in (archive, str(small.path / "wave.dsse.json")):
        found = desk.audit(Path(one), root=small.statement)
        assert found.code == verifier.UNREADABLE
        assert "is a file: unpack an archive, and give the folder" in found.text


def test_a_pack_without_its_statement_makes_no_other_a_forgery(desk: Desk) -> None:
    """The hash that was given may be that of the pack whose statement is missing."""
    first, second = desk.seal(name="first"), desk.seal(one_small("other"), name="second")
    (second.path / "wave.dsse.json").unlink()
    found = desk.audit(root=second.statement)
    assert found.code == verifier.UNREADABLE
    assert first.statement in found.text


def test_what_is_no_pack_or_no_key_gets_no_verdict(desk: Desk, tmp_path: Path) -> None:
    desk.seal()
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "text"
    text.write_text("ed25519:nonsense")
    asked = [
        desk.audit(tmp_path / "nowhere"),
        desk.audit(empty),
        desk.audit(text),
        desk.audit(pubkey=tmp_path / "nowhere"),
        desk.audit(pubkey=text),
        desk.audit(root="abc"),
        desk.audit(tsa_root=text),
        desk.audit(colour="red"),
    ]
    assert [one.code for one in asked] == [verifier.UNREADABLE] * len(asked)
    assert all(one.text for one in asked)


def test_a_key_of_another_kind_has_signed_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.seal()
    pem = tmp_path / "ec.pem"
    public = generate_private_key(SECP256R1()).public_key()
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    pem.write_bytes(public.public_bytes(serialization.Encoding.PEM, kind))
    assert desk.audit(pubkey=pem).code == verifier.TAMPERED


def test_one_json_document_says_the_same(desk: Desk) -> None:
    sealed = desk.seal()
    found = desk.audit(root=sealed.statement, json=True)
    told = json.loads(found.text)
    assert (told["verdict"], told["exit"], found.code) == ("ok", 0, 0)
    (pack,) = told["packs"]
    assert (pack["pack"], pack["statement"]) == ("wave-1", sealed.statement)
    assert {code for code, _ in pack["findings"]} == {verifier.OK, verifier.NOT_CHECKED}


def test_help_is_no_misuse(desk: Desk) -> None:
    assert desk.audit(help=True).code == 0


# What is sealed before all is accounted for


def test_a_pack_that_says_what_is_missing_is_incomplete(desk: Desk) -> None:
    loose = {"mailbox": "m-00000009", "section": "mail", "state": "failed", "code": "no-inventory"}
    sealed = desk.seal(Pack(two_mailboxes(), incomplete=[loose]))
    assert desk.audit(root=sealed.statement).code == verifier.INCOMPLETE


def test_an_open_item_or_one_whose_next_pass_is_not_there_is_incomplete(desk: Desk, tmp_path: Path) -> None:
    key = KEYS["m-0000000a"]
    for thing in (Thing("a", verdict="open", rule="seen"), Thing("a", verdict="later", rule="pass 2")):
        sealed = desk.seal(Pack({"m-0000000a": [section(key, [thing, Thing("b")])]}), thing.verdict)
        assert desk.audit(sealed.path, root=sealed.statement).code == verifier.INCOMPLETE


def test_empty_waves_mailboxes_sections_and_folders_are_well(desk: Desk) -> None:
    key = KEYS["m-0000000a"]
    none = section(key, [], folders=[Folder("/Inbox", 0), Folder("/Secret", 9, omit="folder-excluded")])
    for number, pack in enumerate((Pack({}), Pack({"m-0000000a": []}), Pack({"m-0000000a": [none]})), 1):
        sealed = desk.seal(pack, str(number))
        known = desk.audit(sealed.path, root=sealed.statement)
        assert known.code == (verifier.TAMPERED if number == 2 else 0), known.text  # no section: no mailbox


@pytest.mark.parametrize("count", [1, 2, 3, 4095, 4096, 4097, 8191, 8192, 12_289])
def test_batches_of_lines_have_the_root_of_the_whole_tree(desk: Desk, count: int) -> None:
    """The tree of packs.py is made as RFC 9162 defines it, and not in batches."""
    key = KEYS["m-0000000a"]
    box = section(key, [Thing(str(number)) for number in range(count)])
    sealed = desk.seal(Pack({"m-0000000a": [box]}))
    found = desk.audit(root=sealed.statement)
    assert (found.code, sealed.root) == (0, tree([box.row("m-0000000a")]).hex())
    assert f"items {count} (" in found.text


def test_many_mailboxes_and_all_kinds(desk: Desk) -> None:
    kinds = ("mail", "calendar", "contacts", "tasks", "notes", "files")

    def sections(number: int) -> list[Section]:
        return [section(bytes([number]) * 32, [Thing(f"{number}")], kind) for kind in kinds]

    sealed = desk.seal(Pack({f"m-{number:08x}": sections(number) for number in range(30)}))
    found = desk.audit(root=sealed.statement)
    assert found.code == 0
    assert "mailboxes 30, sections 180, items 180" in found.text


def test_items_older_than_the_evidence_make_it_incomplete(desk: Desk) -> None:
    sealed = desk.seal(Pack({"m-0000000a": [section(KEYS["m-0000000a"], [Thing("a")], earlier=3)]}))
    found = desk.audit(root=sealed.statement)
    assert (found.code, "3 items and 0 workloads are not accounted for" in found.text) == (
        verifier.INCOMPLETE,
        True,
    )


# Several packs


def test_a_chain_is_anchored_by_its_newest_statement(desk: Desk) -> None:
    sealed = desk.seal_chain(3)
    assert desk.audit(root=sealed[-1].statement).code == 0
    assert desk.audit(*(one.path for one in reversed(sealed)), root=sealed[-1].statement).code == 0
    assert desk.audit().code == verifier.UNANCHORED


def test_a_root_anchors_its_own_wave_alone(desk: Desk) -> None:
    """Its statement can be signed anew over the same items, and name another wave before it."""
    sealed = desk.seal_chain(2)
    assert desk.audit(root=sealed[-1].root).code == verifier.UNANCHORED
    assert desk.audit(root=[one.statement for one in sealed]).code == 0


def test_a_gap_is_incomplete(desk: Desk) -> None:
    sealed = desk.seal_chain(4)
    for missing in (0, 1, 2):
        rest = [one.path for number, one in enumerate(sealed) if number != missing]
        found = desk.audit(*rest, root=sealed[-1].statement)
        assert found.code == verifier.INCOMPLETE
        assert f"number {missing + 1} is missing" in found.text


def test_a_missing_newest_is_incomplete_where_its_root_is_known(desk: Desk) -> None:
    sealed = desk.seal_chain(3)
    rest = [one.path for one in sealed[:-1]]
    own = rest[-1] / "wave.dsse.json"
    newest = sha(own.read_bytes())
    assert desk.audit(*rest, root=[newest, sealed[-1].statement]).code == verifier.INCOMPLETE
    # With nothing that anchors the newest of these, it may as well be another in place of that one.
    assert desk.audit(*rest, root=sealed[-1].statement).code == verifier.TAMPERED
    assert desk.audit(*rest).code == verifier.UNANCHORED  # nobody can know


def test_one_wave_of_a_chain_is_checked_alone(desk: Desk) -> None:
    sealed = desk.seal_chain(3)
    assert desk.audit(sealed[1].path, root=sealed[1].statement).code == 0


def test_a_copy_beside_its_original_is_no_second_wave(desk: Desk) -> None:
    sealed = desk.seal_chain(2)
    copy = desk.copy(sealed[0], "copy")
    assert desk.audit(desk.packs, copy, root=sealed[-1].statement).code == 0


def test_a_correction_says_what_it_corrects(desk: Desk) -> None:
    first = one_small()
    one = desk.seal(first)
    told = {"number": 1, "statement": one.statement, "reason": "the export was wrong"}
    two = desk.seal(first.follow(one, corrects=told), "correction")
    assert desk.audit(root=two.statement).code == 0


def test_the_wave_that_a_correction_corrects_may_be_missing(desk: Desk) -> None:
    first = one_small()
    one = desk.seal(first)
    again = first.follow(one, corrects={"number": 1, "statement": one.statement, "reason": "wrong"})
    two = desk.seal(again)
    between = again.follow(two, wave="other", corrects=None)
    three = desk.seal(between)
    told = {"number": 2, "statement": two.statement, "reason": "wrong again"}
    four = desk.seal(between.follow(three, wave="pilot", corrects=told))
    assert desk.audit(root=four.statement).code == 0
    found = desk.audit(one.path, three.path, four.path, root=four.statement)
    assert (found.code, "number 2 is missing" in found.text) == (verifier.INCOMPLETE, True)
    hides = desk.seal(between.follow(three, wave="pilot"), "hides")
    found = desk.audit(one.path, three.path, hides.path, root=hides.statement)
    assert (found.code, "it hides that it corrects one" in found.text) == (verifier.TAMPERED, True)


def test_a_wave_sealed_twice_must_say_so(desk: Desk) -> None:
    first = one_small()
    one = desk.seal(first)
    for number, told in enumerate((None, {"number": 1, "statement": HASH, "reason": "none"})):
        two = desk.seal(first.follow(one, corrects=told), f"again-{number}")
        found = desk.audit(one.path, two.path, root=two.statement)
        assert found.code == verifier.TAMPERED


def test_two_waves_of_one_number_are_a_fork(desk: Desk) -> None:
    one, two = desk.seal_chain(2)
    fork = desk.seal(one_small("wave 1").follow(one, wave="other"), "fork")
    assert desk.audit(root=[two.statement, fork.statement]).code == verifier.TAMPERED


@pytest.mark.parametrize("change", [{"previous": None}, {"number": 3}, {"number": True}, {"number": "2"}])
def test_a_wave_that_does_not_follow_the_one_before(desk: Desk, change: dict[str, object]) -> None:
    one = desk.seal(one_small("wave 1"))
    two = desk.seal(replace(one_small("wave 1").follow(one, wave="wave 2"), change=change))
    assert desk.audit(root=two.statement).code == verifier.TAMPERED
    assert desk.audit(two.path, root=two.statement).code == verifier.TAMPERED


def test_a_newest_wave_signed_anew_is_found_among_others(desk: Desk) -> None:
    sealed = desk.seal_chain(3)
    shutil.rmtree(sealed[2].path)
    before = replace(one_small("wave 2"), number=2)
    desk.seal(before.follow(sealed[1], wave="wave 3", boxes={"m-0000000b": two_mailboxes()["m-0000000b"]}))
    assert desk.audit(root=sealed[2].statement).code == verifier.TAMPERED


# Without Kogge


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The verifier as an auditor has it: a file somewhere."""
    script = tmp_path / "elsewhere" / "verify_kogge.py"
    script.parent.mkdir()
    script.write_bytes(Path(verifier.__file__).read_bytes())
    return script


def test_it_is_one_file_that_needs_python_and_cryptography_alone(desk: Desk, script: Path) -> None:
    sealed = desk.seal()
    # -I: no current directory, no PYTHONPATH, no user's packages; and Kogge's own modules cannot be found.
    guard = (
        "import sys, runpy\n"
        "class Guard:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        top = name.partition('.')[0]\n"
        "        if top not in sys.stdlib_module_names and top not in ('cryptography', '_cffi_backend'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Guard())\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    arguments = [str(script), str(sealed.path), "--pubkey", str(desk.key)]
    for more, code in (([], 3), (["--root", sealed.statement], 0), (["--root", HASH], 1)):
        ran = subprocess.run(
            [sys.executable, "-I", "-c", guard, *arguments, *more],
            capture_output=True,
            text=True,
            cwd=script.parent,
            timeout=120,
        )
        assert (ran.returncode, ran.stderr) == (code, "")


def test_what_lies_beside_it_does_not_pose_as_a_library(desk: Desk, script: Path) -> None:
    sealed = desk.seal()
    for name in ("argparse", "json", "cryptography", "typing"):
        (script.parent / f"{name}.py").write_text("raise SystemExit(77)\n")
    command = [sys.executable, str(script), str(sealed.path), "--pubkey", str(desk.key)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=script.parent, timeout=120)
    assert (ran.returncode, ran.stderr) == (verifier.UNANCHORED, "")


def test_without_its_library_there_is_no_verdict(desk: Desk, script: Path) -> None:
    sealed = desk.seal()
    command = [sys.executable, "-I", "-S", str(script), str(sealed.path), "--pubkey", str(desk.key)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == verifier.UNREADABLE
    assert (
        ran.stderr
        == "no verdict: it needs Python 3.11 or newer, and the package cryptography of 42 or newer\n"
    )


def test_its_length_can_be_read() -> None:
    """Who checks the checks reads the first part; the second only writes down what was found."""
    source = Path(verifier.__file__).read_text()
    verdict, marker, _ = source.partition("\n# From here on: what was found is written down.")
    assert marker
    assert len(verdict.splitlines()) <= 1000


def test_its_hash_is_published() -> None:
    """If this fails: `sha256sum evidence/verifier.py`, and write the digest into docs/verifier.sha256."""
    root = Path(__file__).parents[2]
    told = (root / "docs/verifier.sha256").read_text()
    assert told == f"{sha(Path(verifier.__file__).read_bytes())}  verify_kogge.py\n"
