"""`kogge audit verify`, `prove`, `verifier`: what a person types, is told, and gets as exit code."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from auditing import KEY, OTHER, Desk, proof_in
from commands import run
from packs import ANNA, BERT, KEYS, Pack, Sealed, Section, Thing, public_line, section

from evidence import verifier
from evidence.message_proof import Standing, check
from kogge.audit.verify import _fate

GIVEN = "<A-1@old.example>"
LETTERS = [
    Thing("first", message_id=GIVEN),
    Thing("second", "/Sent", "converted", "flags:unknown", message_id="<b@old.example>"),
    Thing("large", verdict="failed", rule="too-large", message_id="<large@old.example>"),
    Thing("nameless"),
    Thing("twice", message_id="<twice@old.example>"),
    Thing("twice again", "/Sent", message_id="<twice@old.example>"),
    Thing("draft", "/Drafts", "later", "pass 2"),
    Thing("odd", verdict="normalised", rule="rebuilt", message_id="odd@old.example"),
    Thing("skipped", verdict="skipped", rule="late-mail", message_id="<late@old.example>"),
    Thing("gone", verdict="withdrawn", message_id="<gone@old.example>"),
]


def letters(key: bytes) -> list[Section]:
    one = section(key, LETTERS)
    again = [Thing("draft", "/Drafts", message_id="<draft@old.example>", what="changed")]
    return [
        one,
        section(key, again, number=2, after=one.root),
        section(key, [Thing("talk", "/Talks")], "calendar"),
    ]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    desk = Desk(tmp_path)
    for name, key in KEYS.items():
        (tmp_path / f"{name}.key").write_text(json.dumps({"mailbox": name, "key": key.hex()}) + "\n")
    return desk


@pytest.fixture
def sealed(desk: Desk) -> Sealed:
    return desk.seal(Pack({ANNA: letters(KEYS[ANNA]), BERT: [section(KEYS[BERT], [Thing("x")])]}))


Said = Callable[[], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What was printed since it was asked last, as one line."""

    def words() -> str:
        told = capsys.readouterr()
        return " ".join((told.out + told.err).split())

    return words


# verify, verifier


def test_verify_is_the_verifier(desk: Desk, sealed: Sealed, said: Said) -> None:
    for options, code in (
        ([], verifier.UNANCHORED),
        (["--root", sealed.statement], verifier.OK),
        (["--root", "0" * 64], verifier.TAMPERED),
    ):
        assert run("audit", "verify", str(sealed.path), "--pubkey", str(desk.key), *options) == code
        assert desk.audit(**({"root": options[1]} if options else {})).text.split() == said().split()
    typed = desk.key.read_text().strip()
    assert run("audit", "verify", str(sealed.path), "--pubkey", typed, "--lang", "fr") == verifier.UNANCHORED
    assert "sans ancrage" in said()


def test_verify_takes_what_the_verifier_takes(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    sealed = desk.seal_chain(2)
    other = desk.packs.parent / "other.pub"
    other.write_text(public_line(OTHER))
    keys = ["--pubkey", str(other), "--pubkey", str(desk.key)]
    assert run("audit", "verify", "packs", *keys, "--root", sealed[1].statement, "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "ok"
    (sealed[0].path / "bagit.txt").unlink()
    roots = [option for one in sealed for option in ("--root", one.root)]
    places = [str(one.path) for one in sealed]
    assert run("audit", "verify", *places, *keys, *roots) == verifier.INCOMPLETE


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["packs"],
        ["--pubkey", "operator.pub"],
        ["packs", "--pubkey", "nowhere"],
        ["nowhere", "--pubkey", "operator.pub"],
        ["packs", "--pubkey", "operator.pub", "--root", "1"],
        ["packs", "--pubkey", "operator.pub", "--tsa-root", "nowhere"],
        ["packs", "--pubkey", "operator.pub", "--colour"],
        ["packs", "--pubkey"],
        ["--", "--help", "--pubkey"],
    ],
)
def test_misuse_looks_like_no_verdict(desk: Desk, sealed: Sealed, said: Said, arguments: list[str]) -> None:
    assert run("audit", "verify", *arguments) == 4
    assert "Traceback" not in said()


def test_the_verifier_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit", "verifier") == 0
    assert capsys.readouterr().out == Path(verifier.__file__).read_text()


# prove


def prove(message_id: str, *more: str, keys: str = f"{ANNA}.key") -> int:
    return run("audit", "prove", "packs/wave-1", "--message-id", message_id, "--keys", keys, *more)


@pytest.mark.parametrize(
    ("message_id", "code", "told"),
    [
        (
            GIVEN,
            0,
            "pass 1, line 1 of 10: arrived (UIDVALIDITY:UID 1700000000:1), was read back, and is equal",
        ),
        (" (my) <A-1@old.example> \n", 0, "line 1 of 10: arrived"),
        ("A-1@old.example", 0, "line 1 of 10: arrived"),
        ("<b@old.example>", 0, "arrived (UIDVALIDITY:UID 1700000000:2), without flags:unknown"),
        ("odd@old.example", 0, "line 8 of 10: arrived"),
        ("<draft@old.example>", 0, "pass 2, line 1 of 1: arrived"),
        ("<large@old.example>", 1, "line 3 of 10: did not arrive (too-large)"),
        ("<late@old.example>", 1, "was skipped by a rule (late-mail)"),
        ("<gone@old.example>", 1, "was deleted at the source meanwhile"),
        ("<none@old.example>", 1, "no mail in this pack has this Message-ID"),
        ("<a-1@old.example>", 1, "no mail in this pack has this Message-ID"),
    ],
)
def test_whether_a_message_arrived(
    desk: Desk, sealed: Sealed, said: Said, message_id: str, code: int, told: str
) -> None:
    assert prove(message_id) == code
    assert told in said()


def test_all_that_share_a_message_id_are_told(desk: Desk, sealed: Sealed, said: Said) -> None:
    assert prove("<twice@old.example>", "--out", "proof.json") == 0
    shown = said()
    assert "line 5 of 10: arrived" in shown
    assert "line 6 of 10: arrived" in shown
    assert len(json.loads(Path("proof.json").read_text())["items"]) == 2


def test_how_many_have_no_message_id_is_told_where_none_is_found(
    desk: Desk, sealed: Sealed, said: Said
) -> None:
    assert prove("<none@old.example>", "--out", "proof.json") == 1
    assert "Of 10 mails 1 are recorded without one" in said()
    assert not Path("proof.json").exists()


def test_another_mailbox_s_key_finds_nothing(desk: Desk, sealed: Sealed, said: Said) -> None:
    Path("wrong.key").write_text(json.dumps({"mailbox": ANNA, "key": KEYS[BERT].hex()}))
    assert prove(GIVEN, keys="wrong.key") == 1
    assert "no mail in this pack" in said()
    assert prove(GIVEN, keys=f"{BERT}.key") == 1
    Path("absent.key").write_text(json.dumps({"mailbox": "m-00000009", "key": KEYS[BERT].hex()}))
    assert prove(GIVEN, keys="absent.key") == 2
    assert "of which this pack has nothing" in said()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"mailbox":"m-1","key":"00"}', '{"mailbox":1,"key":"x"}', "\xff"]
)
def test_what_is_no_key(desk: Desk, sealed: Sealed, said: Said, text: str) -> None:
    Path("other.key").write_text(text, encoding="latin-1")
    assert prove(GIVEN, keys="other.key") == 2
    assert "kogge audit keys export" in said()


def test_a_proof_stands_alone(desk: Desk, sealed: Sealed, said: Said) -> None:
    assert prove(GIVEN, "--out", "proof.json") == 0
    assert stat.S_IMODE(Path("proof.json").stat().st_mode) == 0o600
    (desk.packs / "wave-1").rename("elsewhere")
    check = ["audit", "prove", "--check", "proof.json", "--pubkey", "operator.pub"]
    said()
    assert run(*check) == 3
    assert "Nothing anchors it" in said()
    for root in (sealed.root, sealed.statement.upper()):
        assert run(*check, "--root", root) == 0
        assert f"the proof holds: wave 'pilot', root {sealed.root}" in said()
    assert run(*check, "--root", "0" * 64) == 1
    assert "the proof does not hold: it is of another wave" in said()
    Path("other.pub").write_text(public_line(OTHER))
    assert run(*check[:-1], "other.pub", "--root", sealed.root) == 1
    assert prove(GIVEN, "--out", "proof.json") == 2  # there is one already, and no pack any more


def test_a_proof_is_of_one_message(desk: Desk, sealed: Sealed, said: Said) -> None:
    prove(GIVEN, "--out", "proof.json")
    check = ["audit", "prove", "--check", "proof.json", "--pubkey", "operator.pub", "--root", sealed.root]
    assert run(*check) == 0
    assert "only the mailbox's key shows" in said()
    assert run(*check, "--message-id", GIVEN, "--keys", f"{ANNA}.key") == 0
    assert "only the mailbox's key" not in said()
    for other in (
        ["--message-id", "<b@old.example>", "--keys", f"{ANNA}.key"],
        ["--message-id", GIVEN, "--keys", f"{BERT}.key"],
    ):
        assert run(*check, *other) == 1
        assert "is of another message" in said()
    assert run(*check, "--message-id", GIVEN) == 2


def test_a_proof_says_nothing_that_the_pack_does_not_say(desk: Desk, sealed: Sealed) -> None:
    prove(GIVEN, "--out", "proof.json")
    text = Path("proof.json").read_text()
    assert "old.example" not in text
    assert KEYS[ANNA].hex() not in text


def altered(text: str) -> list[str]:
    """A proof with one value changed, for each value in it."""
    found = []
    for match in re.finditer(r'(?<=[:\[ ])("(?:[^"\\]|\\.)+"|\d+)(?=[,\n}\]])', text):
        value = match[1]
        other = (
            str(int(value) + 1) if value.isdecimal() else '"' + ("0" if value[1] != "0" else "1") + value[2:]
        )
        found.append(text[: match.start()] + other + text[match.end() :])
    return found


def test_an_altered_proof_does_not_hold(
    desk: Desk, sealed: Sealed, capsys: pytest.CaptureFixture[str]
) -> None:
    prove("<twice@old.example>", "--out", "proof.json")
    whole = Path("proof.json").read_text()
    others = altered(whole)
    assert len(others) == 40
    capsys.readouterr()
    for number, other in enumerate(others):
        Path(f"other-{number}.json").write_text(other)
        arguments = ["--check", f"other-{number}.json", "--pubkey", "operator.pub", "--root", sealed.root]
        code = run("audit", "prove", *arguments, "--json")
        shown = capsys.readouterr().out
        if json.loads(other)["kind"] != json.loads(whole)["kind"]:
            assert (code, shown) == (2, ""), "it does not even say that it is a proof"
        else:
            assert code == 1, other
            assert json.loads(shown)["standing"] == "broken"


KIND = '"kind":"urn:kogge:evidence:proof:v1"'


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        *(
            (text, 2, "--check: is no proof, or a cut one: give what `kogge audit prove --out` wrote")
            for text in ("", "{}", "[]", "null", "[" * 100_000, '{"kind":1,"kind":2}', "\udcff", f"{{{KIND}")
        ),
        (f"{{{KIND}}}", 1, "the proof does not hold: it is not of the form that a proof has"),
        (f"{{{KIND},{KIND}}}", 1, "the proof does not hold: a key is there twice"),
    ],
)
def test_what_is_no_proof_is_no_verdict(desk: Desk, said: Said, text: str, code: int, told: str) -> None:
    Path("proof.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert run("audit", "prove", "--check", "proof.json", "--pubkey", "operator.pub") == code
    assert said() == told


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_answer_is_told_though_the_proof_cannot_be_written(
    desk: Desk, sealed: Sealed, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    Path("proof.json").write_text("another")
    assert prove(GIVEN, "--out", "proof.json", *options) == 2
    told = capsys.readouterr()
    if options:
        assert len(json.loads(told.out)["items"]) == 1
    else:
        assert "line 1 of 10: arrived" in told.out
    unchecked, why = told.err.splitlines()
    assert unchecked.startswith(
        "Nothing of this pack was checked here: kogge audit verify packs/wave-1 --pub"
    )
    assert why == "the proof was not written: --out: 'proof.json' is there already, and it stays as it is"
    assert Path("proof.json").read_text() == "another"


def test_what_is_no_file_or_huge_is_not_read_as_a_proof(desk: Desk, said: Said) -> None:
    os.mkfifo("pipe")
    with Path("huge").open("wb") as file:
        file.truncate(1 << 32)
    for name in ("pipe", "huge", "/dev/zero", "."):
        assert run("audit", "prove", "--check", name, "--pubkey", "operator.pub") == 2
        assert "is no proof" in said()


def test_lines_of_two_items_do_not_make_a_proof(desk: Desk, sealed: Sealed) -> None:
    """Each of them is in the tree; together they would say that what failed has arrived."""
    prove(GIVEN, "--out", "one.json")
    prove("<large@old.example>", "--out", "other.json")
    one, other = (json.loads(Path(name).read_text()) for name in ("one.json", "other.json"))
    check = ["audit", "prove", "--check", "mixed.json", "--pubkey", "operator.pub", "--root", sealed.root]
    for part in ("inventory", "results"):
        mixed = {**one, "items": [{**one["items"][0], part: other["items"][0][part]}]}
        Path("mixed.json").write_text(json.dumps(mixed))
        assert run(*check) == 1
        Path("mixed.json").unlink()
    Path("mixed.json").write_text(json.dumps({**one, "items": []}))
    assert run(*check) == 1


def test_a_proof_of_a_damaged_pack_is_refused(desk: Desk, sealed: Sealed, said: Said) -> None:
    path = sealed.path / f"data/results/{ANNA}.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-1])
    assert prove(GIVEN) == 2
    assert "was changed; `kogge audit verify` tells all" in said()
    path.unlink()
    assert prove(GIVEN) == 2
    assert "is missing" in said()
    assert run("audit", "prove", "nowhere", "--message-id", GIVEN, "--keys", f"{ANNA}.key") == 2
    assert "PACK: there is no directory nowhere" in said()
    assert run("audit", "prove", "packs", "--message-id", GIVEN, "--keys", f"{ANNA}.key") == 2
    assert "PACK: packs is no pack, for it has no wave.dsse.json" in said()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["packs/wave-1"],
        ["packs/wave-1", "--message-id", GIVEN],
        ["packs/wave-1", "--keys", f"{ANNA}.key"],
        ["packs/wave-1", "--message-id", "()", "--keys", f"{ANNA}.key"],
        ["packs/wave-1", "--message-id", GIVEN, "--keys", "nowhere"],
        ["packs/wave-1", "--message-id", GIVEN, "--keys", f"{ANNA}.key", "--root", "0"],
        ["packs/wave-1", "--check", f"{ANNA}.key", "--pubkey", "operator.pub"],
        ["--check", f"{ANNA}.key"],
        ["--check", "nowhere", "--pubkey", "operator.pub"],
        ["--check", f"{ANNA}.key", "--pubkey", "nowhere"],
        ["--check", f"{ANNA}.key", "--pubkey", f"{ANNA}.key"],
        ["--check", f"{ANNA}.key", "--pubkey", "operator.pub", "--root", "0"],
    ],
)
def test_wrong_input_to_prove(desk: Desk, sealed: Sealed, said: Said, arguments: list[str]) -> None:
    assert run("audit", "prove", *arguments) == 2
    assert said()


@pytest.mark.parametrize("rule", [None, "not-ours", "pass 2"])
def test_every_fate_has_words(rule: str | None) -> None:
    verdict = "later" if rule == "pass 2" else "withdrawn"
    told = _fate({"verdict": verdict, "rule": rule, "dst": None})
    assert ("not ours" in told, "pass 2" in told) == (rule == "not-ours", rule == "pass 2")


def test_a_line_that_is_several_proves_nothing(desk: Desk) -> None:
    """Whoever has the key can sign a tree of any leaves."""
    whole = section(KEYS[ANNA], [Thing("a", message_id=GIVEN)])
    hidden = replace(whole, results=(whole.results[0], b"{}\n" + whole.results[1]))
    for one, standing in ((whole, Standing.ANCHORED), (hidden, Standing.BROKEN)):
        sealed = desk.seal(Pack({ANNA: [one]}), standing)
        document = proof_in(sealed, one, one.row(ANNA))
        assert check(document, [KEY.public_key()], [sealed.root]).standing is standing
