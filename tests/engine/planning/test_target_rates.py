"""How long a target's rate limit makes a wave take, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.http.rate_limit import RateLimit
from engine.config.load import Config, load
from engine.planning.target_rates import TargetRate, target_rates
from engine.planning.throughput_estimate import Load, estimate, pace_of
from model.kinds import Kind

HEAD = """\
[source]
kind = "imap"
host = "imap.example.org"
auth = "master-user"
username = "m"
password = { env = "X" }
"""
SECTION = """\
[target.NAME]
kind = "KIND"
url = "https://ox.example.net/NAME"
profile = "open-xchange"
password = { env = "X" }
"""


def configured(folder: Path, **more: str) -> Config:
    sections = [
        SECTION.replace("NAME", name).replace("KIND", kind) + more.get(name, "")
        for name, kind in (("calendar", "caldav"), ("contacts", "carddav"), ("tasks", "caldav"))
    ]
    (folder / "kogge.toml").write_text(HEAD + "".join(sections))
    return load(folder / "kogge.toml")


def test_three_workloads_of_one_server_share_its_limit(tmp_path: Path) -> None:
    (rate,) = target_rates(configured(tmp_path))
    assert rate.workloads == (Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS)
    assert rate.limit == RateLimit(1500, 300.0)
    boxes = [{Kind.CALENDAR: 6000, Kind.CONTACTS: 3000, Kind.MAIL: 10**6}] * 10
    assert rate.requests(boxes[0]) == pytest.approx(9000 * 1.1 + 2 * 45)
    assert rate.seconds(boxes) == pytest.approx(10 * (9900 + 90) / 5)
    assert rate.lines(boxes) == [
        "target.calendar, target.contacts, target.tasks: 1,500 requests in 300 s from all workers together;"
        " 90,000 items take at least 5.5 hours. To be faster, ask its host to raise"
        " com.openexchange.servlet.maxRate, or exempt the workers' address from it; then set rate_limit."
    ]
    assert rate.document(boxes)["hours_at_least"] == 5.55


def test_a_host_that_raised_its_limit_or_switched_it_off(tmp_path: Path) -> None:
    more = dict.fromkeys(("calendar", "contacts", "tasks"), "rate_limit = 30_000\n")
    (rate,) = target_rates(configured(tmp_path, **more))
    assert rate.limit == RateLimit(30_000, 300.0)
    (lowest,) = target_rates(configured(tmp_path, **{**more, "tasks": ""}))
    assert lowest.limit == RateLimit(1500, 300.0)
    assert target_rates(configured(tmp_path, **dict.fromkeys(more, "rate_limit = 0\n"))) == []


def test_the_limit_decides_where_it_is_slower_than_the_rate(tmp_path: Path) -> None:
    config = configured(tmp_path)
    loads = [Load({Kind.CALENDAR: 1000}, {}) for _ in range(100)]
    found = estimate(loads, pace_of(config, {}))
    assert (found.by, found.seconds) == ("target", pytest.approx(100 * 1145 / 5))
    free = configured(tmp_path, **dict.fromkeys(("calendar", "contacts", "tasks"), "rate_limit = 0\n"))
    assert estimate(loads, pace_of(free, {})).by == "rate"


def test_a_product_whose_host_can_do_nothing() -> None:
    (line,) = TargetRate((Kind.CALENDAR,), RateLimit(10, 1.0)).lines([])
    assert line == "target.calendar: 10 requests in 1 s from all workers together."
