"""The verifier's page for people: what it says of good and bad packs, and names that are no names."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from auditing import Desk, edited, one_small, proof_in, rewritten, with_line
from packs import ANNA, KEYS, Pack, Sealed, Section, Thing, section

from evidence import verifier

HOSTILE = "<script>alert(1)</script>\u202e\"'&"


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags, self.words = set[str](), list[str]()
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_says_what_was_checked_and_what_not(desk: Desk, tmp_path: Path) -> None:
    sealed = desk.seal()
    (sealed.path / "note.txt").write_text("?")
    (desk.packs / "letter.pdf").write_text("?")
    assert desk.audit(root=sealed.statement, report=tmp_path / "out.html").code == 0
    page = Page(tmp_path / "out.html")
    for told in (
        "Verdict: ok (exit code 0).",
        "it was not signed again",
        sealed.statement,
        sealed.root,
        "Items 26",
        "'note.txt': not of the pack, nothing vouches for it",
        "'letter.pdf': not a pack, not looked at",
        "there is no time stamp in the pack, which needs none",
        "that the migration program told the truth",
    ):
        assert told in page.text


def test_nothing_on_the_page_is_loaded_or_run(desk: Desk, small: Sealed, tmp_path: Path) -> None:
    desk.audit(root=small.statement, report=tmp_path / "out.html", sample=1)
    text = (tmp_path / "out.html").read_text()
    assert not re.search(r"https?:|src=|href=|url\(|@import|javascript:", text)
    assert not Page(tmp_path / "out.html").tags & {"script", "link", "img", "iframe", "object", "a", "form"}


@pytest.mark.parametrize("field", ["wave", "folder", "stranger", "root"])
def test_a_hostile_name_stays_a_name(desk: Desk, tmp_path: Path, field: str) -> None:
    """Of the wave, of the pack's folder, of a file beside it, and in the operator's statement."""
    hostile = HOSTILE.replace("/", "_")
    wave = HOSTILE if field == "wave" else "pilot"
    change = {"root": HOSTILE} if field == "root" else {}
    pack = one_small(wave)
    sealed = desk.seal(Pack(pack.boxes, wave, change=change), hostile if field == "folder" else "")
    if field == "stranger":
        (sealed.path / hostile).write_text("?")
    desk.audit(root=sealed.statement, report=tmp_path / "out.html")
    page = Page(tmp_path / "out.html")
    assert "script" not in page.tags
    assert "\u202e" not in page.text
    if field != "root":
        assert "alert(1)" in page.text


@pytest.mark.parametrize("kind", range(5))
def test_each_verdict_has_a_sentence_and_a_next_step(
    desk: Desk, small: Sealed, tmp_path: Path, kind: int
) -> None:
    options: dict[str, object] = {"root": small.statement, "report": tmp_path / "out.html"}
    statement = small.path / "wave.dsse.json"
    if kind == verifier.TAMPERED:
        statement.write_bytes(statement.read_bytes().replace(b"A", b"B", 1))
    elif kind == verifier.INCOMPLETE:
        (small.path / "bagit.txt").unlink()
    elif kind == verifier.UNANCHORED:
        del options["root"]
    elif kind == verifier.UNREADABLE:
        (desk.packs / "proof.json").write_text("{}")
        options["proof"] = desk.packs / "proof.json"
    found = desk.audit(**options)
    assert found.code == kind
    page = Page(tmp_path / "out.html")
    assert f"Verdict: {verifier.WORDS[kind]} (exit code {kind})" in page.text
    assert verifier.MEANINGS[kind] in page.text
    assert verifier.MEANINGS[kind] in found.text
    assert verifier.NEXT[kind] in page.text


def test_no_file_is_written_over_and_none_into_a_pack(desk: Desk, small: Sealed, tmp_path: Path) -> None:
    taken = tmp_path / "taken.html"
    taken.write_text("mine")
    places = {taken: "is there already", small.path / "data" / "new.html": "is in a pack"}
    for place, why in places.items():
        for options in ({"report": place}, {"sheet": place, "sample": 1}):
            found = desk.audit(root=small.statement, **options)
            assert (found.code, why in found.text) == (verifier.UNREADABLE, True)
    assert taken.read_text() == "mine"
    assert not (small.path / "data" / "new.html").exists()
    lost = desk.audit(root=small.statement, report=tmp_path / "nowhere" / "out.html")
    assert lost.code == verifier.UNREADABLE
    assert "out.html' cannot be written (No such file or directory)\n" in lost.text
    assert (lost.text.splitlines()[-1], "verdict: ok" in lost.text) == ("verdict: no verdict", False)


def test_a_page_that_cannot_be_written_hides_no_worse_verdict(desk: Desk, small: Sealed) -> None:
    (small.path / "data" / "roots.jsonl").write_bytes(b"")
    found = desk.audit(root=small.statement, report=desk.packs / "nowhere" / "out.html")
    assert (found.code, found.text.splitlines()[-1]) == (verifier.TAMPERED, "verdict: tampered")


def test_the_page_says_by_which_rules_items_are_not_as_they_were(desk: Desk, tmp_path: Path) -> None:
    things = [Thing("a"), Thing("b", verdict="failed", rule="too-large")]
    things += [Thing(one, verdict="converted", rule="colour:not-kept,follow-up:completed") for one in "cd"]
    sealed = desk.seal(Pack({ANNA: [section(KEYS[ANNA], things)]}))
    found = desk.audit(root=sealed.statement, report=tmp_path / "out.html")
    assert "rules       'wave-1' converted 2: colour:not-kept,follow-up:completed 2\n" in found.text
    assert "rules       'wave-1' failed 1: too-large 1\n" in found.text
    text = Page(tmp_path / "out.html").text
    rule = "colour:not-kept,follow-up:completed mail 2"
    assert f"{rule} content colour (not kept): a detail of appearance or" in text, "another version's loss"
    assert "failed too-large mail 1" in text
    told = json.loads(desk.audit(root=sealed.statement, json=True).text)["packs"][0]["rules"]
    assert [(row["verdict"], row["items"]) for row in told] == [("converted", 2), ("failed", 1)]


def test_a_verdict_that_needs_no_rule_is_told_without_one(desk: Desk) -> None:
    things = [Thing("a", verdict="withdrawn"), Thing("b", verdict="withdrawn"), Thing("c", verdict="match")]
    lone = desk.audit(root=desk.seal(Pack({ANNA: [section(KEYS[ANNA], things)]})).statement).text
    assert "rules       'wave-1' withdrawn 2\n" in lone
    things.append(Thing("d", verdict="withdrawn", rule="not-ours"))
    some = desk.audit(root=desk.seal(Pack({ANNA: [section(KEYS[ANNA], things)]})).statement).text
    assert "rules       'wave-1' withdrawn 3: not-ours 1, without a rule 2\n" in some


def test_rules_without_number_do_not_fill_the_memory(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "MOST_RULES", 3)
    things = [Thing(f"{one}", verdict="failed", rule=f"code-{one}") for one in range(9)]
    sealed = desk.seal(Pack({ANNA: [section(KEYS[ANNA], things)]}))
    assert "failed 9: (other rules) 6, " in desk.audit(root=sealed.statement).text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"pubkey": "nowhere"}, "--pubkey 'nowhere' cannot be read (No such file or directory)"),
        ({"pubkey": "text"}, "--pubkey 'text' is not a public key"),
        ({"tsa_root": "text"}, "--tsa-root 'text' is not a file of certificates (PEM)"),
        ({"proof": "text", "message_id": "<a>", "keys": "text"}, "--keys 'text' is not the key of a mailbox"),
        ({"root": "12"}, "argument --root: it must have 64 hexadecimal digits"),
        ({"sample": "0"}, "argument --sample: it must be a number from 1 to 10000"),
        ({"sample": "3", "word": "\udcff"}, "argument --word: it must be text that can be printed"),
        ({"sheet": "new.csv"}, "--workload, --word and --sheet go with --sample"),
        ({"pubky": "operator.pub"}, "'--pubky' is no option; do you mean --pubkey?"),
        ({"keys": "text"}, "--message-id and --keys go together, with --proof"),
    ],
)
def test_wrong_input_is_told_in_words(
    desk: Desk, small: Sealed, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], told: str
) -> None:
    monkeypatch.chdir(desk.packs.parent)
    Path("text").write_text("ed25519:nonsense")
    found = desk.audit(**options)
    assert found.code == verifier.UNREADABLE
    assert told in found.text
    assert "Errno" not in found.text
    assert found.text.endswith("verdict: no verdict\n")


def test_a_folder_that_is_no_pack_is_named_beside_one(desk: Desk, small: Sealed) -> None:
    """An emptied folder of a wave must not be passed over in silence."""
    (desk.packs / "wave-7").mkdir()
    assert "not checked 'packs' 'wave-7': not a pack, not looked at" in desk.audit().text
    told = json.loads(desk.audit(json=True).text)
    assert told["folders"][0]["findings"] == [[verifier.NOT_CHECKED, "'wave-7': not a pack, not looked at"]]


def test_the_workload_and_the_pass_are_named(desk: Desk) -> None:
    def other_number(boxes: dict[str, list[Section]]) -> None:
        boxes[ANNA][1] = with_line(boxes[ANNA][1], "results", 1, lambda line: [edited(line, i=7)])

    sealed = desk.seal(rewritten(one_small(), other_number))
    assert f"mailbox {ANNA}: mail, pass 2: lines are out of order" in desk.audit(root=sealed.statement).text


def test_a_hostile_code_in_a_proof_stays_a_code(desk: Desk, tmp_path: Path) -> None:
    """The operator signs any code that has the form of one."""
    code = "<script>alert('1')</script>"
    sealed = desk.seal(Pack({ANNA: [section(KEYS[ANNA], [Thing("a", verdict="failed", rule=code)])]}))
    one = section(KEYS[ANNA], [Thing("a", verdict="failed", rule=code)])
    path = tmp_path / "proof.json"
    path.write_bytes(proof_in(sealed, one, one.row(ANNA)))
    found = desk.audit(root=sealed.statement, proof=path, report=tmp_path / "out.html")
    assert (found.code, code in found.text) == (verifier.OK, True)
    page = Page(tmp_path / "out.html")
    assert ("script" in page.tags, code in page.text) == (False, True)
