"""How long it takes: the larger of rate and throttle, corrected by what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.graph.connector import MAILBOX_REQUESTS
from engine.config.load import load
from engine.planning.throughput_estimate import Estimate, Load, Throughput, estimate, pace_of
from ledger.views.rates import Measured
from model.kinds import Kind

PACE = Throughput(items=dict.fromkeys(Kind, 10.0), bytes=1000.0, parallel=4)


def mail(items: int, size: int = 0) -> Load:
    return Load({Kind.MAIL: items}, {Kind.MAIL: size})


def test_items_and_bytes_both_take_time() -> None:
    assert PACE.seconds(mail(100, 5000)) == 15.0
    assert PACE.seconds(Load({Kind.MAIL: 10, Kind.CALENDAR: 20}, {})) == 3.0


def test_several_at_once_share_the_time() -> None:
    assert estimate([mail(100)] * 8, PACE) == Estimate(8, 800, 0, 20.0, "rate", alone=False)


def test_one_large_mailbox_is_not_shared() -> None:
    found = estimate([mail(10), mail(1000)], PACE)
    assert (found.seconds, found.by, found.alone) == (100.0, "rate", True)


def test_what_the_source_allows_one_mailbox_decides_where_it_is_slower() -> None:
    slow = Throughput(PACE.items, 1e9, 4, mailbox_requests=MAILBOX_REQUESTS)
    found = estimate([mail(100_000)], slow)
    assert found.by == "throttle"
    assert found.hours == pytest.approx(100_000 * 2 / (10_000 / 600) / 3600)
    assert not found.alone  # there is no other that waits for it


def test_what_the_source_allows_overall_decides_where_it_is_slower() -> None:
    asked = Throughput(PACE.items, 1e9, 100, requests=10.0)
    assert estimate([mail(100)] * 50, asked).seconds == 50 * 100 * 2 / 10
    at_once = Throughput(PACE.items, 1e9, 100, at_once=5)
    found = estimate([mail(100)] * 50, at_once)
    assert (found.seconds, found.by) == (100.0, "throttle")


def test_nothing_left_takes_no_time() -> None:
    assert estimate([], PACE) == Estimate(0, 0, 0, 0.0, "rate", alone=False)


def test_what_was_measured_corrects_what_was_assumed() -> None:
    slower = PACE.corrected({Kind.MAIL: Measured(seconds=36_000, items=100_000, bytes=10_000_000)})
    assert slower[Kind.MAIL] == pytest.approx(36_000 / 20_000, rel=0.01)
    few = PACE.corrected({Kind.MAIL: Measured(seconds=1, items=1, bytes=0)})
    assert few[Kind.MAIL] == pytest.approx(1.0, rel=0.02)  # one mail proves nothing


TOML = """
[source]
kind = "%s"
%s
[target.mail]
kind = "imap"
host = "localhost"
password = { env = "X" }
[run]
mailboxes_at_once = 8
[plan]
workers = 5
"""
EWS = 'url = "https://x/EWS/Exchange.asmx"\nauth = "basic"\nusername = "u"\npassword = { env = "X" }'
GRAPH = (
    'tenant = "x.example"\nclient_id = "00000000-0000-0000-0000-000000000000"\nclient_secret = { env = "X" }'
)


@pytest.mark.parametrize(
    ("kind", "source", "one", "at_once"), [("ews", EWS, None, 27), ("graph", GRAPH, MAILBOX_REQUESTS, None)]
)
def test_the_source_says_what_it_allows(tmp_path: Path, kind, source, one, at_once) -> None:
    (tmp_path / "kogge.toml").write_text(TOML % (kind, source))
    pace = pace_of(load(tmp_path / "kogge.toml"), {})
    assert (pace.parallel, pace.mailbox_requests, pace.at_once) == (40, one, at_once)
