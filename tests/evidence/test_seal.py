"""Sealing a wave: what is in the pack, that it adds up, and that nobody who dies in between changes it."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from merkle_roots import root_of
from sealing import KEK, SECRETS, WAVE, Office, contents, office, raw, rows, section, settled, stated

from evidence import seal
from evidence.seal import outlook
from ledger.db.rows import LegState, State
from ledger.inventory import keystore
from ledger.inventory.lines import VERDICTS
from ledger.views.seal_chain import Seals
from model.errors import Corrupt, Transient
from model.kinds import Kind
from model.signing_keys import line_of, read_key

__all__ = ["office", "settled"]


def hmac(key: bytes, label: bytes, data: bytes) -> str:
    """As the contract says, and not as the program does it."""
    inner, outer = (
        bytes(b ^ 0x36 for b in key.ljust(64, b"\0")),
        bytes(b ^ 0x5C for b in key.ljust(64, b"\0")),
    )
    first = hashlib.sha256(inner + label + b"\0" + data).digest()
    return hashlib.sha256(outer + first).digest()[:16].hex()


def test_what_a_wave_s_pack_says_of_each_fate(office: Office) -> None:
    office.seal()
    files = section(office.pack, "results", Kind.FILES)
    assert [(row["verdict"], row["rule"]) for row in files] == [
        ("match", None),
        ("normalised", "rebuilt"),
        ("converted", "modified:not-kept,shares:person-later"),
        ("skipped", "empty-file"),
        ("failed", "too-large"),
        ("failed", "unverified"),
        ("withdrawn", None),
        ("later", "pass 2"),
        ("match", None),
    ]


def test_which_numbers_go_with_a_fate(office: Office) -> None:
    office.seal()
    told = {}
    for row in rows(office.pack, "results"):
        told.setdefault(row.get("verdict"), row)
    for verdict in ("match", "normalised", "converted"):
        assert told[verdict]["h_src"] == told[verdict]["h_dst"], "it was read back and compared"
    for verdict in ("skipped", "withdrawn", "later"):
        assert {told[verdict][name] for name in ("dst", "h_src", "h_dst", "n_dst")} == {None}
    unread = next(row for row in rows(office.pack, "results") if row.get("rule") == "unverified")
    assert unread["h_src"]
    assert unread["h_dst"] is None, "nobody read it back"


def test_each_item_has_one_fate_and_they_add_up(office: Office) -> None:
    made = office.seal()
    with_ledger = Counter[State]()
    ledger = office.ledger()
    for leg in ledger.summary(WAVE):
        with_ledger.update(leg.counts)
    said = stated(made.pack)
    counts = Counter(row["verdict"] for row in rows(office.pack, "results") if "verdict" in row)
    assert said["verdicts"] == dict(sorted(counts.items()))
    assert said["items"] == counts.total() - counts["later"] == with_ledger.total()
    assert counts["withdrawn"] == with_ledger[State.GONE]
    assert counts["skipped"] == with_ledger[State.SKIPPED]
    assert counts["match"] + counts["normalised"] + counts["converted"] == with_ledger[State.VERIFIED]
    assert counts["later"] >= 2, "the walked mailbox changed meanwhile, too"
    roots = [json.loads(line) for line in contents(made.pack)["data/roots.jsonl"].splitlines()]
    assert sum(row["n"] for row in roots) == counts.total()
    assert said["sections"] == len(roots)
    ledger.close()


def test_results_answer_the_inventory_line_by_line(office: Office) -> None:
    made = office.seal()
    before, after = list(rows(made.pack, "inventory")), list(rows(made.pack, "results"))
    assert [(row.get("i"), row.get("src")) for row in before] == [
        (row.get("i"), row.get("src")) for row in after
    ]
    final = [row["src"] for row in after if row.get("verdict") not in (None, "later")]
    assert len(final) == len(set(final))
    for row in before:
        if "folders" in row:
            assert sum(folder["listed"] for folder in row["folders"]) == row_count(before, row)


def row_count(lines: list[dict[str, Any]], header: dict[str, Any]) -> int:
    rest = lines[lines.index(header) + 1 :]
    return next((place for place, row in enumerate(rest) if "folders" in row), len(rest))


def test_pseudonyms_are_made_as_published(office: Office) -> None:
    """With the mailbox's key, and nothing of the program, a message is found by its Message-ID."""
    made = office.seal()
    ledger = office.ledger()
    with ledger.engine.connect() as connection:
        keys = [keystore.key_of(connection, row.id, KEK) for row in ledger.mailboxes(WAVE)]
    ledger.close()
    number = hashlib.sha256(b"<5@x.example>").digest()[:8]
    mids = {hmac(key, b"mid", number) for key in keys if key}
    found = [row for row in rows(made.pack, "results") if row.get("mid") in mids]
    assert [row["verdict"] for row in found] == ["match"]
    assert found[0]["dst"].replace(":", "").isdigit(), "UIDVALIDITY:UID, in clear"


def test_the_statement_is_signed_over_roots_and_manifest(office: Office) -> None:
    made = office.seal()
    envelope = json.loads((made.pack / "wave.dsse.json").read_bytes())
    payload = b64decode(envelope["payload"])
    kind = envelope["payloadType"]
    assert kind == "application/vnd.in-toto+json"
    private: Any = load_pem_private_key((office.place / "operator.pem").read_bytes(), None)
    over = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    private.public_key().verify(b64decode(envelope["signatures"][0]["sig"]), over)
    statement = json.loads(payload)
    for subject in statement["subject"]:
        data = (made.pack / subject["name"]).read_bytes()
        assert subject["digest"]["sha256"] == hashlib.sha256(data).hexdigest()
    said = statement["predicate"]
    assert said["root"] == root_of(contents(made.pack)["data/roots.jsonl"].splitlines()).hex()
    assert said["configuration"] == hashlib.sha256((office.place / "kogge.toml").read_bytes()).hexdigest()
    assert said["previous"] is said["corrects"] is None
    assert said["incomplete"] == []
    assert list(said) == [
        "wave", "number", "sealed", "tool", "configuration", "mailboxes", "sections", "workloads", "items",
        "verdicts",
        "root", "previous", "corrects", "approvals", "decisions", "score", "phases",
        "incomplete",
    ]  # fmt: skip


def test_the_decisions_stand_in_the_statement(office: Office) -> None:
    made = office.seal()
    ledger = office.ledger()
    before, last = ledger.events(WAVE)[-2:]
    assert last.kind == "evidence-sealed"
    assert last.detail == {
        "number": 1, "root": made.seal.root.hex(), "statement": made.seal.statement.hex(),
        "key": line_of(read_key(office.place / "operator.pem")),
    }  # fmt: skip
    assert stated(made.pack)["decisions"] == {"count": before.seq, "head": before.hash.hex()}
    assert hashlib.sha256((made.pack / "wave.dsse.json").read_bytes()).digest() == made.seal.statement
    ledger.verify_events()
    ledger.close()


def test_nothing_of_a_person_is_in_it(office: Office) -> None:
    made = office.seal()
    ledger = office.ledger()
    id_ = ledger.mailboxes(WAVE)[0].id
    ledger.close()
    files = contents(made.pack)
    envelope = files["wave.dsse.json"]
    files["payload"] = b64decode(json.loads(envelope)["payload"])
    assert any(id_.encode() in data for data in files.values()), "the grep can find what is there"
    for word in SECRETS:
        for form in (word, json.dumps(word)[1:-1], word.casefold()):
            assert [name for name, data in files.items() if form.encode() in data] == [], word
            assert [name for name in files if form in name] == []


def test_a_time_stamp_is_asked_for(office: Office) -> None:
    made = office.seal()
    asked = (made.pack / "wave.tsq").read_bytes()
    assert hashlib.sha256((made.pack / "wave.dsse.json").read_bytes()).digest() in asked


def test_a_correction_is_chained_and_lies_beside(office: Office) -> None:
    first = office.seal()
    before = raw(first.pack)
    second = office.seal(reason="a rule was wrong")
    said = stated(second.pack)
    assert second.pack == office.out / f"wave-{WAVE}-seal-2"
    assert said["number"] == 2
    assert said["previous"] == {
        "number": 1,
        "wave": WAVE,
        "root": first.seal.root.hex(),
        "statement": first.seal.statement.hex(),
    }
    assert said["corrects"] == {
        "number": 1, "statement": first.seal.statement.hex(), "reason": "a rule was wrong"
    }  # fmt: skip
    assert raw(first.pack) == before, "what was sealed stays as it was"
    ledger = office.ledger()
    assert [(one.number, one.corrects) for one in Seals(ledger).all()] == [(1, None), (2, 1)]
    ledger.close()


def test_two_who_seal_at_once_do_not_seal_twice(office: Office) -> None:
    ledger = office.ledger()
    found = outlook(ledger, WAVE)
    office.seal(ledger)
    elsewhere = office.order(out=office.place / "elsewhere")
    with pytest.raises(Transient, match="ledger-changed"):
        seal.write(office.config, ledger, elsewhere, found, lambda: None)
    assert len(Seals(ledger).all()) == 1
    ledger.close()


def test_a_damaged_ledger_is_not_sealed(office: Office) -> None:
    ledger = office.ledger()
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE listed SET body = CAST(substr(body, 26) || substr(body, 1, 25) AS BLOB)"
        )
    with pytest.raises(Corrupt, match="evidence-damaged"):
        office.seal(ledger)
    assert Seals(ledger).all() == []
    ledger.close()


def test_a_destroyed_key_is_named_and_the_others_are_sealed(office: Office) -> None:
    ledger = office.ledger()
    first, second = ledger.mailboxes(WAVE)
    keystore.destroy(ledger.engine, first.id, "D. P. Officer", "asked for")
    found = outlook(ledger, WAVE)
    assert [(one.mailbox, one.code) for one in found.loose] == [(first.id, "evidence-key-destroyed")]
    assert found.ready == [second.id]
    made = office.seal(ledger, incomplete=True)
    said = stated(made.pack)
    assert said["mailboxes"] == 1
    assert [one["mailbox"] for one in said["incomplete"]] == [first.id]
    assert not [name for name in contents(made.pack) if first.id in name]
    ledger.close()


def test_what_is_open_stands_in_an_incomplete_pack(office: Office) -> None:
    ledger = office.ledger()
    ledger.requeue(rejected=True, states=list(LegState))
    assert {one.code for one in outlook(ledger, WAVE).loose} == {"not-verified"}
    made = office.seal(ledger, incomplete=True)
    ledger.close()
    assert ("open", "seen") in {(row.get("verdict"), row.get("rule")) for row in rows(made.pack, "results")}
    said = stated(made.pack)
    assert {(one["state"], one["code"]) for one in said["incomplete"]} == {("pending", "not-verified")}
    assert {row["state"] for row in rows(made.pack, "results") if "state" in row} == {"pending"}
    assert {row["verified"] for row in rows(made.pack, "results") if "state" in row} == {None}


def test_every_field_and_verdict_is_explained(office: Office) -> None:
    made = office.seal()
    guide = (Path(__file__).parents[2] / "docs/evidence.md").read_text()
    words = {*stated(made.pack), *VERDICTS}
    for folder in ("inventory", "results"):
        for row in rows(made.pack, folder):
            words |= set(row) | {name for one in row.get("folders", []) for name in one}
    assert len(words) > 35
    assert sorted(word for word in words if f"`{word}`" not in guide) == []
    files = {re.sub("m-[0-9a-f]+", "MAILBOX", name) for name in raw(made.pack)}
    assert sorted(name for name in files if name not in guide) == []
