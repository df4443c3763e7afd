"""`kogge explain`: every code has a meaning, a cause, advice and a page; a mistyped one gets suggestions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run

from engine.control.code_book import (
    AREAS,
    CODES,
    FIDELITY,
    REFERENCE,
    entries,
    find,
    suggestions,
    unknown_code,
)
from engine.control.remedies import ADVICE, STAYS
from ledger.db.rows import LegState, Phase, State
from mappings.losses.catalogue import LOSSES, SKIPS

ROOT = Path(__file__).parents[3]


def test_every_code_state_and_loss_is_explained() -> None:
    shown = {one.code for one in entries()}
    losses = {f"{field} {reason}" for field, reason in LOSSES}
    states = {*LegState, *Phase, *(state.name.lower() for state in State)}
    assert not {*ADVICE, *SKIPS, *STAYS, *losses, *states} - shown


def test_every_code_says_what_why_and_what_to_do() -> None:
    lacking = [
        one for one in entries() if one.area in CODES and not (one.meaning and one.cause and one.advice)
    ]
    assert lacking == []
    for one in entries():
        for said in (one.meaning, one.cause):
            assert not said or ((said[0].isupper() or said[0] == "`") and said.endswith(".")), one.code


@pytest.mark.parametrize("page", sorted({one.page for one in entries()}))
def test_each_page_exists(page: str) -> None:
    assert (ROOT / page).is_file()
    assert page not in (REFERENCE, FIDELITY) or "`" in (ROOT / page).read_text()


def test_a_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "quota-too-small") == 0
    shown = capsys.readouterr().out
    assert "quota-too-small  A mailbox is blocked" in shown
    for label in ("means", "because", "do", "read"):
        assert f"  {label} " in shown


@pytest.mark.parametrize(
    "words", [("follow-up-completed",), ("flags", "follow-up-completed"), ("flags/follow-up-completed",)]
)
def test_a_loss_is_found_as_it_is_shown(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "--json", *words) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["code"] == "flags follow-up-completed"
    assert "follow-up flag" in one["meaning"]


def test_all_are_listed_by_area(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain") == 0
    shown = capsys.readouterr().out
    assert [area for area in AREAS if area in shown.splitlines()] == list(AREAS)
    assert run("explain", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == len(entries())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("quota", ["over-quota", "sieve-quota", "quota-too-small"]),
        ("login-refsed", ["login-refused"]),
        ("Unreachabel", ["unreachable"]),
    ],
)
def test_a_mistyped_code_gets_suggestions(
    typed: str, meant: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert suggestions(typed)[: len(meant)] == meant
    assert run("explain", typed) == 2
    assert all(code in capsys.readouterr().err for code in meant[:1])


def test_nonsense_is_told_where_the_codes_are() -> None:
    assert unknown_code("xyzzyx") == "unknown; `kogge explain` lists every code"
    assert find("xyzzyx") == find("") == []


def test_several_codes_are_explained_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "canary-failed", "directory-disagrees", "--json") == 0
    assert {one["code"] for one in json.loads(capsys.readouterr().out)} == {
        "canary-failed",
        "directory-disagrees",
    }
    assert run("explain", "canary-failed", "directory-disagree") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "directory-disagree: unknown; did you mean directory-disagrees?" in told
