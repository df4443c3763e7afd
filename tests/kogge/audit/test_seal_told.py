"""What `kogge audit seal` says before it seals, and of another key; every command it names can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import run
from sealing import SEAL, WAVE, Office, place, settled, stated

from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from model.signing_keys import line_of, new_key, read_key, write_key

__all__ = ["place", "settled"]


def typed(shown: str) -> list[str]:
    """The command that comes next, as a shell splits it."""
    (text,) = re.findall(r"(?:Next|missing|workers|then|its place): kogge (audit seal .*)$", shown)
    return shlex.split(text)


def reopen(place: Office) -> None:
    ledger = place.ledger()
    ledger.requeue(states=[LegState.VERIFIED])
    ledger.close()


def test_a_dry_run_says_what_would_be_written(place: Office, said: Callable[[], str]) -> None:
    assert run(*SEAL, "--dry-run") == 0
    shown = said()
    assert "would be written: evidence/wave-w, seal 1" in shown
    assert "needed:" not in shown
    sections, lines = re.findall(r"2 mailboxes, (\d+) sections, (\d+) lines; 0 entries", shown)[0]
    assert not place.out.exists()
    assert run(*typed(shown)) == 0
    stated_ = stated(place.pack)
    assert (stated_["sections"], sum(stated_["verdicts"].values())) == (int(sections), int(lines))


def test_a_dry_run_names_what_is_incomplete_and_what_is_typed_then(
    place: Office, said: Callable[[], str]
) -> None:
    reopen(place)
    ledger = place.ledger()
    row = PlannedMailbox("carla@old.example", "carla@new.example", WAVE, Phase.STAGING, frozenset())
    (bare,) = ledger.add_mailboxes([row])
    names = [f"{leg.mailbox} {leg.workload}" for leg in ledger.legs(WAVE)]
    ledger.close()
    assert run(*SEAL, "--dry-run") == 1
    shown = said()
    assert f"1 mailbox has no workload (no-inventory) {bare}" in shown
    assert all(name in shown for name in names)
    assert "needed: --incomplete" in shown
    assert "kogge status --wave w" in shown
    assert run(*SEAL, "--incomplete", "--dry-run") == 0
    assert run(*SEAL) == 1
    assert run(*typed(shown)) == 0


def test_a_dry_run_names_a_correction_that_is_needed(place: Office, said: Callable[[], str]) -> None:
    assert run(*SEAL) == 0
    reopen(place)
    said()
    assert run(*SEAL, "--incomplete", "--dry-run") == 1
    shown = said()
    assert "needed: --correct REASON" in shown
    assert "it changed since then" in shown
    assert "would be written: evidence/wave-w-seal-2, seal 2, in place of seal 1" in shown
    assert run(*typed(shown)) == 0
    assert stated(place.out / "wave-w-seal-2")["corrects"]["number"] == 1
    reopen(place)
    assert run(*SEAL, "--dry-run", "--correct", "too early") == 1, "not all is accounted for"
    assert run(*SEAL, "--incomplete", "--dry-run", "--correct", "too early") == 0


def test_a_dry_run_names_a_key_of_keys_that_is_missing(place: Office, said: Callable[[], str]) -> None:
    (place.place / "evidence.key").unlink()
    assert run(*SEAL, "--dry-run") == 1
    shown = said()
    assert "needed: the key of keys: " in shown
    assert "evidence.key: no such file" in shown
    assert not (place.place / "evidence.key").exists()


def test_a_dry_run_names_what_is_in_the_way(place: Office, said: Callable[[], str]) -> None:
    place.pack.mkdir(parents=True)
    assert run(*SEAL, "--dry-run") == 1
    assert "evidence/wave-w is there already, and is none of this ledger's" in said()
    assert run(*SEAL) == 2


def test_the_command_to_type_has_all_that_was_given(place: Office, said: Callable[[], str]) -> None:
    reopen(place)
    (place.place / "kogge.toml").rename(place.place / "other.toml")
    assert run("audit", "seal", "-w", WAVE, "-c", "other.toml", "--key", "operator.pem", "--out", "a b") == 1
    words = typed(said())
    assert words == [
        "audit", "seal", "--wave", WAVE, "--key", "operator.pem", "--out", "a b", "--incomplete",
        "-c", "other.toml",
    ]  # fmt: skip
    assert run(*words) == 0


def test_an_incomplete_pack_does_not_stand_for_the_whole_wave(place: Office, said: Callable[[], str]) -> None:
    reopen(place)
    assert run(*SEAL, "--incomplete") == 0
    said()
    assert run(*SEAL, "--incomplete") == 0
    assert "That pack is incomplete" not in said()
    assert run(*SEAL) == 1
    assert "That pack is incomplete. Finish the wave (kogge status --wave w), then: kogge" in said()
    assert run(*SEAL, "--dry-run") == 1


@pytest.fixture
def other(place: Office) -> str:
    """Another operator's key; its public half."""
    write_key(place.place / "other.pem", new_key()[0])
    return line_of(read_key(place.place / "other.pem"))


def test_another_key_than_before_is_told(
    place: Office, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = line_of(read_key(place.place / "operator.pem"))
    again = (*SEAL, "--correct", "once more")
    assert run(*SEAL) == 0
    assert run(*again) == 0
    assert "Warning" not in capsys.readouterr().err
    changed = tuple("other.pem" if word == "operator.pem" else word for word in again)
    assert run(*changed, "--dry-run") == 0
    assert other in capsys.readouterr().out
    assert run(*changed) == 0
    told = capsys.readouterr()
    assert "Warning: another key than that of seal 2 (wave w)." in told.err
    assert mine in told.err
    assert other in told.err
    assert "Warning" not in told.out
    Path("operator.pub").write_text(mine + "\n")
    Path("other.pub").write_text(other + "\n")
    keys = ("--pubkey", "operator.pub", "--pubkey", "other.pub")
    assert run("audit", "verify", "evidence", *keys) == 3, "the row holds; nothing anchors it"
    assert run(*changed) == 0
    assert "Warning" not in capsys.readouterr().err


def test_what_is_sealed_already_with_another_key_is_not_sealed_by_this(
    place: Office, other: str, said: Callable[[], str]
) -> None:
    assert run(*SEAL) == 0
    said()
    assert run(*("other.pem" if word == "operator.pem" else word for word in SEAL)) == 2
    shown = said()
    assert "--key: is not the one that the wave is sealed with already" in shown
    assert other in shown
