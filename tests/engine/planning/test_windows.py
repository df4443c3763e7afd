"""Windows against a count of every minute; a wave's opening; what the configuration refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nights import NIGHTS, TOML

from engine.config.load import load
from engine.config.maintenance_windows import DAYS, WindowSpan
from engine.planning.maintenance_windows import Opening, Window, gate_of, next_opening_text, refuse_closed
from ledger.db.rows import Phase
from ledger.plan import wave_control
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Misconfigured, Transient

MINUTE = timedelta(minutes=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def spans(draw: st.DrawFn) -> str:
    first, last = draw(st.sampled_from(DAYS)), draw(st.sampled_from(DAYS))
    # Often in the small hours of a Sunday, where clocks jump.
    times = st.one_of(st.integers(0, 24 * 60 - 1), st.integers(50, 200))
    begins, ends = draw(times), draw(st.one_of(times, st.just(24 * 60)))
    if begins == ends:
        ends = 24 * 60
    return f"{first}-{last} {clock(begins)}-{clock(ends)}"


def counted(texts: list[str], zone: str, at: datetime) -> bool:
    """Whether a window is open, by looking at the clock on the wall alone."""
    local = at.astimezone(ZoneInfo(zone))
    now = local.hour * 60 + local.minute
    for text in texts:
        days, _, hours = text.partition(" ")
        first, last = (DAYS.index(day) for day in days.split("-"))
        held = {(first + step) % 7 for step in range((last - first) % 7 + 1)}
        begins, ends = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
        today, yesterday = local.weekday(), (local.weekday() - 1) % 7
        if begins < ends and today in held and begins <= now < ends:
            return True
        if begins > ends and ((today in held and now >= begins) or (yesterday in held and now < ends)):
            return True
    return False


def window(texts: list[str], zone: str = "UTC") -> Window:
    return Window(tuple(map(WindowSpan.read, texts)), ZoneInfo(zone))


instants = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.datetimes(datetime(2026, 10, 24), datetime(2026, 10, 26)),
    st.datetimes(datetime(2027, 3, 27), datetime(2027, 3, 29)),
    st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 2)),
    st.datetimes(datetime(2026, 4, 4), datetime(2026, 4, 6)),
).map(lambda at: at.replace(tzinfo=UTC))


@given(st.lists(spans(), min_size=1, max_size=3), st.sampled_from(ZONES), instants)
@settings(max_examples=60)
def test_a_window_changes_when_a_count_of_every_minute_says_so(
    texts: list[str], zone: str, at: datetime
) -> None:
    held = window(texts, zone)
    assert held.is_open(at) == counted(texts, zone, at)
    change = held.changes(at)
    minute = at.replace(second=0, microsecond=0) + MINUTE
    end = minute + timedelta(days=9)
    while minute < end and counted(texts, zone, minute) == held.is_open(at):
        minute += MINUTE
    assert change == (None if minute == end else minute)


@given(st.lists(spans(), min_size=1, max_size=3), st.sampled_from(ZONES), instants)
@settings(max_examples=60)
def test_what_opens_closes_again(texts: list[str], zone: str, at: datetime) -> None:
    held = window(texts, zone)
    opens, closes = held.opens(at), held.closes(at)
    assert opens is None or (opens >= at and held.is_open(opens))
    assert closes is None or (closes >= at and not held.is_open(closes))
    assert at in (opens, closes)


@pytest.mark.parametrize(
    ("text", "zone", "day", "opens", "closes"),
    [
        # The night in which 02:00 to 03:00 does not exist: an hour shorter.
        ("sat-sun 22:00-06:00", "Europe/Berlin", "2027-03-27T12:00", "2027-03-27T21:00", "2027-03-28T04:00"),
        # The night that has that hour twice: an hour longer.
        ("sat-sun 22:00-06:00", "Europe/Berlin", "2026-10-24T12:00", "2026-10-24T20:00", "2026-10-25T05:00"),
        # Ends within the hour that does not exist: when the clock jumps over it.
        ("sun 01:00-02:30", "Europe/Berlin", "2027-03-27T12:00", "2027-03-28T00:00", "2027-03-28T01:00"),
        # Begins within it: at once, when the clock has jumped over it.
        ("sun 02:30-04:00", "Europe/Berlin", "2027-03-27T12:00", "2027-03-28T01:00", "2027-03-28T02:00"),
        # Ends within the hour that comes twice: at the first of them, and comes back for the second.
        ("sun 01:00-02:30", "Europe/Berlin", "2026-10-24T12:00", "2026-10-24T23:00", "2026-10-25T00:30"),
        ("sun 01:00-02:30", "Europe/Berlin", "2026-10-25T00:40", "2026-10-25T01:00", "2026-10-25T01:30"),
    ],
)
def test_where_clocks_jump(text: str, zone: str, day: str, opens: str, closes: str) -> None:
    held = window([text], zone)
    begin = held.opens(datetime.fromisoformat(day).replace(tzinfo=UTC))
    assert begin == datetime.fromisoformat(opens).replace(tzinfo=UTC)
    assert held.closes(begin) == datetime.fromisoformat(closes).replace(tzinfo=UTC)


def test_a_window_of_the_whole_week_never_closes() -> None:
    held = window(["mon-sun 00:00-24:00"], "Europe/Berlin")
    assert held.closes(datetime(2026, 10, 20, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "text", ["", "night", "mon 20:00", "foo 20:00-21:00", "mon 25:00-26:00", "mon 20:60-21:00",
             "mon 20:00-20:00", "mon 24:00-06:00", "mon-tue-wed 20:00-21:00"],
)  # fmt: skip
def test_a_span_nobody_can_read_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kogge.toml"
    path.write_text(TOML + f'[windows.nights]\nspans = ["{text}"]\n')
    with pytest.raises(Misconfigured, match=r"windows\.nights\.spans"):
        load(path)


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ("[windows.nights]\nspans = []", r"windows\.nights\.spans"),
        ('[windows.nights]\nspans = ["mon 20:00-21:00"]\ntimezone = "Berlin"', r"windows\.nights\.timezone"),
        ('[windows."a b"]\nspans = ["mon 20:00-21:00"]', "name a window"),
        ('[windows.nights]\nspan = ["mon 20:00-21:00"]', r"windows\.nights\.span"),
    ],
)
def test_a_window_that_is_wrong_is_refused(lines: str, field: str, tmp_path: Path) -> None:
    path = tmp_path / "kogge.toml"
    path.write_text(TOML + lines + "\n")
    with pytest.raises(Misconfigured, match=field):
        load(path)


TUESDAY = datetime(2026, 12, 1, 12, tzinfo=UTC)
"""13:00 in Berlin."""
HOUR = timedelta(hours=1)


def test_a_wave_runs_in_its_window_and_begins_nothing_just_before_it_closes() -> None:
    opening = Opening("w", window=window(["mon-fri 20:00-06:00"], "Europe/Berlin"), margin=HOUR / 4)
    assert not opening.open_at(TUESDAY)
    assert opening.opens(TUESDAY) == TUESDAY + 7 * HOUR
    assert opening.begins_at(TUESDAY + 7 * HOUR)
    assert opening.closes(TUESDAY + 7 * HOUR) == TUESDAY + 17 * HOUR
    late = TUESDAY + 17 * HOUR - MINUTE * 10
    assert opening.open_at(late)
    assert not opening.begins_at(late)
    assert opening.refusal(late) == "window-closed"
    assert "from Wed 2026-12-02 20:00 CET" in next_opening_text(opening, late)
    assert opening.refusal(TUESDAY + 17 * HOUR) == "window-closed"


def test_a_wave_does_not_run_before_its_date() -> None:
    nights = window(["mon-fri 20:00-06:00"], "Europe/Berlin")
    opening = Opening("w", starts=TUESDAY + timedelta(days=7), window=nights)
    assert not opening.open_at(TUESDAY + 8 * HOUR)
    assert opening.opens(TUESDAY) == TUESDAY + timedelta(days=7) + 7 * HOUR
    assert Opening("w", starts=TUESDAY).open_at(TUESDAY)
    assert Opening("w").open_at(TUESDAY)


def test_an_override_holds_until_the_window_opens_by_itself() -> None:
    nights = window(["mon-fri 20:00-06:00"], "Europe/Berlin")
    opening = Opening("w", window=nights, overridden=TUESDAY)
    assert opening.open_at(TUESDAY)
    assert opening.begins_at(TUESDAY + 6 * HOUR)
    assert opening.open_at(TUESDAY + 16 * HOUR)
    assert not opening.open_at(TUESDAY + 17 * HOUR)
    # Said just before it closes: for the day that follows.
    late = Opening("w", window=nights, overridden=TUESDAY + 17 * HOUR - MINUTE)
    assert late.open_at(TUESDAY + 20 * HOUR)
    assert not late.open_at(TUESDAY + timedelta(days=1) + 17 * HOUR)


def test_an_override_does_not_lift_a_pause() -> None:
    opening = Opening("w", paused=True, overridden=TUESDAY)
    assert opening.refusal(TUESDAY) == "paused"
    assert "kogge resume" in next_opening_text(opening, TUESDAY)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    (tmp_path / "kogge.toml").write_text(NIGHTS)
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    made.add_mailboxes([PlannedMailbox("a@x.example", "a@y.example", "w", Phase.STAGING, frozenset())])
    return made


def test_the_ledger_says_when_a_wave_may_run(ledger: Ledger, tmp_path: Path) -> None:
    config = load(tmp_path / "kogge.toml")
    refuse_closed(config, ledger, "w", TUESDAY)
    Waves(ledger).put([WaveRow("w", window="nights", starts=TUESDAY.timestamp())])
    with pytest.raises(Transient, match=r"Tue 2026-12-01 20:00 CET; or with --now") as refused:
        refuse_closed(config, ledger, "w", TUESDAY)
    assert refused.value.code == "window-closed"
    assert gate_of(config, ledger, "w").margin == timedelta(minutes=15)
    Waves(ledger).put([WaveRow("w", window="days")])
    with pytest.raises(Misconfigured, match=r"\[windows.days\]"):
        gate_of(config, ledger, "w")


def test_an_override_is_recorded_and_counts(ledger: Ledger, tmp_path: Path) -> None:
    config = load(tmp_path / "kogge.toml")
    now = datetime.now(UTC)
    Waves(ledger).put([WaveRow("w", starts=(now + timedelta(days=3)).timestamp())])
    with pytest.raises(Transient):
        refuse_closed(config, ledger, "w", now)
    wave_control.override(ledger, "w", "night shift")
    refuse_closed(config, ledger, "w", datetime.now(UTC) + MINUTE)
    (event,) = [one for one in ledger.events("w") if one.kind == wave_control.OVERRIDDEN]
    assert event.detail == {"by": "night shift"}


def test_a_pause_is_recorded_once(ledger: Ledger, tmp_path: Path) -> None:
    config = load(tmp_path / "kogge.toml")
    assert wave_control.set_paused(ledger, "w", True, "night shift", "server down")
    assert not wave_control.set_paused(ledger, "w", True, "day shift")
    with pytest.raises(Transient) as refused:
        refuse_closed(config, ledger, "w", TUESDAY)
    assert refused.value.code == "paused"
    assert wave_control.set_paused(ledger, "w", False, "day shift")
    refuse_closed(config, ledger, "w", TUESDAY)
    told = [(one.kind, dict(one.detail)) for one in ledger.events("w")]
    assert told == [
        ("paused", {"by": "night shift", "reason": "server down"}),
        ("resumed", {"by": "day shift"}),
    ]
    with pytest.raises(Misconfigured):
        wave_control.set_paused(ledger, "nobody", True, "night shift")


def test_priorities_are_kept_and_only_what_changes_is_written(ledger: Ledger) -> None:
    more = [PlannedMailbox(f"{n}@x.example", f"{n}@y.example", "v", Phase.STAGING, frozenset())
            for n in range(5)]  # fmt: skip
    ids = [str(one) for one in ledger.add_mailboxes(more)]
    wave_control.put_priorities(ledger, dict(zip(ids, (0, 5, 0, 9, 5), strict=True)))
    assert wave_control.priorities(ledger, "v") == {ids[1]: 5, ids[3]: 9, ids[4]: 5}
    assert wave_control.priorities(ledger, "w") == {}
    wave_control.put_priorities(ledger, {ids[1]: 0})
    assert wave_control.priorities(ledger) == {ids[3]: 9, ids[4]: 5}
