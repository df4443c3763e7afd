"""`kogge links` against the practice Microsoft 365: what is found, where it leads, and that nothing stays."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from commands import run
from configurations import graph_source
from whole_tables import every_row

import engine.preflight.link_report
from connectors.settings import Account
from engine.assembly import build_leg
from engine.config.load import Config, load
from engine.planning.load_plan import plan
from ledger.db.rows import LegState
from ledger.store import Ledger
from model.errors import CursorLost
from model.protocols import Source
from practice.drive.drive import Drive, Node
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.drive.sites import MY_HOST
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.graph_items.drive_rows import web_of
from practice.graph_items.drives import GraphDrives
from practice.nextcloud.files import NextcloudFiles
from practice.servers.imap import start_imap
from practice.world.world import World

RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
ELSEWHERE = "https://fabrikam.sharepoint.example/sites/one/a.docx"
LOST = f"https://{MY_HOST}/personal/nobody/Documents/lost.txt"
SECRET_NAME = "geheimer plan"


@dataclass
class Place:
    """Two people, with mail and a drive each, and where both go."""

    path: Path
    world: World
    drives: Drives
    graph: GraphServer
    anna: str
    bernd: str

    def drive(self, who: str) -> Drive:
        return self.drives.of(who)

    def write(self, who: str, name: str, content: bytes, *folders: str) -> str:
        """A file's address in a browser."""
        drive, node = self.drive(who), self.drive(who).root
        for folder in folders:
            node = node.children.get(folder) or drive.folder(node, folder)
        return self.web(who, drive.write(node, name, content))

    def web(self, who: str, node: Node) -> str:
        return web_of(self.drive(who), node)

    def deliver(self, who: str, *urls: str) -> None:
        mailbox = self.world.mailbox(who)
        mailbox.deliver(mailbox.distinguished("inbox"), subject="links", text="\n".join(urls))

    def config(self, name: str = "kogge.toml") -> Config:
        return load(self.path / name)

    def move(self, name: str = "kogge.toml") -> None:
        config = self.config(name)
        config.state_directory.mkdir(mode=0o700, exist_ok=True)
        with closing(Ledger(config.ledger_url())) as ledger:
            ledger.migrate()
            for number in plan(config, ledger).ids:
                ledger.approve(number, "asserted", "somebody", "looked at it")
            legs = [leg.id for leg in ledger.legs() if leg.state is LegState.PENDING]
        for leg in legs:
            assert build_leg(config, leg).run().state is LegState.VERIFIED

    def ids(self) -> dict[str, str]:
        with closing(Ledger(self.config().ledger_url())) as ledger:
            return {row.source: row.id for row in ledger.mailboxes()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    world = World(seed=5, people=2, items=0, nasty=False)
    anna, bernd = world.addresses()
    drives = Drives(world, Tree(files=0, nasty=False), Tree(files=3, nasty=False))
    with ExitStack() as stack:
        server = stack.enter_context(GraphServer(world, services=[GraphDrives(drives)]))
        exchange = stack.enter_context(ExchangeServer(world))
        cloud = stack.enter_context(NextcloudFiles([anna, bernd]))
        imap = start_imap([anna, bernd], prefer_dovecot=False)
        stack.callback(imap.stop)
        service = next(one for one in world.service_accounts.values() if one.may_impersonate)
        passwords = {
            "GRAPH": server.secret,
            "EWS": service.password,
            "IMAP": imap.master_password,
            "FILES": cloud.user_password,
        }
        for name, value in passwords.items():
            monkeypatch.setenv(f"KOGGE_TEST_{name}", value)
        mail = f"""
[target.mail]
kind = "imap"
host = "{imap.host}"
port = {imap.port}
security = "none"
auth = "{imap.auth}"
username = "{imap.master_user}"
password = {{ env = "KOGGE_TEST_IMAP" }}
"""
        files = f"""
[target.files]
kind = "nextcloud"
url = "{cloud.url}"
root = "Alt"
password = {{ env = "KOGGE_TEST_FILES" }}
"""
        graph = f"""
[approval]
required = 0
{graph_source(server, "KOGGE_TEST_GRAPH", patience=2)}"""
        ews = f"""
[approval]
required = 0
[source]
kind = "ews"
url = "{exchange.url}"
auth = "basic"
username = "{exchange.world and service.address}"
password = {{ env = "KOGGE_TEST_EWS" }}
"""
        (tmp_path / "kogge.toml").write_text(graph + mail + files)
        (tmp_path / "ews.toml").write_text(ews + mail)
        rows = "".join(f"{who},{who},w\n" for who in (anna, bernd))
        (tmp_path / "mailboxes.csv").write_text("source,target,wave\n" + rows)
        yield Place(tmp_path, world, drives, server, anna, bernd)


def links(place: Place, *arguments: str, code: int = 0) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of the CSV, by mailbox and address."""
    assert run("links", "--wave", "w", "--csv", "links.csv", *arguments) == code
    with (place.path / "links.csv").open(encoding="utf-8", newline="") as file:
        return {(row["mailbox"], row["url"]): row for row in csv.DictReader(file)}


def ends(rows: dict[tuple[str, str], dict[str, str]]) -> dict[str, tuple[str, str, str]]:
    return {url: (row["holder"], row["target"], row["why"]) for (_, url), row in rows.items()}


def docx(*targets: str) -> bytes:
    made = BytesIO()
    rows = "".join(f'<Relationship Target="{one}" TargetMode="External"/>' for one in targets)
    with ZipFile(made, "w") as package:
        package.writestr(
            "word/_rels/document.xml.rels", f'<Relationships xmlns="{RELATIONSHIPS}">{rows}</Relationships>'
        )
    return made.getvalue()


def test_each_link_with_the_place_of_its_file_or_why_not(place: Place) -> None:
    own = place.write(place.anna, f"{SECRET_NAME}.txt", b"1", "Arbeit", "Tief")
    theirs = place.write(place.bernd, "Bericht.txt", b"2")
    folder = place.web(place.anna, place.drive(place.anna).at("Arbeit"))
    root = place.drive(place.anna).web
    stays = web_of(library := place.drives.site("sites/bauamt").libraries[0], next(library.root.walk()))
    gone = place.write(place.bernd, "weg.txt", b"3")
    place.drive(place.bernd).delete(place.drive(place.bernd).at("weg.txt"))
    place.deliver(place.anna, own, folder, root, gone, LOST, ELSEWHERE, "https://example.org/")
    place.deliver(place.bernd, theirs, stays)
    inside = place.write(place.bernd, "Verweise.docx", docx(theirs, own), "Ordner")
    place.write(place.bernd, "Bild.bin", own.encode())
    place.move()
    anna, bernd = place.ids()[place.anna], place.ids()[place.bernd]

    rows = links(place)
    assert ends(rows) == {
        own: (anna, f"/Alt/Arbeit/Tief/{SECRET_NAME}.txt", ""),
        theirs: (bernd, "/Alt/Bericht.txt", ""),
        folder: (anna, "/Alt/Arbeit", ""),
        root: (anna, "/Alt", ""),
        stays: ("", "", "not-migrated"),
        gone: ("", "", "gone"),
        LOST: ("", "", "gone"),
        ELSEWHERE: ("", "", "other-tenant"),
    }
    assert inside not in ends(rows)
    in_file = rows[bernd, own]
    assert (in_file["workload"], in_file["folder"]) == ("files", "OneDrive > Ordner")
    in_mail = rows[anna, own]
    assert (in_mail["workload"], in_mail["date"][:4]) == ("mail", "2026")
    assert links(place, "--from", "target") == rows


def test_one_mailbox_and_json(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    own = place.write(place.anna, "a.txt", b"1")
    place.deliver(place.anna, own)
    place.deliver(place.bernd, own)
    place.move()
    capsys.readouterr()
    assert run("links", "--mailbox", place.bernd, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    (link,) = document["links"]
    assert (link["mailbox"], link["holder"]) == (place.ids()[place.bernd], place.ids()[place.anna])
    assert (document["read"], document["unread"], document["ends"]) == (1, 0, {"moved": 1})


def test_what_is_not_moved_yet_is_not_said_to_be_there(place: Place) -> None:
    place.move()
    own = place.write(place.anna, "a.txt", b"1")
    place.deliver(place.anna, own)
    rows = (place.path / "kogge.toml").read_text()
    (place.path / "kogge.toml").write_text(rows.partition("[target.files]")[0])
    with closing(Ledger(place.config().ledger_url())) as ledger:
        ledger.requeue(states=list(LegState))
        legs = [leg.id for leg in ledger.legs() if leg.workload == "mail"]
    for leg in legs:
        build_leg(place.config(), leg).run()
    assert ends(links(place)) == {own: ("", "", "not-migrated")}


def test_nothing_of_it_is_kept(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    own = place.write(place.anna, f"{SECRET_NAME}.txt", b"1")
    place.deliver(place.anna, own)
    place.move()
    before = list(every_row(place.path / "kogge-state" / "ledger.db"))
    assert ends(links(place))[own][2] == ""
    assert list(every_row(place.path / "kogge-state" / "ledger.db")) == before
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "http" not in text
        assert place.anna not in text
        assert SECRET_NAME not in text


def test_mail_from_exchange_is_listed_and_said_to_be_unresolved(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    own = place.write(place.anna, "a.txt", b"1")
    place.deliver(place.anna, own)
    place.move("ews.toml")
    rows = links(place, "--config", "ews.toml")
    assert ends(rows) == {own: ("", "", "unresolved")}
    assert "not Microsoft 365" in capsys.readouterr().err
    place.move()
    rows = links(place, "--config", "ews.toml", "--resolve-by", "kogge.toml")
    assert ends(rows) == {own: (place.ids()[place.anna], "/Alt/a.txt", "")}


def test_a_mailbox_that_cannot_be_read_is_told_and_the_others_are_read(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    own = place.write(place.bernd, "a.txt", b"1")
    place.deliver(place.anna, own)
    place.deliver(place.bernd, own)
    place.move()
    place.graph.on_premises.add(place.anna)
    rows = links(place, code=1)
    assert [row["mailbox"] for row in rows.values()] == [place.ids()[place.bernd]]
    assert "1 mailbox could not be read: mailbox-not-online" in capsys.readouterr().err


def test_a_mail_that_is_gone_from_the_source_is_counted(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.deliver(place.anna, ELSEWHERE)
    place.move()
    mailbox = place.world.mailbox(place.anna)
    mailbox.delete(next(mailbox.messages()), hard=True)
    assert links(place, code=1) == {}
    assert "1 item could not be read; 0 documents are too large" in capsys.readouterr().err
    assert len(links(place, "--from", "target")) == 1


def test_nobody_else_reads_the_links_though_the_file_was_there(place: Place) -> None:
    place.move()
    file = place.path / "links.csv"
    file.touch(mode=0o644)
    for _ in range(2):
        links(place)
        assert file.stat().st_mode & 0o777 == 0o600
        file.unlink()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--wave", "other"), "--wave: unknown; there is only w"),
        (("--wave", "w", "--csv", "no/where.csv"), "--csv no/where.csv: cannot be written"),
        (("--wave", "w", "--mailbox", "m-none"), "--mailbox: not in wave w: m-none"),
        (("--wave", "w", "--resolve-by", "none.toml"), "none.toml: no such file"),
    ],
)
def test_wrong_input(
    place: Place, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place.move()
    capsys.readouterr()
    assert run("links", *arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyError("anna@old.example"), CursorLost("cursor-lost")])
def test_what_goes_wrong_with_one_mailbox_ends_its_part_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    place.deliver(place.bernd, place.write(place.anna, "plan.txt", b"a plan"))
    place.move()
    opened = engine.preflight.link_report.open_source
    broken = [place.anna]

    def open_source(config: Config, account: Account, *more: Any, **options: Any) -> Source:
        if account.address in broken:
            raise error
        return opened(config, account, *more, **options)

    monkeypatch.setattr("engine.preflight.link_report.open_source", open_source)
    assert len(links(place, code=1)) == 1
    code = "internal-error" if isinstance(error, KeyError) else "cursor-lost"
    assert f"1 mailbox could not be read: {code}" in capsys.readouterr().err
