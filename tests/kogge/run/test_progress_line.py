"""The progress of a run, as a person reads it: one line without a terminal, a bar on one."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from connectors.imap.wire.pipelining import PIPELINING, Use
from connectors.server_settings import Endpoint
from engine.pacing.admission import Trouble
from engine.pacing.server_notices import hosts_of, one_at_a_time_lines, trouble_lines, with_host
from kogge.run.migrate import Changes
from kogge.terminal.progress_display import Display
from ledger.db.rows import LegRow, LegState
from model.errors import Transient
from model.kinds import Kind
from reports.progress import Snapshot


def leg(number: int, state: LegState, items: int, done: int, code: str | None = None) -> LegRow:
    none = dict.fromkeys(("owner", "lease_until", "started", "finished"))
    mailbox, figures = f"m-{number}", {"items": items, "done": done, "bytes": 1000 * done}
    return LegRow(number, mailbox, Kind.MAIL, state, code, epoch=0, **figures, **none)  # type: ignore[arg-type]


def seen(*legs: LegRow, at: float = 0.0, unwell: tuple[str, ...] = ()) -> Snapshot:
    return Snapshot(legs, at, unwell)


RUNNING, PENDING, VERIFIED = LegState.RUNNING, LegState.PENDING, LegState.VERIFIED


def test_a_third_is_not_told_as_nearly_all() -> None:
    """Two of three mailboxes are not listed yet: `kogge check` counted them."""
    legs = leg(1, RUNNING, 428, 409), leg(2, PENDING, 0, 0), leg(3, PENDING, 0, 0)
    line = Display("wave w", {"m-1": 425, "m-2": 424, "m-3": 424}).line(seen(*legs))
    assert line.startswith("wave w: 409 of 1,276 items (32 %)")


def test_what_nobody_has_counted_has_no_percentage() -> None:
    line = Display("wave w").line(seen(leg(1, RUNNING, 428, 409), leg(2, PENDING, 0, 0)))
    assert line.startswith("wave w: 409 items copied of 428 listed so far, 1 workload is not listed yet")
    assert "%" not in line
    assert "left" not in line


def test_once_all_is_listed_the_listing_counts() -> None:
    """`kogge check` may have counted more than there is now: the end is 100 %, none the less."""
    line = Display("wave w", {"m-1": 12}).line(seen(leg(1, VERIFIED, 10, 10)))
    assert line == "wave w: 10 of 10 items (100 %), 10.0 kB, 1 of 1 mailbox verified"


def test_rate_and_time_left_are_of_the_last_minute() -> None:
    board = Display("wave w")
    for second in range(200):  # two a second, then ten
        done = 2 * min(second, 100) + 10 * max(0, second - 100)
        line = board.line(seen(leg(1, RUNNING, 3000, done), at=float(second)))
    assert "10/s" in line
    assert "about 3 minutes left" in line
    assert "at work: m-1 mail" in line


def test_what_needs_a_person_is_said() -> None:
    legs = leg(1, LegState.BLOCKED, 5, 0, "login-refused"), leg(2, RUNNING, 5, 1)
    assert "1 workload needs a person: 1 login-refused" in Display("wave w").line(seen(*legs))


def test_a_verified_mailbox_that_the_plan_withholds_is_open() -> None:
    held = replace(leg(2, VERIFIED, 5, 5), withheld="not-in-plan")
    line = Display("wave w").line(seen(leg(1, VERIFIED, 5, 5), held))
    assert "1 of 2 mailboxes verified" in line
    assert "not-in-plan" in line


def test_the_bar_names_the_mailboxes_at_work() -> None:
    console = Console(width=100, record=True, force_terminal=True)
    legs = [leg(number, RUNNING, 100, number) for number in range(1, 11)]
    console.print(Display("wave w").draw(seen(*legs, leg(11, RUNNING, 0, 0))))
    shown = console.export_text()
    assert "55 items copied of 1,000 listed so far" in shown
    assert "m-1  mail 1 of 100" in shown
    assert "and 3 more" in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def told_at(*snapshots: tuple[float, Snapshot]) -> list[float]:
    now, told = [0.0], []
    changes = Changes(lambda _: told.append(now[0]), 60.0, 5.0, clock=lambda: now[0])
    for moment, snapshot in snapshots:
        now[0] = moment
        changes.show(snapshot)
    return told


def test_a_line_a_minute_and_news_at_once() -> None:
    calm = [(float(second), seen(leg(1, RUNNING, 300, second))) for second in range(200)]
    assert told_at(*calm) == [5.0, 65.0, 125.0, 185.0]
    silent = trouble_lines({"source.ews": Trouble(11.0, None)})
    trouble = [(moment, replace(one, unwell=tuple(silent) if moment >= 70 else ())) for moment, one in calm]
    assert told_at(*trouble) == [5.0, 65.0, 70.0, 130.0, 190.0]


def test_a_silent_server_is_named_with_its_host() -> None:
    source = SimpleNamespace(kind="ews", endpoint=Endpoint("old.example", 8443, "https"))
    target = SimpleNamespace(of=lambda _: SimpleNamespace(endpoint=Endpoint("new.example", 993, "")))
    config: Any = SimpleNamespace(source_of=lambda _: source, target=target, workloads=(Kind.MAIL,))
    hosts = hosts_of(config)
    assert hosts == {"source.ews": "old.example:8443", "target.mail": "new.example:993"}
    silent, away, back = (Trouble(14.2, None), Trouble(14.2, "unreachable"), Trouble(0.0, "unreachable"))
    told = [with_host(trouble_lines({"source.ews": one})[0], hosts) for one in (silent, away, back)]
    assert told == [
        "source.ews (old.example:8443): no answer for 14 s",
        "source.ews (old.example:8443): unreachable, no answer for 14 s",
        "source.ews (old.example:8443): unreachable, tried again",
    ]
    config.workloads = (Kind.MAIL, Kind.CALENDAR)
    config.target = SimpleNamespace(
        of=lambda kind: SimpleNamespace(
            endpoint=Endpoint("new.example", 993 if kind is Kind.MAIL else 443, "")
        )
    )
    assert hosts_of(config)["target.mail"] == "new.example:993"
    assert hosts_of(config)["target.calendar"] == "new.example:443", "another port is another server"
    assert with_host("wave w is paused: since 9", hosts) == "wave w is paused: since 9"


def test_a_server_that_takes_one_command_at_a_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIPELINING, "_counts", {})
    monkeypatch.setattr(PIPELINING, "_alone", {})
    now = [0.0]
    monkeypatch.setattr(PIPELINING, "clock", lambda: now[0])
    old, new = (
        SimpleNamespace(kind="imap", endpoint=Endpoint(f"{name}.example", 993, "")) for name in ("old", "new")
    )
    config: Any = SimpleNamespace(
        source_of=lambda _: old, target=SimpleNamespace(of=lambda _: new), workloads=(Kind.MAIL,)
    )
    assert one_at_a_time_lines(config) == []
    with pytest.raises(Transient), PIPELINING.trying("new.example:993", Use.FOLDERS, 0.0):
        raise Transient("protocol-error")
    (line,) = one_at_a_time_lines(config)
    assert line.startswith("target.mail: does not take several commands at once")
    now[0] = 3601.0
    assert one_at_a_time_lines(config) == [], "several are tried again"
