"""`kogge retry`: what is pending again, and that the wave's chain says so."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from lonely import settle

from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Container, Page, Ref, key_of


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two waves of one mailbox each: one blocked, one finished with a rejected item."""
    (settle(tmp_path, monkeypatch) / "kogge.toml").rename(tmp_path / "other.toml")
    (tmp_path / "kogge-state").mkdir(mode=0o700)
    with closing(ledger()) as book:
        book.migrate()
        for wave, state in (("blocked", LegState.BLOCKED), ("done", LegState.VERIFIED)):
            who = PlannedMailbox(
                f"{wave}@old.example", f"{wave}@new.example", wave, Phase.STAGING, frozenset({Kind.MAIL})
            )
            book.add_mailboxes([who])
            (leg,) = book.legs(wave)
            lease = book.claim(leg.id, "worker", 60)
            assert lease is not None
            if state is LegState.VERIFIED:
                with book.session(lease, mirror=True) as session:
                    row = session.record_container(Container(Kind.MAIL, "inbox", ("Inbox",)))
                    session.record_page(row.id, Page((Ref("one", "1"),), "c"))
                    session.close_inventory(bytes(32))
                    session.begin(row.id, [key_of("one")], "1:1")
                    session.settle(row.id, [], rejected=[(key_of("one"), "too-large")])
            assert book.release(lease, state, "login-refused" if state is LegState.BLOCKED else None)
    return tmp_path


def ledger() -> Ledger:
    return Ledger(f"sqlite:///{Path.cwd()}/kogge-state/ledger.db")


def retried(wave: str) -> list[dict[str, object]]:
    with closing(ledger()) as book:
        return [dict(event.detail) for event in book.events(wave) if event.kind == "retried"]


def test_each_wave_is_told_of_its_own(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("retry", "-c", "other.toml", "--rejected", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"requeued": 2, "rejected": 1}
    assert retried("blocked") == [{"legs": 1, "rejected": 0}]
    assert retried("done") == [{"legs": 1, "rejected": 1}]
    with closing(ledger()) as book:
        (leg,) = book.legs("done")
    assert (leg.done, leg.items) == (0, 1), "it counts once, when it is done again"


def test_what_requeues_nothing_is_no_decision(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("retry", "-c", "other.toml", "--wave", "done") == 0
    told = "Nothing is pending again: no workload of 1 mailbox waits for a person\n"
    assert capsys.readouterr().out == told
    assert retried("done") == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--wave", "blocked"), "1 workload of 1 mailbox is pending again"),
        (("--rejected",), "2 workloads of 2 mailboxes are pending again, 1 rejected item with new attempts"),
    ],
)
def test_how_many_are_pending_again(
    place: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    assert run("retry", "-c", "other.toml", *options) == 0
    assert capsys.readouterr().out == f"{told}\n"


def test_the_next_command_is_for_the_same_configuration(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("retry", "-c", "other.toml") == 0
    assert "Next: kogge migrate -c other.toml" in capsys.readouterr().err
