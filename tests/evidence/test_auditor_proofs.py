"""Proofs of one message, checked by the one file alone, and held against packs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from auditing import KEY, Desk
from packs import ANNA, BERT, KEYS, Pack, Sealed, Thing, section, two_mailboxes

from evidence import verifier
from evidence.message_proof import find
from evidence.pack_reader import MailboxKey

GIVEN = "<0@old.example>"


@pytest.fixture
def sealed(desk: Desk) -> Sealed:
    for name, key in KEYS.items():
        (desk.key.parent / f"{name}.key").write_text(json.dumps({"mailbox": name, "key": key.hex()}))
    return desk.seal()


def proof(desk: Desk, sealed: Sealed, message_id: str = GIVEN, mailbox: str = ANNA) -> Path:
    path = desk.key.parent / f"proof-{len(list(desk.key.parent.iterdir()))}.json"
    document = find(sealed.path, message_id, MailboxKey(mailbox, KEYS[mailbox])).document()
    path.write_text(json.dumps(document, indent=1))
    return path


def check(desk: Desk, path: Path, **options: object) -> tuple[int, str]:
    """Without any pack: an option comes first, and no place."""
    arguments = ["--proof", str(path), "--pubkey", str(desk.key)]
    found = desk.audit_with(
        [*arguments, *(f"--{name.replace('_', '-')}={one}" for name, one in options.items())]
    )
    return found.code, found.text


def test_a_proof_holds_without_its_pack(desk: Desk, sealed: Sealed) -> None:
    path = proof(desk, sealed)
    sealed.path.rename(desk.packs.parent / "elsewhere")
    code, text = check(desk, path)
    assert code == verifier.UNANCHORED
    assert f"{ANNA}, mail, pass 1, line 1 of 11: match; at the target it is 1700000000:1" in text
    for root in (sealed.root, sealed.statement.upper()):
        assert check(desk, path, root=root)[0] == verifier.OK
    code, text = check(desk, path, root="0" * 64)
    assert (code, "of another wave than --root names" in text) == (verifier.TAMPERED, True)


def test_what_became_of_an_item_that_did_not_arrive_is_proven_too(desk: Desk, sealed: Sealed) -> None:
    code, text = check(desk, proof(desk, sealed, "<large@old.example>"), root=sealed.statement)
    assert code == verifier.OK
    assert "failed (too-large); it is not at the target" in text


def test_only_the_key_shows_whose_message_it_is(desk: Desk, sealed: Sealed) -> None:
    path, keys = proof(desk, sealed), {name: desk.key.parent / f"{name}.key" for name in KEYS}
    assert "of which message it is (that takes --message-id" in check(desk, path, root=sealed.root)[1]
    for given in (GIVEN, "0@old.example", " <0@old.\n example> "):
        assert check(desk, path, root=sealed.root, message_id=given, keys=keys[ANNA])[0] == verifier.OK
    for given, key in (("<1@old.example>", keys[ANNA]), (GIVEN, keys[BERT])):
        code, text = check(desk, path, root=sealed.root, message_id=given, keys=key)
        assert (code, "it is of another message, or mailbox" in text) == (verifier.TAMPERED, True)


def test_a_proof_is_held_against_the_packs_beside_it(desk: Desk, sealed: Sealed) -> None:
    path = proof(desk, sealed)
    assert desk.audit(proof=path, root=sealed.statement).code == verifier.OK
    assert desk.audit(proof=path).code == verifier.UNANCHORED
    other = desk.copy(sealed, "other")
    again = Pack(two_mailboxes(), change={"configuration": "1" * 64}).write(other, KEY)
    swapped = desk.audit(other, proof=path, root=again.statement)
    assert (swapped.code, "it is of another pack than these" in swapped.text) == (verifier.TAMPERED, True)


def test_every_part_of_a_proof_is_checked(desk: Desk, sealed: Sealed) -> None:
    whole = json.loads(proof(desk, sealed).read_text())
    other = json.loads(proof(desk, sealed, "<large@old.example>").read_text())
    path = desk.key.parent / "other.json"
    item, others = whole["items"][0], other["items"][0]
    wrong: list[dict[str, Any]] = [
        {**whole, "items": []},
        {**whole, "items": [{**item, "inventory": others["inventory"]}]},
        {**whole, "items": [{**item, "results": others["results"]}]},
        {**whole, "items": [{**item, "section": {**item["section"], "index": 1}}]},
        {**whole, "items": [{**item, "results": {**item["results"], "index": True}}]},
        {**whole, "items": [{**item, "results": {**item["results"], "path": item["results"]["path"][:-1]}}]},
        {**whole, "items": [{**item, "results": {**item["results"], "path": ["00"] * 4}}]},
        {**whole, "items": [{**item, "results": {**item["results"], "line": "{}\n{}"}}]},
        {**whole, "items": [{**item, "results": {**item["results"], "line": 5}}]},
        {**whole, "items": None},
        {**whole, "statement": whole["statement"].replace("A", "B", 1)},
        {name: value for name, value in whole.items() if name != "statement"},
    ]
    for document in wrong:
        path.write_text(json.dumps(document))
        assert check(desk, path, root=sealed.statement)[0] == verifier.TAMPERED, document


@pytest.mark.parametrize("text", ["", "{}", "[]", "x" * 50, '{"kind":"something"}'])
def test_what_is_no_proof_gets_no_verdict(desk: Desk, sealed: Sealed, text: str) -> None:
    path = desk.key.parent / "no.json"
    path.write_text(text)
    code, told = check(desk, path, root=sealed.statement)
    assert (code, "it is no proof" in told) == (verifier.UNREADABLE, True)
    assert check(desk, path.with_name("nowhere"))[0] == verifier.INCOMPLETE


def test_a_message_that_is_there_twice_is_proven_twice(desk: Desk) -> None:
    things = [Thing("a", message_id="<t@old.example>"), Thing("b", message_id="<t@old.example>")]
    sealed = desk.seal(Pack({ANNA: [section(KEYS[ANNA], things)]}))
    code, text = check(desk, proof(desk, sealed, "<t@old.example>"), root=sealed.statement)
    assert (code, text.count(": match; at the target it is ")) == (verifier.OK, 2)
