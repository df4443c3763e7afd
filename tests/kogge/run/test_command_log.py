"""`kogge log`: what people decided, chosen by wave, mailbox, name and time; --all shows the rest."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import run
from lonely import settle

from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

TODAY = datetime.now(UTC).date()
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two waves of a mailbox each, in which two people decided and Kogge recorded things by itself."""
    settle(tmp_path, monkeypatch)
    (tmp_path / "kogge-state").mkdir(mode=0o700)
    with closing(Ledger(f"sqlite:///{tmp_path}/kogge-state/ledger.db")) as book:
        book.migrate()
        ids = []
        for wave in ("a", "b"):
            who = PlannedMailbox(
                f"{wave}@old.example", f"{wave}@new.example", wave, Phase.STAGING, frozenset({Kind.MAIL})
            )
            (number,) = book.add_mailboxes([who])
            ids.append(str(number))
            book.event(wave, "bound", {"level": "directory"}, subject=str(number))
            book.event(wave, "inventory-taken", {"items": 3}, subject=str(number))
            book.event(wave, "paused", {"by": f"Night {wave.upper()}"}, subject=f"wave:{wave}")
            book.event(wave, "phase", {"by": "Day", "phase": "live"}, subject=str(number))
            book.event(wave, "plan-voided", {"plan": 32 * "ab"})
        return ids


def kinds(capsys: pytest.CaptureFixture[str], *options: str) -> list[tuple[str, str]]:
    """Wave and kind of what is shown."""
    capsys.readouterr()
    assert run("log", *options, "--json") == 0
    return [(one["wave"], one["kind"]) for one in json.loads(capsys.readouterr().out)]


def test_only_decisions_are_shown(boxes: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert kinds(capsys, "a") == [("a", "paused"), ("a", "phase"), ("a", "plan-voided")]
    assert len(kinds(capsys, "a", "--all")) == 5
    assert run("log", "a") == 0
    shown = capsys.readouterr().out
    assert "3 decisions of 5 events (--all); the chain is intact" in shown
    assert "bound" not in shown
    assert "plan: abababababab…" in shown
    assert "wave:a" not in shown


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), 6),
        (("--wave", "b"), 3),
        (("b", "--wave", "b"), 3),
        (("--by", "night"), 2),
        (("--by", "Night A"), 1),
        (("--since", f"{TODAY}"), 6),
        (("--since", f"{TOMORROW}"), 0),
        (("--until", f"{TOMORROW}"), 6),
        (("--until", f"{YESTERDAY}"), 0),
        (("--until", f"{YESTERDAY} 23:59"), 0),
        (("--since", "0001-01-01", "--until", "9999-12-31"), 6),
    ],
)
def test_filters(
    boxes: list[str], capsys: pytest.CaptureFixture[str], options: tuple[str, ...], count: int
) -> None:
    assert len(kinds(capsys, *options)) == count


@pytest.mark.parametrize("by_address", [False, True])
def test_one_mailbox(boxes: list[str], capsys: pytest.CaptureFixture[str], by_address: bool) -> None:
    name = "b@old.example" if by_address else boxes[1]
    assert kinds(capsys, "-m", name) == [("b", "phase")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--since", "yesterday"), "--since: is no date; write it as 2026-05-31"),
        (("--until", "31.5.2026"), "--until: is no date"),
        (("a", "--wave", "b"), "--wave: names another wave than WAVE"),
        (("--wave", "bb"), "--wave: unknown; did you mean b?"),
    ],
)
def test_bad_input(
    boxes: list[str], capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert run("log", *options) == 2
    assert message in capsys.readouterr().err


def test_the_screen_says_nothing_twice_and_has_no_empty_column(
    boxes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A moment is told once; a column that no event fills is left out; no word is broken."""
    reason = "a-reason-of-one-word-of-a-length"
    with closing(Ledger(f"sqlite:///{tmp_path}/kogge-state/ledger.db")) as book:
        signed = {"approver": "One", "reason": reason, "at": datetime.now(UTC).isoformat()}
        book.event("c", "plan-approved:start", signed, subject="wave:c")
        elsewhere = {"approver": "Two", "reason": reason, "at": "2020-02-02T02:02:02+00:00"}
        book.event("c", "plan-approved:start", elsewhere, subject="wave:c")
    monkeypatch.setattr("kogge.terminal.options.WIDTH", 80)
    monkeypatch.setenv("COLUMNS", "80")
    capsys.readouterr()
    assert run("log", "--by", "One") == run("log", "--by", "Two") == 0
    shown = capsys.readouterr().out
    assert shown.count("at: ") == 1
    assert "at: 2020-02-02T02:02:02+00:00" in shown, "signed long before it was recorded"
    assert shown.count(reason) == 2
    assert "about" not in shown
    assert shown.split("\n")[0].split()[:2] == ["event", "wave"]
    assert run("log", "a") == 0
    head, *_ = capsys.readouterr().out.splitlines()
    assert "about" in head
    assert "wave" not in head.split()
