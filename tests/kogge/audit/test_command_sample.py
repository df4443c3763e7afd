"""`kogge audit sample`, and what `verify` and `verifier` write into files."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from auditing import Desk
from commands import run
from packs import ANNA, KEYS, Sealed, sha

from evidence import verifier
from evidence.message_proof import find
from evidence.pack_reader import MailboxKey

Said = Callable[[], str]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return Desk(tmp_path)


@pytest.fixture
def sealed(desk: Desk) -> Sealed:
    return desk.seal()


SAMPLE = ("audit", "sample", "packs/wave-1", "--pubkey", "operator.pub")


def test_a_sample_is_a_sheet_to_fill_in_and_a_page_to_print(
    desk: Desk, sealed: Sealed, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("sheets").mkdir()
    options = ("--n", "5", "--word", "7 3", "--root", sealed.statement, "--out", "sheets")
    assert run(*SAMPLE, *options) == 0
    rows = list(csv.DictReader(Path("sheets/sample.csv").read_text().splitlines()))
    shown = capsys.readouterr().out
    assert "work sheet: sheets/sample.csv, and sheets/sample.html to print" in shown
    assert re.search(
        r"at most \(confidence\) of the \d+ that arrived are: 36.9% \(90%\), 45.1% \(95%\)", shown
    )
    own = desk.audit(sample=5, word="7 3", root=sealed.statement, json=True)
    assert rows[0]["ticket"] == json.loads(own.text)["sample"]["items"][0]["ticket"]
    assert "verify_kogge.py" in Path("sheets/sample.html").read_text()


def test_a_sample_is_never_drawn_over_another(desk: Desk, sealed: Sealed, said: Said) -> None:
    assert run(*SAMPLE, "--n", "5", "--root", sealed.statement) == 0
    first = Path("sample.csv").read_bytes()
    said()
    assert run(*SAMPLE, "--n", "6", "--root", sealed.statement) == 4
    assert "--report 'sample.html' is there already" in said()
    assert Path("sample.csv").read_bytes() == first


@pytest.mark.parametrize(
    "options",
    [("--n", "0"), ("--workload", "letters"), ("--root", "1"), ("--out", "nowhere"), ("--word", "")],
)
def test_misuse_of_sample_is_no_verdict(
    desk: Desk, sealed: Sealed, said: Said, options: tuple[str, ...]
) -> None:
    assert run(*SAMPLE, *options) == 4
    assert "Traceback" not in said()


def test_verify_takes_a_proof_and_writes_a_page(desk: Desk, sealed: Sealed, said: Said) -> None:
    found = find(sealed.path, "<0@old.example>", MailboxKey(ANNA, KEYS[ANNA]))
    Path("proof.json").write_text(json.dumps(found.document()))
    verify = ("audit", "verify", "packs", "--pubkey", "operator.pub", "--root", sealed.statement)
    assert run(*verify, "--proof", "proof.json", "--report", "out.html") == 0
    assert "'proof.json' proof: m-0000000a, mail, pass 1, line 1 of 11: match" in said()
    assert "Verdict: ok" in Path("out.html").read_text()
    Path("proof.json").write_text("{}")
    assert run(*verify, "--proof", "proof.json") == 4


def test_the_verifier_is_written_with_its_hash(desk: Desk, said: Said) -> None:
    assert run("audit", "verifier", "--out", "verify_kogge.py") == 0
    source = Path(verifier.__file__).read_bytes()
    assert Path("verify_kogge.py").read_bytes() == source
    shown = said()
    assert f"{sha(source)} verify_kogge.py" in shown
    assert "docs/verifier.sha256" in shown
    assert run("audit", "verifier", "--out", "verify_kogge.py") == 2
    assert "--out: verify_kogge.py cannot be written" in said()
