"""The practice world's data: what lies in its folder is served and moved; what is wrong there is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient
from services import need_dovecot

from engine.assembly import open_ledger
from engine.config.load import load
from engine.config.template import write_new
from engine.leg.run import run_leg
from engine.planning.load_plan import plan
from kogge.prepare.practice_servers import Stage, staged
from ledger.db.rows import LegState
from model.protocols import Kind
from practice.exchange.server import ExchangeServer
from practice.mail.letters import Scene
from practice.mail.letters_file import letters
from practice.mail.letters_plain import plain
from practice.world import mailbox, population
from practice.world.cases import DATA, CaseError
from practice.world.people import Directory
from practice.world.world import World

MAIL = b"""From: =?utf-8?Q?B=C3=BCrgerb=C3=BCro?= <buero@stadt.example>\r
To: Somebody <somebody@firma.example>, other@firma.example\r
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r
Date: Tue, 03 Feb 2026 10:11:12 +0100\r
Message-ID: <one@stadt.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=utf-8\r
\r
Guten Tag\r
--b\r
Content-Type: application/pdf; name="a.pdf"\r
Content-Disposition: attachment; filename="a.pdf"\r
Content-Transfer-Encoding: base64\r
\r
JVBERg==\r
--b--\r
"""
TEMPLATE = b"${head}\r\nX-Odd: ${owner.name}\r\n\r\n${text:300}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the data folder, to add to."""
    return Path(shutil.copytree(DATA, tmp_path / "data"))


def scene() -> Scene:
    people = Directory(7, 10)
    return Scene("one key", people.at(3), people)


def test_a_mail_dropped_into_the_folder_says_what_it_is(data: Path) -> None:
    (data / "letters" / "my-mail.eml").write_bytes(MAIL)
    found = letters({"duplicate": plain}, data)
    assert list(found)[-1] == "my-mail"
    letter = found["my-mail"].recipe(scene())
    assert letter.mime() == letter.mime(1) == MAIL
    assert (letter.subject, letter.message_id) == ("Grüße", "<one@stadt.example>")
    assert (letter.sender.name, letter.sender.address) == ("Bürgerbüro", "buero@stadt.example")
    assert [one.address for one in letter.to] == ["somebody@firma.example", "other@firma.example"]
    assert letter.sent is not None
    assert letter.sent.isoformat() == "2026-02-03T10:11:12+01:00"
    assert letter.words().strip() == "Guten Tag"
    assert [(one.name, one.content) for one in letter.attachments()] == [("a.pdf", b"%PDF")]


def test_a_mail_with_places_is_one_of_the_mailbox_s_own(data: Path) -> None:
    (data / "letters" / "my-mail.eml").write_bytes(TEMPLATE)
    letter = letters({"duplicate": plain}, data)["my-mail"].recipe(scene())
    assert b"\r\nX-Odd: " + scene().owner.name.encode() in letter.mime()
    assert letter.mime().startswith(b"Received: ")
    assert letter.words() == letter.mime().partition(b"\r\n\r\n")[2].decode()


@pytest.fixture
def stage(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A practice Exchange with one person, to whom the dropped letters fall as well."""
    (data / "letters" / "my-mail.eml").write_bytes(MAIL)
    (data / "letters" / "my-template.eml").write_bytes(TEMPLATE)
    added = {name: one.recipe for name, one in letters({"duplicate": plain}, data).items() if not one.listed}
    for name, recipe in added.items():
        monkeypatch.setitem(mailbox.RECIPES, name, recipe)
    monkeypatch.setattr(population, "ODDITIES", tuple(name for name in added for _ in range(5)))
    need_dovecot()
    with staged(ExchangeServer(World(7, people=1, items=40, large=())), 1) as place:
        yield place


def test_what_was_dropped_is_moved(stage: Stage, tmp_path: Path) -> None:
    write_new(tmp_path / "run", stage.files(required=0))
    config = load(tmp_path / "run" / "kogge.toml")
    ledger = open_ledger(config)
    (mailbox_id,) = plan(config, ledger).ids
    (leg,) = ledger.legs(mailbox=mailbox_id, workload=Kind.MAIL)
    result = run_leg(config, leg.id)
    assert result.state is LegState.VERIFIED
    bodies = set(delivered(stage))
    assert MAIL in bodies
    assert any(b"\r\nX-Odd: " in body for body in bodies)


def delivered(stage: Stage) -> Iterator[bytes]:
    """Every mail that the person has at the target."""
    with IMAPClient(stage.imap_host, port=stage.imap_port, ssl=False) as client:
        client.login(f"{stage.addresses[0]}*{stage.master}", stage.master_password)
        for _, _, folder in client.list_folders():
            client.select_folder(folder, readonly=True)
            if uids := client.search():
                yield from (row[b"BODY[]"] for row in client.fetch(uids, ["BODY.PEEK[]"]).values())


LISTED = "letters.toml"
WRONG = (
    (LISTED, "[no_colon]\nsubjct = 'x'\n", "letters.toml: no_colon.subjct: is no field; there are body, "),
    (LISTED, "[no_colon]\ndated = 'today'\n", "letters.toml: no_colon.dated: must be a date and time"),
    (LISTED, "[no_colon]\nto = 'all'\n", "letters.toml: no_colon.to: must be one of owner, nobody"),
    (LISTED, "[no_colon]\nfixed = 1\n", "letters.toml: no_colon.fixed: must be true or false"),
    (LISTED, "[none_such]\n", "letters.toml: none_such.file: there is no such file"),
    (
        LISTED,
        "[no_colon]\nsubject = '${me.x}'\n",
        "no_colon.subject: has a place that means nothing here: ${me.x}",
    ),
    (LISTED, "[ndr]\nsender = {name = 'A'}\n", "letters.toml: ndr.sender.address: is missing"),
    (LISTED, "no_colon = 3\n", "letters.toml: no_colon: is no table"),
    (LISTED, "[no_colon\n", "letters/letters.toml: is no TOML"),
    ("mine.toml", "[no_colon]\n", "mine.toml: no_colon: is in letters.toml already"),
    ("mine.eml", "${head}\nX-A: ${nobody.name}\n\n", "mine.eml: has a place that means nothing here"),
    ("future.eml", "Subject: x\n\n", "future.eml: letters.toml has another letter of this name"),
)


@pytest.mark.parametrize(("name", "text", "message"), WRONG, ids=[one[2][-30:] for one in WRONG])
def test_a_wrong_letter_is_named_with_its_field(data: Path, name: str, text: str, message: str) -> None:
    (data / "letters" / name).write_text(text)
    with pytest.raises(CaseError, match=re.escape(message)):
        letters({"duplicate": plain}, data)
