"""What lies sealed on the disk is looked at, all of it, before it is signed, named or called sealed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import run
from sealing import SEAL, WAVE, Office, office, place, raw, settled, stated
from walking import Died

from evidence.reseal import NotWhole
from ledger.db.rows import LegState
from ledger.views.seal_chain import Seals
from model.signing_keys import new_key, write_key

__all__ = ["office", "place", "settled"]
DAMAGES = ("changed", "taken", "added", "linked", "roots", "manifest", "tags")
WHERE = {
    "before its signature": "evidence.seal.sign",
    "before its folder's other name": "evidence.pack_resume.Progress.publish",
    "before its own name": "evidence.pack_resume.complete",
}
"""What a run dies in, after its seal is in the ledger."""


def damage(pack: Path, how: str) -> None:
    path = sorted((pack / "data/results").iterdir())[0]
    if how == "added":
        (pack / "data/results/m-more.jsonl.gz").write_bytes(b"x")
    elif how == "taken":
        path.unlink()
    elif how == "linked":
        shutil.move(path, pack.parent.parent.parent / "elsewhere")
        path.symlink_to(pack.parent.parent.parent / "elsewhere")
    else:
        names = {"roots": "data/roots.jsonl", "manifest": "manifest-sha256.txt"}
        names["tags"] = "tagmanifest-sha256.txt"
        path = pack / names[how] if how in names else path
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


def killed(office: Office, where: str) -> Path:
    """The folder that a run leaves which dies after its seal is in the ledger."""

    def die(*_given: object) -> None:
        raise Died

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WHERE[where], die)
        with pytest.raises(Died):
            office.seal()
    (left,) = office.out.iterdir()
    return left


@pytest.mark.parametrize("where", WHERE)
def test_what_was_damaged_meanwhile_is_not_published(office: Office, tmp_path: Path, where: str) -> None:
    left = killed(office, where)
    for how in DAMAGES:
        shutil.copytree(left, tmp_path / "kept", dirs_exist_ok=True)
        damage(left / "pack", how)
        with pytest.raises(NotWhole, match=f"{left.name}: its files were changed or are missing"):
            office.seal()
        assert [path.name for path in office.out.iterdir()] == [left.name], how
        shutil.rmtree(left)
        shutil.copytree(tmp_path / "kept", left)
    made = office.seal()
    assert made.seal.number == 1
    assert [path.name for path in office.out.iterdir()] == [f"wave-{WAVE}"]


@pytest.mark.parametrize("where", WHERE)
def test_a_pack_in_the_place_of_what_was_damaged_before_its_name(
    place: Office, said: Callable[[], str], where: str
) -> None:
    left = killed(place, where)
    damage(left / "pack", "changed")
    assert run(*SEAL) == 2
    shown = said()
    assert f"{left.relative_to(place.place)}: its files were changed or are missing since it was" in shown
    assert "move it away, then make a pack in its place: kogge" in shown
    left.rename(place.place / "away")
    assert run(*shlex.split(shown.split("its place: kogge ")[1])) == 0
    assert stated(place.out / "wave-w-seal-2")["corrects"]["number"] == 1


@pytest.mark.parametrize("how", [*DAMAGES, "statement"])
def test_a_pack_that_was_damaged_is_not_called_sealed(
    place: Office, said: Callable[[], str], how: str
) -> None:
    assert run(*SEAL) == 0
    said()
    if how == "statement":
        (place.pack / "wave.dsse.json").unlink()
    else:
        damage(place.pack, how)
    before = raw(place.pack)
    for options in ((), ("--dry-run",)):
        assert run(*SEAL, *options) == 2
        shown = said()
        assert "evidence/wave-w: its files were changed or are missing since it was sealed: put a" in shown
    assert run(*shlex.split(shown.split("its place: kogge ")[1])) == 0
    assert "sealed as number 2" in said()
    assert raw(place.pack) == before


def seals(office: Office) -> int:
    ledger = office.ledger()
    try:
        return len(Seals(ledger).all())
    finally:
        ledger.close()


def test_the_same_correction_again_changes_nothing(place: Office, said: Callable[[], str]) -> None:
    correct = (*SEAL, "--correct", "a rule was wrong")
    assert run(*SEAL) == 0
    assert run(*correct) == 0
    said()
    assert run(*correct) == 0
    assert "wave w is sealed already, as seal 2 of " in said()
    assert run(*correct, "--dry-run") == 0
    assert "for that reason: the run would change nothing" in said()
    assert seals(place) == 2
    assert run(*SEAL, "--correct", "another") == 0
    write_key(place.place / "other.pem", new_key()[0])
    other = ["other.pem" if word == "operator.pem" else word for word in SEAL]
    assert run(*other, "--correct", "another") == 0
    assert seals(place) == 4, "another reason, another key"
    damage(place.out / "wave-w-seal-4", "changed")
    assert run(*other, "--correct", "another") == 0
    assert seals(place) == 5, "it takes the place of what was damaged"


def test_the_same_reason_of_a_wave_that_went_on(place: Office) -> None:
    correct = (*SEAL, "--incomplete", "--correct", "it goes on")
    assert run(*SEAL) == 0
    assert run(*correct) == 0
    ledger = place.ledger()
    ledger.requeue(states=[LegState.VERIFIED])
    ledger.close()
    assert run(*correct) == 0
    assert seals(place) == 3


def test_evidence_that_was_altered_is_told_though_the_rest_is_sealed(
    place: Office, said: Callable[[], str]
) -> None:
    ledger = place.ledger()
    bad = ledger.mailboxes(WAVE)[0].id
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE evidence_key SET wrapped = zeroblob(40) WHERE mailbox = '{bad}'")
    ledger.close()
    for told in ("is sealed as number 1", "is sealed already"):
        assert run(*SEAL, "--incomplete") == 1
        shown = said()
        assert told in shown
        assert f"Left out (evidence-damaged): what the ledger recorded of {bad} was altered" in shown


def test_what_is_for_people_is_not_on_the_output_for_scripts(
    place: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*SEAL, "--dry-run", "--json") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "2 of 2 mailboxes have something to seal" in told.err
    ledger = place.ledger()
    ledger.requeue(states=[LegState.VERIFIED])
    ledger.close()
    assert run(*SEAL, "--json") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "2 workloads are pending (not-verified)" in told.err
    assert run(*SEAL, "--incomplete", "--json") == 0
    assert json.loads(capsys.readouterr().out)["number"] == 1


def test_a_key_is_not_destroyed_before_its_wave_is_sealed(place: Office, said: Callable[[], str]) -> None:
    ledger = place.ledger()
    first, second = (row.id for row in ledger.mailboxes(WAVE))
    why = ("--by", "D. P. Officer", "--reason", "Art. 17", "--yes")
    assert run("audit", "keys", "destroy", "--mailbox", first, *why) == 2
    shown = said()
    assert "its wave was never sealed; first: kogge audit seal --wave w --key operator.pem. Or" in shown
    assert run(*SEAL) == 0
    ledger.requeue(states=[LegState.VERIFIED], mailbox=second)
    said()
    assert run("audit", "keys", "destroy", "--mailbox", first, *why) == 2
    shown = said()
    assert re.search("changed since it was sealed; first: kogge audit seal .* --correct '", shown)
    assert "evidence-key-destroyed" not in {event.kind for event in ledger.events(WAVE)}
    assert run(*SEAL, "--incomplete", "--correct", "it goes on") == 0
    assert run("audit", "keys", "destroy", "--mailbox", first, *why) == 0
    assert run("audit", "keys", "destroy", "--mailbox", second, *why) == 0, "that changes nothing sealed"
    ledger.close()


def test_a_key_of_what_was_never_sealed_may_be_lost(place: Office) -> None:
    ledger = place.ledger()
    number = ledger.mailboxes(WAVE)[0].id
    ledger.close()
    why = ("--by", "D. P. Officer", "--reason", "Art. 17", "--yes", "--unsealed")
    assert run("audit", "keys", "destroy", "--mailbox", number, *why) == 0
