"""[source] and the sources of single workloads: what is read from where, and what a wrong table is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.approvals.signed_plan import digests_of_systems, systems_of
from engine.config.load import Config, load
from engine.pacing import server_names
from engine.pacing.server_notices import hosts_of
from engine.planning.throughput_estimate import pace_of
from engine.preflight.exposed_secrets import exposed_secrets
from engine.preflight.side_settings import login_place
from kogge.shown.mailbox_page import servers_of
from model.errors import Misconfigured
from model.kinds import Kind

TARGETS = """
[target.mail]
kind = "imap"
host = "mail.new.example"
password = { env = "TARGET" }
[target.calendar]
kind = "caldav"
url = "https://dav.new.example"
password = { env = "TARGET" }
"""
IMAP = 'kind = "imap"\nhost = "imap.old.example"\npassword = { env = "MAIL" }\n'
EWS = 'kind = "ews"\nurl = "https://ews.old.example/ews"\nusername = "u"\npassword = { env = "REST" }\n'
OTHER_EWS = EWS.replace("ews.old", "other.old")
ONE = f"[source]\n{EWS}"
TWO = f"{ONE}[source.mail]\n{IMAP}"
APART = f"[source.mail]\n{IMAP}[source.calendar]\n{EWS}"


def config(folder: Path, text: str, targets: str = TARGETS) -> Config:
    path = folder / "kogge.toml"
    path.write_text(text + targets)
    return load(path)


def test_one_source_serves_every_workload(tmp_path: Path) -> None:
    one = config(tmp_path, ONE)
    assert list(one.sources) == ["source"]
    assert one.source_of(Kind.MAIL) is one.source_of(Kind.CALENDAR)
    assert one.source.asked(one.workloads) == {"source": {Kind.MAIL, Kind.CALENDAR}}


@pytest.mark.parametrize(("text", "rest"), [(TWO, "source"), (APART, "source.calendar")])
def test_a_workload_has_a_source_of_its_own(tmp_path: Path, text: str, rest: str) -> None:
    two = config(tmp_path, text)
    assert [two.source_of(kind).kind for kind in two.workloads] == ["imap", "ews"]
    assert two.source.asked(two.workloads) == {"source.mail": {Kind.MAIL}, rest: {Kind.CALENDAR}}
    assert login_place(two, "source.mail")[1] == "imap.old.example:993"
    assert "source.mail.password" in login_place(two, "source.mail")[0]
    assert f"{rest}.password" in login_place(two, rest)[0]
    assert servers_of(two)["source.mail"] == "imap.old.example:993"
    assert servers_of(two)[rest] == "ews.old.example:443"


WRONG = {
    f"[source.mail]\n{IMAP}": "kogge.toml: source.calendar: is missing: [target.calendar] needs it",
    "": "kogge.toml: source: is missing",
    f"[source.mail]\n{IMAP}[source.calendar]\n{IMAP}": (
        'kogge.toml:6: source.calendar.kind: imap does not read calendar; give kind = "ews" or kind = "graph"'
    ),
    f"[source]\n{IMAP}[source.mail]\n{IMAP}": (
        "kogge.toml:2: source.kind: imap does not read calendar: give [source.calendar]"
    ),
    f"{TWO}[source.tasks]\n{EWS}": (
        "kogge.toml:10: source.tasks: there is no [target.tasks] that it could go to: "
        "give that, or remove this table"
    ),
    f"{ONE}[source.mial]\n{IMAP}": "kogge.toml:6: source.mial: unknown; did you mean mail?",
    f"[source.mial]\n{IMAP}": "kogge.toml:1: source.mial: unknown; did you mean mail?",
    f"{ONE}[source.mail]\nhots = 1\n{IMAP}": "kogge.toml:7: source.mail.hots: unknown; did you mean host?",
    f'{ONE}[source.mail]\nhost = "x"\n': "kogge.toml:6: source.mail.kind: give kind = ",
    f'[source]\nhost = "x"\n[source.mail]\n{IMAP}': "kogge.toml:1: source.kind: give kind = ",
    f'{ONE}mail = "imap"\n': "kogge.toml:6: source.mail.kind: give kind = ",
}


FILES = 'kind = "nextcloud"\nurl = "https://cloud.example"\npassword = { env = "FILES" }\n'
ROLES = {
    f"[source]\n{FILES}": (
        'kogge.toml:2: source.kind: nextcloud can only be a target; give kind = "ews" or kind = "graph"'
    ),
    f"{ONE}[source.mail]\n{FILES}": (
        'kogge.toml:7: source.mail.kind: nextcloud can only be a target; give kind = "ews"'
    ),
    f"{ONE}[target.tasks]\n{EWS}": (
        'kogge.toml:7: target.tasks.kind: ews can only be a source; give kind = "caldav"'
    ),
    f"{ONE}[target.tasks]\n{IMAP}": (
        'kogge.toml:7: target.tasks.kind: imap does not write tasks; give kind = "caldav"'
    ),
}
"""A connector in a place where it cannot be, and what is said."""
WRONG |= ROLES


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_table_is_told_with_file_field_and_advice(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        config(tmp_path, text)
    assert WRONG[text] in str(caught.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        config(tmp_path, f'[source]\nulr = "x"\n{EWS}[source.mail]\n{IMAP}hots = "x"\n')
    assert "kogge.toml:2: source.ulr: unknown; did you mean url?" in str(caught.value)
    assert "kogge.toml:11: source.mail.hots: unknown; did you mean host?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ONE, ["source.ews", "source.ews"]),
        (TWO, ["source.imap", "source.ews"]),
        (f"{ONE}[source.mail]\n{EWS}", ["source.ews", "source.ews"]),
        (f"{ONE}[source.mail]\n{OTHER_EWS}", ["source.ews-mail", "source.ews-calendar"]),
    ],
)
def test_two_servers_have_two_names(tmp_path: Path, text: str, names: list[str]) -> None:
    found = config(tmp_path, text)
    assert [server_names.systems_of(found, kind)[0] for kind in found.workloads] == names
    assert set(names) <= set(hosts_of(found))


def test_the_signed_plan_says_every_source(tmp_path: Path) -> None:
    one, two = config(tmp_path, ONE), config(tmp_path, TWO)
    systems = systems_of(two)
    assert systems is not None
    assert (systems["source"]["kind"], systems["source.mail"]["host"]) == ("ews", "imap.old.example")
    assert "env" not in json.dumps(systems)
    assert set(digests_of_systems(one)).isdisjoint(digests_of_systems(two))
    assert systems_of(two, version=1) is None, "an earlier version knew one source alone"
    slower = config(tmp_path, TWO.replace('host = "imap', 'connections = 1\nhost = "imap'))
    assert digests_of_systems(slower) == digests_of_systems(two)


def test_a_secret_of_each_source_is_looked_at(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    found = exposed_secrets(config(tmp_path, TWO.replace('{ env = "MAIL" }', f'{{ file = "{secret}" }}')))
    shown = all(folder.stat().st_mode & 1 for folder in secret.resolve().parents)
    assert found == (["kogge.toml:9: source.mail.password"] if shown else [])


def test_the_tightest_source_counts_for_an_estimate(tmp_path: Path) -> None:
    alone = config(tmp_path, f"[source]\n{IMAP}")
    assert pace_of(alone, {}).at_once is None
    assert pace_of(config(tmp_path, TWO), {}).at_once == pace_of(config(tmp_path, ONE), {}).at_once == 27
