"""What Prometheus makes of the files in deploy/: the alerts fire, and no panel asks for what is not there.

One wave runs while a Prometheus of the test's own scrapes it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mail_proxy import free_port
from proving import Place, until
from servers.dovecot import Dovecot
from services import needed

from ledger.db import counters
from ledger.views.metrics import Metrics
from reports.metrics.families import families

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = PROMETHEUS / "kogge.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "kogge.json"
SECONDS = 120.0
QUIET = (
    "lease_losses",
    "lease_takeovers",
    "ledger_errors",
    "items_not_moved",
    "server_pace",
    "server_workers",
)
"""Metrics without a value in a wave without such trouble, or in one that ends between two readings."""


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    for program in ("prometheus", "promtool"):
        needed(shutil.which(program) is not None, f"{program} is not installed")


def promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules_and_the_example() -> None:
    promtool("check", "rules", RULES.name)
    promtool("check", "config", "prometheus.yml")


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    promtool("test", "rules", "kogge.rules.test.yml")
    tested = (PROMETHEUS / "kogge.rules.test.yml").read_text()
    for alert in re.findall(r"alert: (\w+)", RULES.read_text()):
        assert f"{{alertname: {alert}, " in tested or alert in NEVER_TOO_EARLY, "when it is still silent"
        assert re.search(rf"alertname: {alert}\n\s+eval_time: \w+\n\s+exp_alerts:", tested), "when it fires"


NEVER_TOO_EARLY = ("KoggeServerFaults",)
"""Its test has a server that is just below the limit."""


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\bkogge_\w+", text))


def known_names() -> set[str]:
    """The time series that Kogge can have."""
    known = set()
    for family in families(Metrics(seen=1.0)):
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
        known |= {family.name + ending for ending in endings}
    reading = {"kogge_ledger_up", "kogge_ledger_read_seconds", "kogge_ledger_read_timestamp_seconds"}
    return known | reading | {"kogge_build_info"}


def expressions() -> list[str]:
    """Every query of the dashboard, for all waves."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"].replace("$wave", ".*") for panel in panels for target in panel.get("targets", ())]


@pytest.mark.parametrize("path", [RULES, DASHBOARD])
def test_nothing_asks_for_a_metric_that_does_not_exist(path: Path) -> None:
    named = names_in(path.read_text())
    assert len(named) > 8
    assert named <= known_names()


def test_the_guide_names_every_metric_and_every_alert() -> None:
    guide = (DEPLOY.parent / "docs" / "observability.md").read_text()
    roles = set(re.findall(r"CREATE ROLE (\w+)", (DEPLOY / "databases.sql").read_text()))
    histogram = re.compile("_(bucket|count|sum)$")
    known = {histogram.sub("", name) for name in known_names()}
    assert names_in(guide) - roles | {"kogge_build_info"} == known
    assert set(re.findall(r"\bKogge[A-Z]\w+", guide)) == set(re.findall(r"alert: (\w+)", RULES.read_text()))


def test_every_counter_of_the_ledger_is_served() -> None:
    kept = {value for name, value in vars(counters).items() if name.isupper() and isinstance(value, str)}
    counted = Metrics(counters={(name, ("a",) * width): 1.0 for name in kept for width in range(1, 5)})
    served = [family for family in families(counted) if family.name in {*SERVED_FROM_COUNTERS}]
    assert len(served) == len(SERVED_FROM_COUNTERS)
    assert all(family.samples for family in served)


SERVED_FROM_COUNTERS = (
    "kogge_leg_ends",
    "kogge_server_calls",
    "kogge_server_faults",
    "kogge_server_call_seconds",
    "kogge_ledger_errors",
    "kogge_ledger_transaction_seconds",
)


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= dashboard.keys()
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not taken & cells, f"{panel['title']} lies upon another panel"
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A running Prometheus."""

    url: str

    def ask(self, path: str, **query: str | float) -> Any:
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that fire, by name and wave."""
        alerts = self.ask("alerts")["alerts"]
        names = [one["labels"] for one in alerts if one["state"] == "firing"]
        return {(labels["alertname"], labels.get("wave", "")) for labels in names}

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def prometheus(directory: Path, target: str) -> Iterator[Asked]:
    """Starts one that scrapes every second, with the alerts of deploy/ but for how long they wait."""
    (directory / RULES.name).write_text(re.sub(r"for: \w+\n", "for: 0s\n", RULES.read_text()))
    (directory / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{RULES.name}]\n"
        f"scrape_configs: [{{job_name: kogge, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asked = Asked(f"http://127.0.0.1:{port}")
        until(asked.is_ready, seconds=SECONDS)
        yield asked
    finally:
        running.terminate()
        running.wait(60)


def unanswered(asked: Asked, began: float) -> list[str]:
    """The queries of the dashboard without a value since then, of those that should have one."""
    time.sleep(1)  # the numbers are as new as the newest reading of the ledger
    window = {"start": began, "end": time.time(), "step": 1}
    wanted = [one for one in expressions() if not any(quiet in one for quiet in QUIET)]
    return [one for one in wanted if not asked.ask("query_range", query=one, **window)["result"]]


@contextmanager
def served(place: Place) -> Iterator[str]:
    """Runs `kogge metrics`: the address that it says it serves."""
    with place.running("metrics", "--listen", "127.0.0.1:0") as running:
        assert running.process.stderr is not None
        yield json.loads(running.process.stderr.readline())["message"].partition("http://")[2]


@pytest.mark.dovecot
@pytest.mark.prefect
def test_a_blocked_mailbox_fires_an_alert_and_every_panel_has_its_numbers(
    place: Place, dovecot: Dovecot, tmp_path: Path
) -> None:
    people = place.exchange.world.addresses()
    persons = [*people, *place.pairs.values()]
    dovecot.set_quota(place.pairs[people[0]], 100_000)
    place.tables["logging"] = {"format": '"json"'}
    place.configure()
    with served(place) as address, prometheus(tmp_path, address.removesuffix("/metrics")) as asked:
        began = time.time()
        done = place.run("migrate", "--wave", "pilot")
        assert done.code == 1
        until(lambda: ("KoggeMailboxBlocked", "pilot") in asked.firing(), seconds=SECONDS)
        fired = {name for name, _ in asked.firing()}
        assert not fired & {
            "KoggeMetricsMissing",
            "KoggeLedgerDown",
            "KoggeManyBlocked",
            "KoggeMailboxDiffers",
        }
        with urllib.request.urlopen(f"http://{address}", timeout=30) as answer:
            page = answer.read().decode()
        until(lambda: unanswered(asked, began) == [], seconds=SECONDS)
    assert [one for one in persons if one in page or one.partition("@")[0] in page] == []
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert {line["logger"].partition(".")[0] for line in lines} == {"kogge", "prefect"}
    ended = [line for line in lines if line["message"] == "workload ended"]
    assert {(line["wave"], line["workload"]) for line in ended} == {("pilot", "mail")}
    assert {line["mailbox"] for line in ended} == {
        number for (number,) in place.query("SELECT id FROM mailbox")
    }
    assert [line["level"] for line in ended if line.get("code") == "over-quota"] == ["warning"]
    assert [one for one in persons if one in done.err or one.partition("@")[0] in done.err] == []
    assert 'kogge_legs{code="over-quota",state="blocked",wave="pilot",workload="mail"} 1.0' in page
