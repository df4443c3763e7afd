"""The map of a mail proxy: who is sent where, how its files are replaced, and what is refused."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run

from engine.config.load import Config, load
from engine.config.mail_routes import MailServer, MailServers
from engine.cutover import mail_routes
from engine.cutover.mail_routes import route_lines, write_mail_routes
from ledger.db.rows import Phase
from ledger.leg.cutover_steps import BACK, DONE, RELEASE, Steps
from ledger.leg.mail_routes import RouteRow
from ledger.leg.mail_routes import mail_routes as routes_of
from ledger.plan.callers import name_listed
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Misconfigured
from model.kinds import Kind

MAIL = frozenset({Kind.MAIL})
BASIC = """
[ledger]
url = "sqlite:///ledger.db"
[source]
kind = "imap"
host = "127.0.0.1"
password = { env = "NONE" }
[target.mail]
kind = "imap"
host = "127.0.0.1"
password = { env = "NONE" }
[target.contacts]
kind = "carddav"
url = "https://dav.example.org"
password = { env = "NONE" }
"""
ROUTES = """
[mail_routes]
imap.old = { host = "mail.old.example", port = 993 }
imap.new = { host = "imap.new.example", port = 993 }
submission.old = { host = "mail.old.example", port = 465 }
submission.new = { host = "192.0.2.7", port = 587, security = "starttls" }
"""
SERVERS = MailServers(
    old=MailServer(host="mail.old.example", port=993), new=MailServer(host="imap.new.example", port=993)
)


def people(count: int, wave: str = "w") -> list[PlannedMailbox]:
    return [
        PlannedMailbox(f"p{n}@old.example", f"p{n}@new.example", wave, Phase.STAGING, MAIL)
        for n in range(count)
    ]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "kogge.toml").write_text(BASIC + ROUTES)
    return load(tmp_path / "kogge.toml")


@pytest.fixture
def ledger(config: Config) -> Iterator[Ledger]:
    opened = Ledger(config.ledger_url())
    opened.migrate()
    yield opened
    opened.close()


def names(config: Config, server: str, protocol: str = "imap") -> set[str]:
    """Who is sent to a server."""
    text = (config.path.parent / "mail-routes" / protocol).read_text()
    return {line.partition(":")[0] for line in text.splitlines() if f"host={server} " in f"{line} "}


def row(source: Sequence[str], target: Sequence[str], *, moved: bool, mailbox: str = "m-1") -> RouteRow:
    return RouteRow(mailbox, tuple(source), tuple(target), moved)


def test_the_states_of_the_ledger_decide(config: Config, ledger: Ledger) -> None:
    ids = list(map(str, ledger.add_mailboxes(people(6))))
    contacts = PlannedMailbox(
        "c@old.example", "c@new.example", "w", Phase.STAGING, frozenset({Kind.CONTACTS})
    )
    ledger.add_mailboxes([contacts])
    ledger.set_phase(ids[1], Phase.FROZEN, "tester")
    ledger.set_phase(ids[2], Phase.LIVE, "tester")
    steps = Steps(ledger)
    for number, name in ((3, RELEASE), (4, RELEASE), (4, BACK)):
        steps.begin(ids[number], name, back=name == BACK)
        steps.finish(ids[number], name, DONE)
    steps.begin(ids[5], RELEASE)
    moved = {one.source[0] for one in routes_of(ledger) if one.moved}
    assert moved == {"p2@old.example", "p3@old.example"}
    written = write_mail_routes(config, ledger)
    assert [(one.protocol, one.old, one.new, one.written) for one in written] == [
        ("imap", 4, 2, True),
        ("submission", 4, 2, True),
    ]
    old = {f"p{n}@old.example" for n in (0, 1, 4, 5)} | {"p4@new.example"}  # the fourth was taken back
    new = {f"p{n}@{side}.example" for n in (2, 3) for side in ("old", "new")}
    assert names(config, "imap.new.example") == names(config, "192.0.2.7", "submission") == new
    assert names(config, "mail.old.example") == names(config, "mail.old.example", "submission") == old


def test_each_name_is_sent_on_under_the_login_that_the_server_knows() -> None:
    rows = [
        row(("OLD\\Anna", "Anna@old.example"), ("anna01", "anna@new.example"), moved=True),
        row(("bert@old.example",), ("bert@new.example",), moved=False, mailbox="m-2"),
    ]
    old, new = (
        f"nopassword=yes proxy=yes host={host} port=993 ssl=yes"
        for host in ("mail.old.example", "imap.new.example")
    )
    assert route_lines(rows, SERVERS) == sorted(
        [
            f"old\\anna:::::::{new} destuser=anna01",
            f"anna@old.example:::::::{new} destuser=anna01",
            f"anna01:::::::{new}",
            f"anna@new.example:::::::{new} destuser=anna01",
            f"bert@old.example:::::::{old}",
        ]
    )


def test_a_new_name_leads_nowhere_before_the_cutover() -> None:
    """At the old server it may be the login of somebody who is in no plan."""
    anna = row(("anna@old.example",), ("a.adler", "anna@new.example"), moved=False)
    assert [line.partition(":")[0] for line in route_lines([anna], SERVERS)] == ["anna@old.example"]
    taken_back = route_lines([replace(anna, returned=True)], SERVERS)
    assert [line.rpartition("=")[2] for line in taken_back if line.startswith("a.adler:")] == [anna.source[0]]


@pytest.mark.parametrize(
    "other",
    [
        PlannedMailbox("A.Adler@old.example", "aa@new.example", "w", Phase.STAGING, MAIL),
        PlannedMailbox("x@old.example", "a.adler@x.example", "w", Phase.STAGING, frozenset({Kind.CONTACTS})),
        PlannedMailbox("x@old.example", "x@new.example", "w", Phase.STAGING, MAIL, source_login="a.adler"),
        None,
    ],
)
def test_a_new_name_that_may_be_anothers_old_one_leads_nowhere(
    config: Config, ledger: Ledger, other: PlannedMailbox | None
) -> None:
    """With None, the other one stands in a list, in a wave that has not begun."""
    anna = PlannedMailbox(
        "anna@old.example", "anna@new.example", "w", Phase.STAGING, MAIL, target_login="a.adler"
    )
    ids = list(map(str, ledger.add_mailboxes([anna, *([other] if other else [])])))
    if other is None:
        name_listed(ledger, "list", {"x@old.example": ["a.adler@old.example"]})
    ledger.set_phase(ids[0], Phase.LIVE, "tester")
    write_mail_routes(config, ledger)
    assert names(config, "imap.new.example") == {"anna@old.example", "anna@new.example"}


def test_a_name_of_two_people_at_the_new_server_is_sent_nowhere_until_they_agree() -> None:
    shared = [
        row((f"{who}@old.example",), ("team@new.example",), moved=moved, mailbox=who)
        for who, moved in (("anna", True), ("bert", False))
    ]
    assert not any(line.startswith("team@") for line in route_lines(shared, SERVERS))
    both = [RouteRow(one.mailbox, one.source, one.target, moved=True) for one in shared]
    assert any(line.startswith("team@") for line in route_lines(both, SERVERS))


def test_a_name_at_the_old_server_comes_before_the_same_at_the_new_one() -> None:
    rows = [
        row(("anna@x.example",), ("bert@x.example",), moved=True),
        row(("bert@x.example",), ("bert2@x.example",), moved=False, mailbox="m-2"),
    ]
    lines = {line.partition(":")[0]: line for line in route_lines(rows, SERVERS)}
    assert "host=mail.old.example" in lines["bert@x.example"]


@pytest.mark.parametrize(
    "name", ["a b@x.example", "a:b@x.example", "#a@x.example", "a%{user}@x.example", "a\nb"]
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_login_that_cannot_stand_there_is_refused_without_being_named(name: str, side: str) -> None:
    pair = {"source": ("anna@x.example",), "target": ("anna@y.example",), side: (name,)}
    with pytest.raises(Misconfigured) as caught:
        route_lines([row(pair["source"], pair["target"], moved=side == "target")], SERVERS)
    assert "m-1" in str(caught.value)
    assert name not in str(caught.value)


def test_two_people_with_one_login_are_refused(config: Config, ledger: Ledger) -> None:
    one, other = people(2)
    ids = ledger.add_mailboxes(
        [
            one,
            PlannedMailbox(
                other.source, other.target, "w", Phase.STAGING, MAIL, source_login="P0@old.example"
            ),
        ]
    )
    with pytest.raises(Misconfigured, match=f"{ids[0]} and {ids[1]}|{ids[1]} and {ids[0]}"):
        write_mail_routes(config, ledger)
    assert not (config.path.parent / "mail-routes" / "imap").exists()


def test_a_ledger_of_nobody_writes_no_empty_map(config: Config, ledger: Ledger) -> None:
    with pytest.raises(Misconfigured, match="is it the right one"):
        write_mail_routes(config, ledger)


def test_an_older_ledger_sends_nobody_back_before_a_person_says_so(config: Config, ledger: Ledger) -> None:
    ids = list(map(str, ledger.add_mailboxes(people(30))))
    for mailbox in ids:
        ledger.set_phase(mailbox, Phase.LIVE, "tester")
    write_mail_routes(config, ledger)
    before = names(config, "imap.new.example")
    older = Ledger(f"sqlite:///{config.path.parent}/older.db")
    older.migrate()
    older.add_mailboxes(people(30))
    with pytest.raises(Misconfigured, match="60 of 60 logins would go back"):
        write_mail_routes(config, older)
    assert names(config, "imap.new.example") == before
    (told, _) = write_mail_routes(config, older, dry_run=True)
    assert (told.changed, told.written) == (90, False)
    write_mail_routes(config, older, many_back=True)
    assert not names(config, "imap.new.example")
    older.close()


def test_it_is_written_once_and_only_its_owner_reads_it(config: Config, ledger: Ledger) -> None:
    ledger.add_mailboxes(people(2))
    directory = config.path.parent / "mail-routes"
    assert not any(one.written for one in write_mail_routes(config, ledger, dry_run=True))
    assert not directory.exists()
    write_mail_routes(config, ledger)
    before = {file.name: file.stat() for file in directory.iterdir()}
    assert not any(one.written or one.changed for one in write_mail_routes(config, ledger))
    assert {file.name: file.stat().st_ino for file in directory.iterdir()} == {
        name: status.st_ino for name, status in before.items()
    }
    assert {stat.S_IMODE(status.st_mode) for status in before.values()} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_each_map_is_a_second_newer_than_the_last(config: Config, ledger: Ledger) -> None:
    """Dovecot reads a file again when its time differs in whole seconds."""
    ids = list(map(str, ledger.add_mailboxes(people(3))))
    times = []
    for mailbox in ids:
        ledger.set_phase(mailbox, Phase.LIVE, "tester")
        write_mail_routes(config, ledger)
        times.append(int((config.path.parent / "mail-routes" / "imap").stat().st_mtime))
    assert times[0] < times[1] < times[2]


KILLED = """
import os, signal, sys
from pathlib import Path
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from kogge.app import main
main(["routes"])
"""


def test_a_kill_between_writing_and_renaming_leaves_the_old_map(config: Config, ledger: Ledger) -> None:
    (first, second) = map(str, ledger.add_mailboxes(people(2)))
    ledger.set_phase(first, Phase.LIVE, "tester")
    write_mail_routes(config, ledger)
    before = {one: names(config, "imap.new.example", one) for one in ("imap", "submission")}
    ledger.set_phase(second, Phase.LIVE, "tester")
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=config.path.parent, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert {one: names(config, "imap.new.example", one) for one in before} == before
    assert (config.path.parent / "mail-routes" / ".imap.new").exists(), "it died where it was meant to"
    assert all(one.written for one in write_mail_routes(config, ledger))
    assert len(names(config, "imap.new.example")) == 4


def test_a_writer_that_waited_reads_the_ledger_when_it_is_its_turn(
    config: Config, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    (only,) = map(str, ledger.add_mailboxes(people(1)))
    begun, go_on = threading.Event(), threading.Event()
    write = mail_routes._write

    def slow(file: Path, text: str) -> None:
        begun.set()
        assert go_on.wait(20)
        write(file, text)

    monkeypatch.setattr(mail_routes, "_write", slow)
    early = threading.Thread(target=write_mail_routes, args=(config, ledger))
    early.start()
    assert begun.wait(20)
    ledger.set_phase(only, Phase.LIVE, "tester")
    late = threading.Thread(target=write_mail_routes, args=(config, ledger))
    late.start()
    go_on.set()
    early.join()
    late.join()
    assert names(config, "imap.new.example") == {"p0@old.example", "p0@new.example"}


def test_the_command_says_counts_and_no_address(
    config: Config, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(config.path.parent)
    ids = list(map(str, ledger.add_mailboxes(people(3))))
    ledger.set_phase(ids[0], Phase.LIVE, "tester")
    assert run("routes", "--dry-run") == run("routes") == run("routes") == 0
    assert capfd.readouterr().out.splitlines()[::2] == [
        "imap: 2 people at the old server, 1 at the new one; would change 4 lines",
        "imap: 2 people at the old server, 1 at the new one; written",
        "imap: 2 people at the old server, 1 at the new one; as it was",
    ]
    assert run("routes", "--json") == 0
    said = capfd.readouterr()
    assert json.loads(said.out)[1]["new"] == 1
    assert "@" not in said.out + said.err


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("", "is not there: docs/mail-proxy.md"),
        ("[mail_routes]\n", "give imap, submission or both"),
        (ROUTES.replace("imap.new.example", "mail.old.example"), "old and new are one server"),
        (ROUTES.replace("imap.new.example", "imap.new.example:993"), "without a port"),
        (ROUTES.replace('"starttls"', '"none"'), "own machine only"),
        (ROUTES.replace("mail.old.example", "x proxy=no"), "give a host's name"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, table: str, why: str, ledger: Ledger) -> None:
    (tmp_path / "kogge.toml").write_text(BASIC + table)
    with pytest.raises(Misconfigured, match=why):
        write_mail_routes(load(tmp_path / "kogge.toml"), ledger)
