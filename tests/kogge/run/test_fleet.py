"""The fleet view: order, rate, time left, totals, and what it draws of 40,000 mailboxes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from rich.console import Console

from engine.cutover.stopped import Stop
from flows.display.mailbox_rows import mailbox_lines
from kogge.shown.mailbox_rows import codes_cell, share_cell
from kogge.shown.mailbox_rows import document as mailbox_document
from kogge.shown.run_summary import drawn as drawn_result
from kogge.shown.run_summary import pass_document, result_of
from kogge.shown.status_screen import Look, drawn
from kogge.shown.wave_status import RateWindow, WaveStatus, gather
from kogge.terminal.tables import duration
from ledger.db.rows import LegRow, LegState, MailboxRow, Outcome, Phase, State, Tally
from ledger.views.reports import LegSummary
from model.date_text import date_of
from model.kinds import Kind
from reports.progress import Snapshot, verdict

NOW = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)


def box(number: int, wave: str = "pilot") -> MailboxRow:
    return MailboxRow(
        f"m-{number:08x}", wave, Phase.STAGING, "secret@old.example", "secret@new.example", None, None
    )


def leg(number: int, state: LegState = LegState.PENDING, code: str | None = None) -> LegRow:
    return LegRow(number, f"m-{number:08x}", Kind.MAIL, state, code, None, None, 0, 0, 0, 0, None, None)


def test_what_needs_a_person_comes_first() -> None:
    states = [LegState.VERIFIED, LegState.RUNNING, LegState.PENDING, LegState.BLOCKED, LegState.DIFFERS]
    fleet = gather(map(box, range(5)), [leg(n, state) for n, state in enumerate(states)], [], NOW)
    assert [ship.row.state for ship in fleet.ships] == [states[3], states[4], states[1], states[2], states[0]]
    assert not fleet.settled


def test_rate_and_time_left() -> None:
    running = replace(leg(1, LegState.RUNNING), items=1_000, done=250, started=NOW - timedelta(seconds=50))
    (ship,) = gather([box(1)], [running], [], NOW).ships
    assert (ship.rate, ship.left) == (5.0, 150.0)


@pytest.mark.parametrize(
    "change",
    [
        {"state": LegState.VERIFIED},
        {"done": 0},
        {"started": None},
        {"started": NOW - timedelta(seconds=1)},
        {"started": NOW + timedelta(hours=1)},
        {"started": NOW - timedelta(days=7)},
    ],
)
def test_no_rate_is_better_than_a_wrong_one(change: dict[str, object]) -> None:
    running = replace(leg(1, LegState.RUNNING), items=1_000, done=250, started=NOW - timedelta(seconds=50))
    (ship,) = gather([box(1)], [replace(running, **change)], [], NOW).ships
    assert (ship.rate, ship.left) == (None, None)


@pytest.mark.parametrize(
    ("lease", "dead", "state"),
    [
        (timedelta(seconds=30), False, LegState.RUNNING),
        (timedelta(seconds=30), True, LegState.WAITING),
        (timedelta(seconds=-1), False, LegState.WAITING),
    ],
)
def test_a_leg_whose_worker_is_gone_does_not_run(lease: timedelta, dead: bool, state: LegState) -> None:
    running = replace(leg(1, LegState.RUNNING), items=1_000, done=250, started=NOW - timedelta(seconds=50))
    row = replace(running, owner="somebody", lease_until=NOW + lease)
    fleet = gather([box(1)], [row], [], NOW, dead=lambda owner: dead and owner == "somebody")
    (ship,) = fleet.ships
    assert ship.row.state is state
    assert (ship.rate is None) == (state is LegState.WAITING)
    assert fleet.totals()["codes"] == ({"worker-gone": 1} if state is LegState.WAITING else {})


def test_who_is_locked_out_by_a_cutover_that_stopped_comes_first_and_is_not_settled() -> None:
    legs = [leg(number, LegState.VERIFIED) for number in range(1, 61)]
    blocked = replace(leg(1, LegState.BLOCKED, "over-quota"))
    stopped = {"m-0000003c": Stop("hook-failed", "freeze:redirect", "exit-4", locked=True)}
    fleet = gather(map(box, range(61)), legs, [], NOW, stopped=stopped)
    assert not fleet.settled
    assert fleet.totals()["codes"] == {"hook-failed": 1}
    text = shown_at(fleet, Look(40))
    first = next(line for line in text if "m-000000" in line)
    assert "m-0000003c" in first
    assert "hook-failed (cutover: freeze:redirect)" in first
    assert any(
        "1 cutover has stopped: its user may be locked out. kogge show m-0000003c" in one for one in text
    )
    assert not any("every item is accounted for" in line for line in text)
    assert "hook-failed" in next(
        one for one in shown_at(fleet, Look(40, by_workload=True)) if "m-0000003c" in one
    )
    both = gather(map(box, range(61)), [blocked, *legs[1:]], [], NOW, stopped=stopped)
    assert [line.mailbox for line in both.lines()][:2] == ["m-0000003c", "m-00000001"]
    assert mailbox_document(both.lines()[0])["codes"] == ["hook-failed"]


def test_who_was_refused_for_their_score_is_named_and_nothing_is_settled() -> None:
    legs = [leg(number, LegState.VERIFIED) for number in (1, 2)]
    fleet = gather(map(box, range(3)), legs, [], NOW, stopped={"m-00000002": Stop("score-low")})
    assert not fleet.settled
    assert (fleet.totals()["codes"], fleet.totals()["cutovers_stopped"]) == ({"score-low": 1}, 0)
    for look in (Look(40), Look(40, by_workload=True)):
        text = shown_at(fleet, look)
        assert "score-low" in next(line for line in text if "m-00000002" in line)
        assert any("score-low (1): See `kogge score`" in line for line in text)
        assert not any("locked out" in line or "accounted for" in line for line in text)


def test_a_withheld_mailbox_needs_a_person() -> None:
    row = replace(leg(2), withheld="not-in-plan")
    fleet = gather(map(box, range(3)), [leg(1), row], [], NOW, stopped={"m-00000002": Stop("not-in-plan")})
    assert [(line.mailbox, line.needs_person) for line in fleet.lines()] == [
        ("m-00000002", True),
        ("m-00000001", False),
    ]
    assert fleet.totals()["codes"] == {"not-in-plan": 1}


def test_totals_and_selection() -> None:
    summary = LegSummary(
        "m-00000001", "pilot", Phase.STAGING, 1, Kind.MAIL, LegState.COPIED, None, {State.REJECTED: 3}
    )
    rows = [replace(leg(1, LegState.COPIED), items=10, done=7), leg(2, LegState.BLOCKED, "over-quota")]
    fleet = gather([box(1), box(2)], rows, [summary], NOW)
    totals = fleet.totals()
    assert (totals["mailboxes"], totals["items"], totals["done"], totals["rejected"]) == (2, 10, 7, 3)
    assert totals["codes"] == {"over-quota": 1}
    assert totals["fates"] == {"rejected": 3}
    chosen = gather([box(1), box(2)], rows, [summary], NOW, frozenset({"m-00000002"}))
    assert [ship.row.mailbox for ship in chosen.ships] == ["m-00000002"]
    assert chosen.fates == {}


def test_an_empty_fleet_is_not_settled() -> None:
    assert not gather([], [], [], NOW).settled
    assert gather([box(1)], [leg(1, LegState.VERIFIED)], [], NOW).settled


def shown_at(fleet: WaveStatus, look: Look) -> list[str]:
    console = Console(width=look.width)
    with console.capture() as captured:
        console.print(drawn(fleet, look))
    return captured.get().splitlines()


def test_forty_thousand_mailboxes_fit_a_screen_that_is_redrawn() -> None:
    blocked = [leg(n, LegState.BLOCKED, "over-quota") for n in range(400)]
    verified = [leg(n, LegState.VERIFIED) for n in range(400, 40_000)]
    fleet = gather(map(box, range(40_000)), verified + blocked, [], NOW)
    for by_workload, noun in ((False, "mailboxes"), (True, "workloads")):
        lines = shown_at(fleet, Look(30, 100, by_workload, fixed=True))
        assert len(lines) < 40
        assert max(map(len, lines)) <= 100
        assert f"and 39,970 {noun} more, 370 of them need a person (--all)" in lines
        assert [line for line in lines if line.startswith("over-quota (400)")]
        assert "secret" not in "".join(lines)


@pytest.mark.parametrize("by_workload", [False, True])
def test_who_needs_a_person_is_never_left_out(by_workload: bool) -> None:
    blocked = [leg(n, LegState.BLOCKED, "over-quota") for n in range(50)]
    verified = [leg(n, LegState.VERIFIED) for n in range(50, 90)]
    lines = shown_at(gather(map(box, range(90)), verified + blocked, [], NOW), Look(40, 100, by_workload))
    assert all(any(row.mailbox in line for line in lines) for row in blocked)
    assert [line for line in lines if line.startswith("and 40 ") and line.endswith("less urgent (--all)")]


def of_kind(number: int, kind: Kind, state: LegState, code: str | None = None, **counts: int) -> LegRow:
    return replace(leg(number, state, code), id=10 * number + len(kind), workload=kind, **counts)


def test_a_mailbox_has_the_same_state_on_the_screen_and_in_prefect() -> None:
    """A workload that waits is more urgent than one at work."""
    rows = [
        of_kind(1, Kind.MAIL, LegState.RUNNING, items=9),
        of_kind(1, Kind.TASKS, LegState.WAITING, "busy"),
    ]
    (shown,), (page,) = gather([box(1)], rows, [], NOW).lines(), mailbox_lines(rows, [box(1)], {})
    assert shown.state is page.state is LegState.WAITING
    assert mailbox_document(shown)["state"] == "waiting"
    assert (page.only, page.codes) == ((Kind.TASKS,), ("busy",))


def test_a_mailbox_is_one_row_of_small_columns() -> None:
    rows = [
        of_kind(1, Kind.MAIL, LegState.VERIFIED, items=60, done=60),
        of_kind(1, Kind.CALENDAR, LegState.BLOCKED, "silence-unproven", items=20),
        of_kind(1, Kind.CONTACTS, LegState.PENDING, items=20, done=0),
        of_kind(2, Kind.MAIL, LegState.RUNNING, items=200, done=50),
    ]
    lines = shown_at(gather([box(1), box(2)], rows, [], NOW, checked={box(2).id: 500}), Look(width=80))
    assert [line.split() for line in lines[:3]] == [
        ["mailbox", "mail", "cal", "cont", "done", "items", "code"],
        [box(1).id, "ok", "stop", "0%", "60%", "100", "calendar:", "silence-unproven"],
        [box(2).id, "25%", "10%", "500"],
    ]
    assert lines[3] == "stop: blocked, needs a person"


def test_a_code_of_every_workload_names_none_of_them() -> None:
    rows = [of_kind(1, kind, LegState.BLOCKED, "login-refused") for kind in (Kind.MAIL, Kind.TASKS)]
    (line,) = gather([box(1)], rows, [], NOW).lines()
    assert codes_cell(line) == "login-refused"
    assert mailbox_document(line)["workloads"] == {"mail": "blocked", "tasks": "blocked"}


def test_phase_is_a_column_only_where_it_differs() -> None:
    boxes, rows = [box(1), replace(box(2), phase=Phase.LIVE)], [leg(1), leg(2)]
    fleet = gather(boxes, rows, [], NOW)
    assert "phase" in shown_at(fleet, Look())[0]
    assert "phase" not in shown_at(gather(boxes[:1], rows, [], NOW), Look())[0]
    assert any("(1 live, 1 staging)" in line for line in shown_at(fleet, Look()))


def test_all_six_workloads_fit_eighty_columns() -> None:
    rows = [
        of_kind(1, kind, LegState.BLOCKED, "identity-bound-elsewhere", items=123_456, done=9) for kind in Kind
    ]
    lines = shown_at(gather([box(1), replace(box(2), phase=Phase.LIVE)], rows, [], NOW), Look(width=80))
    assert max(map(len, lines[:2])) <= 80
    assert any("identity-bound-elsewhere" in line for line in lines)


def test_what_is_held_back_says_why() -> None:
    """A mailbox whose row was changed or removed after the binding waits for the row, not for a worker."""
    done = replace(leg(2, LegState.VERIFIED), withheld="not-in-plan")
    rows = [replace(leg(1), withheld="plan-changed"), done]
    fleet = gather([box(1), box(2)], rows, [], NOW)
    assert dict(fleet.codes) == {"plan-changed": 1, "not-in-plan": 1}
    assert [codes_cell(line) for line in fleet.lines()] == ["mail: plan-changed", "mail: not-in-plan"]
    assert not gather([box(2)], [done], [], NOW).settled


def test_what_is_left_out_and_rolled_back_is_not_counted() -> None:
    out = replace(leg(2, LegState.BLOCKED, "rolled-back"), withheld="not-in-plan")
    fleet = gather([box(1), box(2)], [leg(1, LegState.VERIFIED), out], [], NOW)
    assert (fleet.settled, fleet.totals()["mailboxes"], fleet.totals()["left_out"]) == (True, 1, 1)
    half = replace(out, id=3, workload=Kind.FILES, state=LegState.VERIFIED, code=None)
    assert not gather([box(1), box(2)], [leg(1, LegState.VERIFIED), out, half], [], NOW).settled
    listed = replace(out, withheld=None)
    assert not gather([box(1), box(2)], [leg(1, LegState.VERIFIED), listed], [], NOW).settled


def test_no_open_mailbox_is_said_to_be_done() -> None:
    rows = [leg(1, LegState.COPIED), replace(leg(2, LegState.RUNNING), items=3, done=3)]
    assert [share_cell(line) for line in gather([box(1), box(2)], rows, [], NOW).lines()] == ["99%", "-"]


@pytest.mark.parametrize("code", ["identity-bound-elsewhere", "sent-items-implausible"])
def test_the_longest_codes_are_not_cut(code: str) -> None:
    row = replace(leg(1, LegState.BLOCKED, code), items=100_000, done=50_000, bytes=123_400_000_000)
    shown = Console(width=100)
    with shown.capture() as captured:
        shown.print(drawn(gather([box(1)], [row], [], NOW), Look(by_workload=True)))
        shown.print(drawn(gather([box(1)], [row], [], NOW), Look()))
    assert captured.get().count(f" {code}\n") == 2


def test_a_wave_is_accounted_for_only_without_open_items() -> None:
    done = LegSummary(
        "m-1", "pilot", Phase.STAGING, 1, Kind.MAIL, LegState.VERIFIED, None,
        {State.VERIFIED: 5, State.SKIPPED: 1}, {State.VERIFIED: 50}, {("body", "bare-lf"): 2},
        {(Outcome.REBUILT, ""): 1},
    )  # fmt: skip
    assert result_of([done]).accounted
    lost = {"workload": "mail", "field": "body", "reason": "bare-lf", "count": 2}
    assert result_of([done]).document()["losses"] == [lost]
    assert not result_of([]).accounted
    assert not result_of([replace(done, state=LegState.COPIED)]).accounted
    assert not result_of([replace(done, counts={State.VERIFIED: 5, State.WRITING: 1})]).accounted
    assert result_of([done, replace(done, mailbox="m-2")], frozenset({"m-2"})).fates[State.VERIFIED] == 5


def test_of_a_verified_mailbox_all_is_done_although_the_check_counted_more() -> None:
    """A row that is "ok" and "95%" would leave its reader to guess what of it is missing."""
    whole = replace(leg(1, LegState.VERIFIED), items=95, done=95)
    checked = {box(1).id: 100}
    fleet = gather([box(1)], [whole], [], NOW, checked=checked)
    (line,) = fleet.lines()
    assert (share_cell(line), line.items) == ("100%", 95)
    summary = LegSummary(
        box(1).id, "pilot", Phase.STAGING, 1, Kind.MAIL, LegState.VERIFIED, None, {State.VERIFIED: 95}
    )
    (ended,) = result_of([summary], checked=checked).lines()
    assert (share_cell(ended), ended.items) == ("100%", 95)
    assert fleet.totals()["expected"] == 95
    told = "\n".join(map(str, shown_at(fleet, Look(width=80))))
    assert "95%" not in told
    assert "kogge check" not in told


@pytest.mark.parametrize(
    ("state", "done", "items", "share"),
    [
        (LegState.RUNNING, 9_996, 10_000, "99%"),
        (LegState.COPIED, 10, 10, "99%"),
        (LegState.PENDING, 0, 0, "-"),
        (LegState.VERIFIED, 0, 0, "100%"),
    ],
)
def test_a_workload_and_its_mailbox_say_the_same_share(
    state: LegState, done: int, items: int, share: str
) -> None:
    fleet = gather([box(1)], [replace(leg(1, state), done=done, items=items)], [], NOW)
    assert [share_cell(line) for line in fleet.lines()] == [share]
    (row,) = [line for line in shown_at(fleet, Look(by_workload=True)) if box(1).id in line]
    assert share in row


def test_the_end_of_a_run_and_status_say_the_same_share_of_a_blocked_mailbox() -> None:
    """Its account held a stranger's mail: mail, which is most of it, was never listed."""
    known = box(1)
    cut = LegSummary(
        known.id, "pilot", Phase.STAGING, 2, Kind.CONTACTS, LegState.VERIFIED, None, {State.VERIFIED: 81}
    )
    mail = replace(cut, workload=Kind.MAIL, state=LegState.BLOCKED, code="target-not-empty", counts={})
    checked = {known.id: 331}
    (ended,) = result_of([cut, mail], checked=checked).lines()
    rows = [
        replace(leg(1, LegState.BLOCKED, "target-not-empty"), mailbox=known.id, items=0, done=0),
        replace(leg(1, LegState.VERIFIED), mailbox=known.id, workload=Kind.CONTACTS, items=81, done=81),
    ]
    (shown,) = gather([known], rows, [], NOW, checked=checked).lines()
    assert (share_cell(ended), ended.items) == (share_cell(shown), shown.items) == ("24%", 331)


def test_what_another_command_has_at_work_is_named_at_the_end() -> None:
    legs = [leg(1, LegState.VERIFIED), leg(2, LegState.RUNNING), leg(3, LegState.BLOCKED, "over-quota")]
    told = "2 of 3 workloads are not accounted for: 1 blocked (over-quota), 1 running (claimed-elsewhere)"
    assert verdict(Snapshot(tuple(legs))) == told


def test_an_outcome_names_the_fields_that_differ() -> None:
    found = {(Outcome.DIFFERS, "title+answers"): 2, (Outcome.DIFFERS, "text"): 3, (Outcome.MISSING, ""): 1}
    bad = LegSummary("m-1", "pilot", Phase.STAGING, 1, Kind.CALENDAR, LegState.DIFFERS, None, findings=found)
    result = result_of([bad, replace(bad, mailbox="m-2")])
    shown = Console(width=100)
    with shown.capture() as captured:
        shown.print(drawn_result(result))
    line = "verification: 10 differs (6 text, 4 title+answers); 2 missing at the target"
    assert line in captured.get().splitlines()
    assert result.document()["findings"] == {"*": 10, "+": 2}
    assert result.document()["details"] == [
        {"outcome": "*", "detail": "text", "count": 6},
        {"outcome": "*", "detail": "title+answers", "count": 4},
    ]


@pytest.mark.parametrize("width", [80, 100])
def test_the_closing_table_cuts_no_code(width: int) -> None:
    counts = {State.VERIFIED: 9_988, State.REJECTED: 12}
    code = "identity-bound-elsewhere" if width == 100 else "verification-differs"
    bad = LegSummary("m-1234567a", "w", Phase.STAGING, 1, Kind.CALENDAR, LegState.VERIFIED, code, counts)
    shown = Console(width=width)
    with shown.capture() as captured:
        shown.print(drawn_result(result_of([bad]), width=width))
    head, row, *_ = captured.get().splitlines()
    assert row.split() == [bad.mailbox, "ok", "100%", "10,000", "12", *row.split()[5:]]
    assert row.endswith(f"calendar: {code}")
    assert {"cal", "items", "rejected", "code"} <= set(head.split())
    assert "open" not in head


@pytest.mark.parametrize("width", [80, 100])
def test_the_status_cuts_no_code(width: int) -> None:
    row = replace(leg(1, LegState.BLOCKED, "verification-differs"), items=100_000, bytes=123_400_000_000)
    fleet = gather([box(1)], [row, leg(2, LegState.VERIFIED)], [], NOW)
    shown = Console(width=width)
    with shown.capture() as captured:
        shown.print(drawn(fleet, Look(width=width, by_workload=True)))
    assert "verification-differs" in captured.get().splitlines()[1].split()


def test_a_rate_counts_what_the_pass_did() -> None:
    done = LegSummary(
        "m-1",
        "w",
        Phase.STAGING,
        1,
        Kind.MAIL,
        LegState.VERIFIED,
        None,
        {State.VERIFIED: 500},
        skips={"x-y": 2},
    )
    shown = Console(width=100)
    with shown.capture() as captured:
        shown.print(drawn_result(result_of([done]), 10.0, tally=Tally(new=100, replaced=20)))
        shown.print(drawn_result(result_of([done]), 10.0, tally=Tally()))
        shown.print(drawn_result(result_of([done]), 10.0, tally=Tally(shared=1_000)))
        shown.print(drawn_result(result_of([done]), 10.0, tally=Tally(new=3)))
    first, second, third, slow = (
        line for line in captured.get().splitlines() if line.startswith("1 mailbox;")
    )
    assert first.endswith("; 10s, 12 items/s")
    assert second.endswith("; 10s")
    assert third.endswith("; 10s")
    assert slow.endswith("; 10s"), "no rate of 0 items a second"
    assert "skipped: 2 x-y" in captured.get().splitlines()
    did = "this pass: 0 copied, 0 replaced, 0 amended, 0 withdrawn"
    assert {did, f"{did}, 1,000 shares made"} <= set(captured.get().splitlines())


def test_where_nothing_is_at_the_target_no_size_is_told() -> None:
    """After a dry run "0 B" would be taken for the size of what is to move."""
    listed = LegSummary("m-1", "w", Phase.STAGING, 1, Kind.MAIL, LegState.PENDING, None, {State.SEEN: 500})
    shown = Console(width=100)
    with shown.capture() as captured:
        shown.print(drawn_result(result_of([listed]), dry=True))
        shown.print(drawn_result(result_of([replace(listed, sizes={State.WRITTEN: 1_000})])))
    assert "0 B" not in captured.get()
    assert captured.get().count("1.0 kB") == 2  # of the mailbox, and of all


def test_what_is_still_to_be_written_again_is_not_counted_as_new() -> None:
    assert pass_document(Tally(new=-3, replaced=3)) == {
        "new": 0, "replaced": 3, "amended": 0, "withdrawn": 0, "shared": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (119, "119s"), (120, "2m"), (7_300, "2h01m"), (200_000, "2d07h")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_dates_before_1970_and_none() -> None:
    assert date_of(-86_400) == "1969-12-31 00:00"
    assert date_of(None) == "-"


def test_a_watch_tells_what_happens_now() -> None:
    """A leg that began last week, and that copies ten a second."""
    watch = RateWindow()
    running = replace(leg(1, LegState.RUNNING), items=10_000, done=5_000, started=NOW - timedelta(days=7))
    rates = []
    for second in (0, 10, 90):
        now = NOW + timedelta(seconds=second)
        row = replace(running, done=5_000 + 10 * second)
        (ship,) = watch.paced(gather([box(1)], [row], [], now), now).ships
        rates.append((ship.rate, ship.left))
    assert rates == [(None, None), (10.0, 490.0), (10.0, 410.0)]
    (ship,) = watch.paced(gather([box(1)], [replace(running, done=5_900)], [], now), now).ships
    assert ship.left is None or ship.rate is not None
    done = replace(running, state=LegState.VERIFIED)
    (ship,) = watch.paced(gather([box(1)], [done], [], now), now).ships
    assert (ship.rate, ship.left) == (None, None)


def test_a_watch_counts_what_is_done_between_two_workloads() -> None:
    """A mailbox whose mail is verified and whose calendar begins: its rate is that of the last minute."""
    watch, mail = RateWindow(), of_kind(1, Kind.MAIL, LegState.RUNNING, items=200, done=100)
    calendar = of_kind(1, Kind.CALENDAR, LegState.PENDING, items=0)
    seen = []
    for second, rows in (
        (0, (mail, calendar)),
        (10, (replace(mail, done=200), calendar)),
        (20, (replace(mail, done=200, state=LegState.VERIFIED), calendar)),
        (30, (replace(mail, done=200, state=LegState.VERIFIED), replace(calendar, state=LegState.RUNNING))),
    ):
        now = NOW + timedelta(seconds=second)
        fleet = watch.paced(gather([box(1)], rows, [], now, checked={box(1).id: 300}), now)
        (line,) = fleet.lines()
        seen.append((fleet.rate, fleet.left, line.rate))
    assert seen == [(0.0, None, None), (10.0, 10.0, 10.0), (5.0, 20.0, 5.0), (100 / 30, 30.0, 100 / 30)]


def test_one_wave_that_is_watched_has_one_time_left() -> None:
    fleet = replace(gather([box(1)], [replace(leg(1), items=90, done=30)], [], NOW), pace=2.0)
    estimate = SimpleNamespace(seconds=9, items=60, mailboxes=1, by="", alone=False)
    console = Console(width=80)
    with console.capture() as got:
        console.print(drawn(fleet, Look(width=80), {"pilot": estimate}))  # type: ignore[dict-item]
        console.print(drawn(replace(fleet, pace=None), Look(width=80), {"pilot": estimate}))  # type: ignore[dict-item]
    assert got.get().count("about 30s left") == 1
    assert got.get().count("wave pilot: about 9s left, 60 items of 1 mailbox") == 1


def test_what_nobody_has_listed_counts_as_check_counted_it() -> None:
    """Of three mailboxes one is listed, and holds more than the check saw; of one nobody knows anything."""
    legs = [replace(leg(1), items=300, done=300), leg(2), leg(3)]
    fleet = gather(map(box, (1, 2, 3)), legs, [], NOW, checked={box(1).id: 250, box(2).id: 700})
    assert (fleet.totals()["items"], fleet.totals()["expected"]) == (300, 1_000)
    text = text_of(fleet)
    assert "300 of 1,000 items" in text
    assert "300 items are listed; the rest is as `kogge check` counted" in text
    assert "not counted here: 1 mailbox that no run has listed and no check has counted" in text
    assert "not counted here" not in text_of(gather([box(1)], legs[:1], [], NOW))


def test_one_is_one() -> None:
    assert "1 mailbox (1 staging), 1 workload: 1 pending" in text_of(gather([box(1)], [leg(1)], [], NOW))


def text_of(fleet: WaveStatus) -> str:
    console = Console(width=200)
    with console.capture() as got:
        console.print(drawn(fleet, Look()))
    return got.get()
