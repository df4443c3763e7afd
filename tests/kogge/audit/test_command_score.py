"""`kogge score`, and who answers for a low one: a ledger with mailboxes of every rating."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commands import run
from sqlalchemy import insert, update

from engine.approvals.low_score_approval import record, unaccepted
from engine.approvals.score import scores
from ledger.db.rows import LegState, Phase, State
from ledger.db.schema import container, item, leg, loss, mailbox
from ledger.leg.cutover_steps import FAILED, Steps
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.wave_control import set_paused
from ledger.store import Ledger
from model.kinds import Kind

Fates = Mapping[tuple[State, str | None], int]
ALL = (State.VERIFIED, None)
LARGE = (State.REJECTED, "too-large")
KINDS = (Kind.MAIL, Kind.CALENDAR)
BY = ("--by", "A. Auditor", "--reason", "the two are newsletters")


@dataclass(frozen=True)
class Mail:
    """fates and losses of its mail and of its calendar: (field, reason) of that many of the first items."""

    fates: tuple[Fates, Fates]
    losses: tuple[Mapping[tuple[str, str], int], Mapping[tuple[str, str], int]] = ({}, {})
    wave: str = "pilot"
    state: LegState = LegState.VERIFIED


PEOPLE = {
    "anna": Mail(({ALL: 100}, {ALL: 5}), ({("body", "bare-lf"): 3}, {})),
    "bert": Mail(({ALL: 999, LARGE: 1}, {ALL: 200}), ({}, {("attachment", "not-readable"): 1})),
    "carl": Mail(
        ({ALL: 48, LARGE: 2, (State.SKIPPED, "associated-item"): 5, (State.GONE, None): 4}, {ALL: 10}),
        ({}, {("attachment", "not-readable"): 1, ("reminder", "past"): 4}),
    ),
    "dora": Mail(({ALL: 9}, {}), state=LegState.DIFFERS),
    "emil": Mail(({ALL: 3}, {}), wave="second"),
}


@pytest.fixture
def ids(place: Path) -> dict[str, str]:
    """Of the people, in the ledger of the place."""
    with closing(opened(place)) as ledger:
        ledger.migrate()
        found = {}
        for name, one in PEOPLE.items():
            planned = PlannedMailbox(
                f"{name}@old.example", f"{name}@new.example", one.wave, Phase.FROZEN, frozenset(KINDS)
            )
            (number,) = ledger.add_mailboxes([planned])
            found[name] = str(number)
            fill(ledger, str(number), one)
    return found


def opened(place: Path) -> Ledger:
    (place / "kogge-state").mkdir(mode=0o700, exist_ok=True)
    return Ledger(f"sqlite:///{place}/kogge-state/ledger.db")


def fill(ledger: Ledger, number: str, one: Mail) -> None:
    legs = {row.workload: row.id for row in ledger.legs(mailbox=number)}
    with ledger.engine.begin() as connection:
        connection.execute(update(leg).where(leg.c.mailbox == number).values(state=one.state.value))
        for kind, fates, lost in zip(KINDS, one.fates, one.losses, strict=True):
            folder = {"leg": legs[kind], "key": bytes(16), "kind": kind.value, "source_id": b"x", "path": "x"}
            box = connection.execute(insert(container).values(folder)).inserted_primary_key
            assert box is not None
            states = [fate for fate, count in fates.items() for _ in range(count)]
            rows = [
                {
                    "container": box[0],
                    "key": at.to_bytes(16, "big"),
                    "state": state.value,
                    "code": code,
                    "version": 1,
                    "attempts": 1,
                    "source_id": b"x",
                }
                for at, (state, code) in enumerate(states)
            ]
            if rows:
                connection.execute(insert(item), rows)
            for (name, reason), count in lost.items():
                for at in range(count):
                    values = {"container": box[0], "key": at.to_bytes(16, "big")}
                    connection.execute(insert(loss).values(**values, field=name, reason=reason))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[dict[str, object]]]:
    capsys.readouterr()
    run("score", "--json", *arguments)
    document: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return document


def test_each_mailbox_has_its_numbers(ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "--wave", "pilot")["mailboxes"]
    assert [one["mailbox"] for one in found] == [ids[who] for who in ("carl", "bert", "anna", "dora")]
    carl, bert, anna, dora = found
    assert {name: carl[name] for name in ("rating", "items", "arrived")} == {
        "rating": "poor",
        "items": 60,
        "arrived": 58,
    }
    assert carl["workloads"] == [
        {"workload": "mail", "items": 50, "arrived": 48, "content": 0, "functional": 0, "cosmetic": 0},
        {"workload": "calendar", "items": 10, "arrived": 10, "content": 1, "functional": 3, "cosmetic": 0},
    ]
    reasons = carl["reasons"]
    assert isinstance(reasons, list)
    assert [(one["workload"], one["field"], one["code"], one["class"], one["items"]) for one in reasons] == [
        ("mail", None, "too-large", None, 2),
        ("calendar", "attachment", "not-readable", "content", 1),
        ("calendar", "reminder", "past", "functional", 4),
    ]
    assert all(str(one["meaning"]).endswith(".") for one in reasons)
    assert (bert["rating"], bert["content"]) == ("good", 1)
    assert (anna["rating"], anna["cosmetic"]) == ("perfect", 3)
    assert dora == {"mailbox": ids["dora"], "wave": "pilot", "rating": None, "why": "not verified"}


def test_a_wave_has_its_worst_mailbox_s_rating(
    ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    pilot, second = told(capsys)["waves"]
    assert pilot == {
        "wave": "pilot",
        "rating": None,
        "distribution": {"perfect": 1, "good": 1, "investigate": 0, "poor": 1},
        "not_verified": 1,
        "worst": [ids["carl"]],
    }
    assert (second["wave"], second["rating"], second["worst"]) == ("second", "perfect", [])


def test_the_screen_says_why(ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("score", "--wave", "pilot") == 1
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert [ids["carl"], "poor", "60", "58", "1", "3", "0"] in lines
    assert [ids["bert"], "good", "1,200", "1,199", "1", "0", "0"] in lines
    assert [ids["dora"], "not", "verified", *"-----"] in lines
    assert "wave pilot: 1 not verified (1 perfect, 1 good, 0 investigate, 1 poor)" in out
    assert f"{ids['carl']} is poor. mail: 2 too-large. calendar: 1 attachment not-readable" in out
    assert "reminder" not in out, "what lowers no score is no reason for it"
    assert f"{ids['bert']} is" not in out
    assert "mail: too-large (2): " in out
    assert "example" not in out


@pytest.mark.parametrize(("who", "code"), [("anna", 0), ("bert", 0), ("carl", 1), ("dora", 1), ("emil", 0)])
def test_what_needs_a_person_has_an_exit_code_of_its_own(ids: dict[str, str], who: str, code: int) -> None:
    assert run("score", "--mailbox", ids[who]) == code


def test_what_was_only_counted_has_no_score(
    place: Path, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(opened(place)) as ledger, ledger.engine.begin() as connection:
        changed = update(leg).where(leg.c.mailbox == ids["anna"], leg.c.workload == Kind.CALENDAR.value)
        connection.execute(changed.values(code="verified-by-counts"))
    assert run("score", "--mailbox", ids["anna"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert f"{ids['anna']} not verified fully -" in out
    (found,) = told(capsys, "--mailbox", ids["anna"])["mailboxes"]
    assert (found["rating"], found["why"]) == (None, "not verified fully")


def test_a_wave_that_does_not_exist_is_not_perfect(
    ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("score", "--wave", "pilott") == 2
    assert "did you mean pilot?" in capsys.readouterr().err


def test_a_table_for_a_spreadsheet(
    place: Path, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("score", "--csv", "score.csv") == 1
    assert not capsys.readouterr().out
    path = place / "score.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 + 1 + 1, "one of each workload with items, one of what is not verified"
    mail = next(row for row in rows if row["mailbox"] == ids["carl"] and row["workload"] == "mail")
    assert (mail["score"], mail["arrived"], mail["content"], mail["reasons"]) == (
        "poor",
        "48",
        "0",
        "2 too-large",
    )
    assert [row["reasons"] for row in rows if row["mailbox"] == ids["carl"]][1] == (
        "1 attachment not-readable; 4 reminder past"
    )
    assert [row["score"] for row in rows if row["mailbox"] == ids["dora"]] == ["not verified"]
    assert "example" not in path.read_text()


def freeze(place: Path) -> None:
    """Every mailbox, without an event."""
    with closing(opened(place)) as ledger, ledger.engine.begin() as connection:
        connection.execute(update(mailbox).values(phase="frozen"))


def test_nobody_goes_live_with_a_low_score_and_no_reason(
    place: Path, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    freeze(place)
    assert run("phase", "live", "--wave", "pilot", "--by", "A. Auditor", "--yes") == 2
    why = "--reason: is missing or empty; 1 of them score investigate or poor and 1 of them are not verified"
    assert why in capsys.readouterr().err
    assert kinds(capsys) == []
    assert run("phase", "live", "--wave", "pilot", *BY, "--yes") == 0
    assert sorted(kinds(capsys)) == ["approved:score-low"] * 2 + ["phase"] * 4
    accepted = [one for one in logged(capsys) if one["kind"] == "approved:score-low"]
    subjects = {one["subject"]: one["detail"] for one in accepted}
    assert set(subjects) == {ids["carl"], ids["dora"]}
    told_of_dora = {
        name: text for name, text in subjects[ids["dora"]].items() if name not in ("code", "seen")
    }
    assert told_of_dora == {"by": BY[1], "reason": BY[3], "rating": "not-verified"}
    detail = subjects[ids["carl"]]
    assert isinstance(detail, dict)
    assert {name: detail[name] for name in ("by", "reason", "rating", "items", "missing", "lacking")} == {
        "by": "A. Auditor",
        "reason": "the two are newsletters",
        "rating": "poor",
        "items": 60,
        "missing": 2,
        "lacking": 1,
    }


UNSCORED: list[dict[str, str | None]] = [
    {"state": "differs", "code": "verification-differs"},
    {"state": "blocked", "code": "access-denied"},
    {"state": "pending", "code": None},
    {"state": "pending", "code": "dry-run"},
    {"state": "verified", "code": "verified-by-counts"},
]


@pytest.mark.parametrize("values", UNSCORED, ids=lambda one: one["code"] or one["state"])
@pytest.mark.parametrize("who", ["anna", "carl"])
def test_nobody_goes_live_with_no_score_and_no_reason(
    place: Path, ids: dict[str, str], capsys: pytest.CaptureFixture[str], values: dict[str, str], who: str
) -> None:
    """Also one whose low score somebody accepted, when it loses it."""
    with closing(opened(place)) as ledger:
        record(ledger, scores(ledger, [ids[who]]), "A. Auditor", "two newsletters")
        assert unaccepted(ledger, [ledger.mailbox(ids[who])]) == {}
        with ledger.engine.begin() as connection:
            changed = update(leg).where(leg.c.mailbox == ids[who], leg.c.workload == Kind.CALENDAR.value)
            connection.execute(changed.values(values))
    freeze(place)
    live = ("phase", "live", "--mailbox", ids[who], "--by", "A. Auditor", "--yes")
    assert run(*live) == 2
    assert "--reason: is missing or empty; 1 of them are not verified" in capsys.readouterr().err
    assert run(*live, "--reason", "left behind") == 0
    approved = [one["detail"] for one in logged(capsys) if one["kind"] == "approved:score-low"]
    assert [(one["rating"], one["reason"]) for one in approved][1:] == [("not-verified", "left behind")]
    with closing(opened(place)) as ledger:
        changed_back = update(leg).values(state="verified", code=None)
        with ledger.engine.begin() as connection:
            connection.execute(changed_back.where(leg.c.mailbox == ids[who]))
        low = {"carl": [ids["carl"]]}.get(who, [])
        assert list(unaccepted(ledger, [ledger.mailbox(ids[who])])) == low, "it stands for no score"


def test_who_lets_a_low_score_go_live_is_recorded(
    place: Path, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("approve", "score-low", "--wave", "pilot")
    assert run("approve", "score-low", "-m", ids["anna"], *BY) == 2
    assert "nothing asks for score-low" in capsys.readouterr().err
    with closing(opened(place)) as ledger:
        Steps(ledger).begin(ids["carl"], "score")
        Steps(ledger).finish(ids["carl"], "score", FAILED, "poor")
    assert run("cutover", "--wave", "pilot", "--status") == 1
    assert "not live yet: 1." in capsys.readouterr().out
    assert run(*asked, *BY[:2]) == 2
    assert "--reason: is missing or empty" in capsys.readouterr().err
    assert run(*asked, *BY[2:]) == 2
    assert "--by: is missing or empty" in capsys.readouterr().err
    assert run(*asked, *BY) == 0
    out = capsys.readouterr().out
    assert f"approved score-low for {ids['carl']} (poor): 2 of 60 items did not arrive, 1 lack content" in out
    assert run("log", "pilot") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "by: A. Auditor" in shown
    assert "reason: the two are newsletters" in shown
    assert run("cutover", "--wave", "pilot", "--status") == 1
    status = capsys.readouterr().out
    rows = {words[0]: words for words in map(str.split, status.splitlines()) if words}
    assert rows[ids["carl"]][-4:] == ["poor", "1", "score-low", "(poor)"]
    assert "wave pilot: 1 not verified (1 perfect, 1 good, 0 investigate, 1 poor)" in status
    assert "Score low" not in status, "somebody answered for it"


def test_a_look_at_the_cutover_says_who_would_wait(
    ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cutover", "--wave", "pilot", "--dry-run") == 1
    told = capsys.readouterr()
    assert "Score low, not approved, not live yet: 1." in told.out
    lines = [line.split() for line in told.out.splitlines()]
    assert [ids["carl"], "frozen", "score-low"] in lines
    assert [ids["anna"], "frozen", "would", "go", "on"] in lines
    assert "stops frozen, after its final delta" in told.err
    run("cutover", "--wave", "pilot", "--dry-run", "--json")
    found = json.loads(capsys.readouterr().out)["mailboxes"]
    assert {one["mailbox"]: one["code"] for one in found}[ids["carl"]] == "score-low"
    assert {one["mailbox"]: one["score"] for one in found} == {
        ids["anna"]: "perfect",
        ids["bert"]: "good",
        ids["carl"]: "poor",
        ids["dora"]: None,
    }


def test_a_look_at_the_cutover_knows_what_was_approved(
    place: Path, ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(opened(place)) as ledger:
        record(ledger, scores(ledger, [ids["carl"]]), "A. Auditor", "two newsletters")
    assert run("cutover", "-m", ids["carl"], "--dry-run") == 0
    told = capsys.readouterr().out
    assert [ids["carl"], "frozen", "would", "go", "on"] in [line.split() for line in told.splitlines()]
    assert "Score low" not in told


def test_a_look_at_the_cutover_says_of_each_mailbox_that_its_wave_waits(
    ids: dict[str, str], capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    with closing(opened(place)) as ledger:
        set_paused(ledger, "pilot", True, "A. Auditor", "a backup")
    assert run("cutover", "--wave", "pilot", "--dry-run") == 1
    told = capsys.readouterr()
    assert [ids["anna"], "frozen", "paused"] in [line.split() for line in told.out.splitlines()]
    assert "would go on" not in told.out
    assert "kogge resume --wave pilot" in told.err


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run("log", "pilot", "--json") == 0
    events: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return events


def kinds(capsys: pytest.CaptureFixture[str]) -> list[object]:
    return [one["kind"] for one in logged(capsys)]
