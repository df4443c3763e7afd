"""`kogge audit seal`, `show`, `keys`: what a person types, is told, and is refused."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from commands import run
from sealing import KEK, SEAL, SECRETS, WAVE, Office, place, raw, settled, stated
from services import NEEDS_OPENSSL

from engine.config.load import load
from ledger.db.rows import LegState
from ledger.inventory import keystore
from ledger.views.seal_chain import Seals
from model.errors import Blocked
from reports.read import read

__all__ = ["place", "settled"]


def test_a_wave_is_sealed_and_what_to_do_then_is_told(place: Office, said) -> None:
    assert run(*SEAL) == 0
    shown = said()
    root = stated(place.pack)["root"]
    statement = sha256((place.pack / "wave.dsse.json").read_bytes()).hexdigest()
    assert shown.index(f"statement {statement}") < shown.index("print the statement's hash")
    assert "wave w is sealed as number 1: 25 items" in shown
    assert root in shown
    assert "protocol of acceptance" in shown
    assert (
        "curl -H 'Content-Type: application/timestamp-query' --data-binary @evidence/wave-w/wave.tsq" in shown
    )
    assert [word for word in SECRETS if word in shown] == []


def test_for_scripts(place: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SEAL, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pack"] == "evidence/wave-w"
    assert (told["number"], told["items"], told["root"]) == (1, 25, stated(place.pack)["root"])
    assert run("audit", "show", "evidence/wave-w", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["statement"] == told["statement"]
    assert shown["checked"] is shown["stamped"] is False
    assert sum(shown["by_section"]["files"].values()) == 9


def test_a_dry_run_writes_nothing(place: Office, said) -> None:
    before = raw(place.place / "kogge-state")
    assert run("audit", "seal", "--wave", WAVE, "--dry-run") == 0
    assert "2 of 2 mailboxes have something to seal" in said()
    assert not place.out.exists()
    assert raw(place.place / "kogge-state")["ledger.db"] == before["ledger.db"]


def test_a_second_seal_changes_nothing(place: Office, said) -> None:
    assert run(*SEAL) == 0
    before = raw(place.pack)
    said()
    assert run(*SEAL) == 0
    shown = said()
    assert "wave w is sealed already, as seal 1 of " in shown
    assert "evidence/wave-w. Nothing changed since." in shown
    assert run(*SEAL[:-1], "elsewhere") == 2
    shown = said()
    assert "nothing changed since then, but its pack is not in" in shown
    assert "--out elsewhere --correct 'why" in shown
    assert run(*SEAL, "--dry-run") == 0
    assert "its pack is evidence/wave-w: the run would change nothing" in said()
    assert raw(place.pack) == before
    assert not (place.place / "elsewhere").exists()
    assert [path.name for path in place.out.iterdir()] == ["wave-w"]


def test_a_wave_that_went_on_says_so(
    place: Office, said, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*SEAL) == 0
    run("status")
    assert "changed since it was sealed" not in said()
    ledger = place.ledger()
    ledger.requeue(states=[LegState.VERIFIED])
    assert run(*SEAL) == 2
    assert (
        "it changed since then. A pack in its place: kogge audit seal --wave w --key operator.pem" in said()
    )
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "80")
    run("status", "--wave", WAVE)
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "changed since it was sealed" in one]
    where, command = line.split(" sealed: kogge ")
    assert where == "w: changed since it was"
    seal = read(ledger, WAVE).seal
    assert seal is not None
    assert (seal.changed, seal.complete) == (True, True)
    assert run(*SEAL, "--incomplete", "--correct", "it goes on") == 0
    said()
    assert run(*shlex.split(command), "--incomplete") == 0, "it can be typed as it was told"
    assert "wave w is sealed as number 3" in said()
    seal = read(ledger, WAVE).seal
    assert seal is not None
    assert (seal.changed, seal.complete) == (False, False)
    ledger.close()


def test_a_correction_says_why(place: Office, said) -> None:
    assert run(*SEAL, "--correct", "too early") == 2
    assert "never sealed" in said()
    assert run(*SEAL) == 0
    assert run(*SEAL, "--correct", " ") == 2
    assert run(*SEAL, "--correct", "Anna <anna@old.example> asked") == 2
    shown = said()
    assert "names an address" in shown
    assert "anna@" not in shown
    for hidden in ("anna\uff20old.example", "anna (AT) old.example", "@anna asked"):
        assert run(*SEAL, "--correct", hidden) == 2
        shown = said()
        assert "--correct: names an address" in shown
        assert "anna" not in shown
    assert run(*SEAL, "--correct", "two mails came late") == 0
    assert "number 2" in said()
    assert stated(place.out / "wave-w-seal-2")["corrects"]["reason"] == "two mails came late"
    assert run("audit", "show", "evidence/wave-w-seal-2") == 0
    shown = said()
    assert "corrects seal 1: two mails came late" in shown
    assert re.search(r"in use 0 of (\d+) mailbox(es)?, \1 staging", shown)


def test_what_is_not_finished_is_not_sealed(place: Office, said) -> None:
    ledger = place.ledger()
    ledger.requeue(states=[LegState.VERIFIED])
    ledger.close()
    assert run(*SEAL) == 1
    shown = said()
    assert "2 workloads are pending (not-verified)" in shown
    assert "kogge status --wave w" in shown
    assert not place.out.exists()
    assert run(*SEAL, "--dry-run") == 1
    said()
    assert run(*SEAL, "--incomplete") == 0
    assert "Incomplete: 2 workloads" in said()
    assert run("audit", "show", "evidence/wave-w") == 0
    assert "INCOMPLETE 2 workloads are pending (not-verified)" in said()


def test_what_somebody_works_on_is_not_sealed(place: Office, said) -> None:
    ledger = place.ledger()
    leg, *_ = ledger.legs(WAVE)
    assert ledger.claim(leg.id, "worker", 60) is not None
    ledger.close()
    for options in ((), ("--incomplete",)):
        assert run(*SEAL, *options) == 1
        shown = said()
        assert leg.mailbox in shown
        assert "somebody works on it" in shown
    assert not place.out.exists()


def test_an_interrupted_seal_is_finished_by_the_same_command(place: Office, said) -> None:
    """It died between the ledger's commit and the pack's name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evidence.pack_resume.Progress.publish", _dies)
        with pytest.raises(KeyboardInterrupt):
            place.seal()
    assert not place.pack.exists()
    assert run(*SEAL[:-1], "elsewhere") == 2, "another place knows nothing of it"
    assert "Give the --out of that time" in said()
    assert run(*SEAL, "--dry-run") == 0
    assert "the same command signs its pack and gives it its name" in said()
    assert not place.pack.exists()
    assert run(*SEAL) == 0
    assert "An interrupted run had sealed it" in said()
    assert place.pack.is_dir()
    ledger = place.ledger()
    assert len(Seals(ledger).all()) == 1
    ledger.close()


def _dies(*_given: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--wave", "nobody"), "--wave"),
        (("--key", "evidence.key"), "no private key"),
        (("--key", "missing.pem"), "cannot be read"),
        (("--out", "kogge.toml"), "cannot be written"),
    ],
)
def test_wrong_input(place: Office, said, options: tuple[str, str], told: str) -> None:
    given = dict(zip(SEAL[2::2], SEAL[3::2], strict=True)) | dict([options])
    assert run("audit", "seal", *(word for pair in given.items() for word in pair)) == 2
    shown = said()
    assert told in shown
    assert "Traceback" not in shown


def test_without_the_key_of_keys_no_other_is_made(place: Office, said) -> None:
    (place.place / "evidence.key").unlink()
    assert run(*SEAL) == 2
    assert "evidence.key: no such file" in said()
    assert not (place.place / "evidence.key").exists()


def test_show_of_what_is_no_pack(place: Office, said) -> None:
    assert run("audit", "show", "nowhere") == 2
    assert said() == "PACK: there is no directory nowhere"
    assert run(*SEAL) == 0
    said()
    assert run("audit", "show", "evidence") == 2
    assert said() == "PACK: evidence is no pack, for it has no wave.dsse.json: give one like wave-NAME"
    (place.pack / "wave.dsse.json").write_text('{"payload": "e30="}')
    assert run("audit", "show", "evidence/wave-w") == 2
    assert "is not what `kogge audit seal` wrote" in said()


def test_show_says_what_is_stated_and_that_nothing_is_checked(place: Office, said) -> None:
    assert run(*SEAL) == 0
    (place.pack / "wave.tsr").write_bytes(b"a reply")
    said()
    assert run("audit", "show", "evidence/wave-w") == 0
    shown = said()
    assert re.search(r"files 8 2 1 1 1 2 1 1 ", shown), "items, then verdicts"
    assert "wave.tsr is there" in shown
    assert "match copied, read back from the target, and found equal" in shown
    assert "(its hash: the one for the protocol of acceptance)" in shown
    assert "Nothing of this was checked." in shown
    assert "kogge audit verify evidence/wave-w --pubkey operator.pub --root HEX --report check.html" in shown


# Keys


def mailbox_of(office: Office) -> str:
    ledger = office.ledger()
    number = ledger.mailboxes(WAVE)[0].id
    ledger.close()
    return number


def test_a_key_of_keys_is_made_once(place: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit", "keys", "create") == 0
    assert len(b64decode(capsys.readouterr().out)) == 32
    assert run("audit", "keys", "create", "--out", "new.key") == 0
    path = place.place / "new.key"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert len(b64decode(text)) == 32
    assert text.strip() not in capsys.readouterr().out
    assert run("audit", "keys", "create", "--out", "new.key") == 2
    assert path.read_text() == text
    with (place.place / "kogge.toml").open("a") as file:
        file.write('[evidence]\nkey = { file = "new.key" }\n')
    assert load(place.place / "kogge.toml").evidence.key is not None
    assert run(*SEAL) == 2, "it is another one than this ledger's"


def test_a_mailbox_s_key_is_given_out_and_that_is_recorded(place: Office, said) -> None:
    number = mailbox_of(place)
    command = ("audit", "keys", "export", "--mailbox", number, "--out", "one.key")
    assert run(*command) == 2, "nobody said who"
    assert run(*command, "--by", "A. Auditor") == 0
    path = place.place / "one.key"
    assert path.stat().st_mode & 0o777 == 0o600
    given = json.loads(path.read_text())
    ledger = place.ledger()
    with ledger.engine.connect() as connection:
        assert bytes.fromhex(given["key"]) == keystore.key_of(connection, number, KEK)
    assert given["mailbox"] == number
    assert given["key"] not in said()
    last = ledger.events(WAVE)[-1]
    assert (last.kind, last.subject, last.detail) == ("evidence-key-exported", number, {"by": "A. Auditor"})
    assert run(*command, "--by", "A. Auditor") == 2, "it stays as it is"
    assert len(ledger.events(WAVE)) == last.seq
    ledger.close()


def test_a_mailbox_s_key_is_destroyed_for_good(place: Office, said) -> None:
    assert run(*SEAL) == 0
    before = raw(place.pack)
    number = mailbox_of(place)
    command = ("audit", "keys", "destroy", "--mailbox", number, "--by", "D. P. Officer")
    assert run(*command, "--yes") == 2, "nobody said why"
    assert run(*command, "--reason", "Art. 17") == 2, "nobody can be asked here"
    said()
    assert run(*command, "--reason", "anna@old.example asked", "--yes") == 2
    assert "--reason: names an address" in said()
    export = ("audit", "keys", "export", "--mailbox", number, "--out", "given.key", "--by", "A. Auditor")
    assert run(*export) == 0
    assert run(*command, "--reason", "Art. 17", "--yes") == 0
    assert f"kogge log w --mailbox {number} names who got one (evidence-key-exported)" in said()
    assert run("log", WAVE) == 0
    assert re.search(rf"evidence-key-exported {number} by: A. Auditor", said())
    assert run(*command, "--reason", "Art. 17", "--yes") == 2
    assert "destroyed before" in said()
    assert run("audit", "keys", "export", "--mailbox", number, "--out", "one.key", "--by", "A") == 1
    assert not (place.place / "one.key").exists()
    ledger = place.ledger()
    with ledger.engine.connect() as connection, pytest.raises(Blocked, match="evidence-key-destroyed"):
        keystore.key_of(connection, number, KEK)
    assert ledger.events(WAVE)[-1].kind == "evidence-key-destroyed"
    ledger.close()
    assert raw(place.pack) == before, "what was sealed stays, and verifies"
    assert run(*SEAL, "--correct", "once more") == 1, "it can no longer be sealed as a whole"


@NEEDS_OPENSSL
def test_openssl_reads_the_request_and_the_signature(place: Office, tmp_path: Path) -> None:
    place.seal()
    stamp = place.pack / "wave.tsq"
    done = subprocess.run(
        ["openssl", "ts", "-query", "-data", place.pack / "wave.dsse.json", "-sha256", "-no_nonce", "-cert"],
        capture_output=True,
        check=True,
    )
    assert stamp.read_bytes() == done.stdout
    envelope = json.loads((place.pack / "wave.dsse.json").read_bytes())
    payload = b64decode(envelope["payload"])
    (tmp_path / "over").write_bytes(b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload)
    (tmp_path / "sig").write_bytes(b64decode(envelope["signatures"][0]["sig"]))
    check = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-rawin",
        "-inkey",
        "operator.pem",
        "-sigfile",
        tmp_path / "sig",
    ]
    subprocess.run([*check, "-in", tmp_path / "over"], capture_output=True, check=True)
