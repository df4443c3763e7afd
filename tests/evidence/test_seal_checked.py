"""What is sealed, as the verifier sees it, which knows nothing of the program."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from sealing import WAVE, Office, office, settled

from ledger.db.rows import LegState
from ledger.inventory import keystore
from model.signing_keys import line_of, read_key

__all__ = ["office", "settled"]
VERIFIER = Path(__file__).parents[2] / "evidence/verifier.py"
OK, TAMPERED, INCOMPLETE, UNANCHORED = range(4)


def verdict(office: Office, *packs: Path, root: str | None = None) -> int:
    """Its exit code. root: the anchor; the newest pack's statement, unless given."""
    public = office.place / "operator.pub"
    public.write_text(line_of(read_key(office.place / "operator.pem")) + "\n")
    anchor = ["--root", root or sha256((packs[-1] / "wave.dsse.json").read_bytes()).hexdigest()]
    command = [sys.executable, VERIFIER, *packs, "--pubkey", public, *anchor]
    return subprocess.run(command, capture_output=True, text=True, check=False).returncode


def test_a_sealed_wave(office: Office) -> None:
    made = office.seal()
    assert verdict(office, made.pack) == OK
    assert verdict(office, made.pack, root=made.seal.root.hex()) == UNANCHORED, "of the items alone"
    assert verdict(office, made.pack, root="0" * 64) == TAMPERED


def test_a_row_of_corrections(office: Office) -> None:
    made = [office.seal(reason=reason) for reason in (None, "a rule was wrong", "and another")]
    packs, anchor = [one.pack for one in made], made[-1].seal.statement.hex()
    assert verdict(office, *packs, root=anchor) == OK, "the newest statement anchors those before it"
    assert verdict(office, packs[0], packs[2], root=anchor) == INCOMPLETE, "the one between is missing"


def test_an_incomplete_pack(office: Office) -> None:
    ledger = office.ledger()
    ledger.requeue(rejected=True, states=list(LegState))
    made = office.seal(ledger, incomplete=True)
    ledger.close()
    assert verdict(office, made.pack) == INCOMPLETE


def test_what_was_sealed_outlives_its_keys(office: Office) -> None:
    made = office.seal()
    ledger = office.ledger()
    for row in ledger.mailboxes(WAVE):
        assert keystore.destroy(ledger.engine, row.id, "D. P. Officer", "asked for")
    ledger.close()
    assert verdict(office, made.pack) == OK


@pytest.mark.parametrize(
    "name", ["data/results", "data/inventory", "data/roots.jsonl", "manifest-sha256.txt"]
)
def test_a_pack_that_somebody_changed(office: Office, name: str) -> None:
    made = office.seal()
    path = made.pack / name
    file = sorted(path.iterdir())[0] if path.is_dir() else path
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert verdict(office, made.pack) == TAMPERED
