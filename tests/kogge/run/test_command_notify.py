"""`kogge notify`: each person is told once before their move and once after it, whatever dies."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest
from commands import run
from report_world import PRIVATE, WAVE, World, world
from servers.smtp_sink import SmtpSink
from servers.stubborn_smtp import HANG_UP, StubbornSmtp
from sqlalchemy import update

from engine import notices
from kogge.terminal.exit_codes import Exit
from ledger.db.audit_log import Event
from ledger.db.rows import Phase
from ledger.db.schema import mailbox
from ledger.store import Ledger

TOML = """\
[approval]
required = 0
[source]
kind = "ews"
url = "http://127.0.0.1:1/EWS/Exchange.asmx"
auth = "basic"
username = "migrator@old.example"
password = {{ env = "KOGGE_TEST_PASSWORD" }}
[target.mail]
kind = "imap"
host = "localhost"
port = 1
password = {{ env = "KOGGE_TEST_PASSWORD" }}
[report]
contact = "Service desk, 1234"
organisation = "City of Example"
timezone = "Europe/Berlin"
[notify]
sender = "it@example.org"
sender_name = "IT, City"
reply_to = "help@example.org"
{more}
smtp = {{ host = "127.0.0.1", port = {port}, security = "none", per_minute = 100000 }}
"""
BEFORE = ("before", "-w", WAVE, "--when", "2027-03-01 20:00")
SEND = ("--by", "Ada", "--yes")
MOVING = 10
"""Mailboxes of the wave that are not at the new system; two more are."""


def configured(port: int, more: str = "") -> None:
    Path("kogge.toml").write_text(TOML.format(port=port, more=more))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    Path("kogge-state").mkdir(mode=0o700)
    found = world(f"sqlite:///{tmp_path}/kogge-state/ledger.db")
    found.ledger.close()
    configured(1)
    return found


@pytest.fixture
def sink(home: World) -> Iterator[SmtpSink]:
    del home
    with SmtpSink() as server:
        configured(server.port)
        yield server


def events() -> list[Event]:
    with closing(Ledger(f"sqlite:///{Path.cwd()}/kogge-state/ledger.db")) as ledger:
        return [one for one in ledger.events(WAVE) if one.kind.startswith("notice-")]


def kinds() -> Counter[str]:
    return Counter(one.kind for one in events())


def said(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_each_person_is_told_before_the_move_once(
    sink: SmtpSink, home: World, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("notify", *BEFORE, *SEND) == 0
    assert Counter(mail.recipient for mail in sink.mails).most_common(1)[0][1] == 1
    assert len(sink.mails) == MOVING
    one = sink.mails[0]
    assert one.sender == "it@example.org"
    assert one.recipient == one.message["To"]
    assert one.message["From"] == '"IT, City" <it@example.org>'
    assert one.message["Reply-To"] == "help@example.org"
    assert one.message["Auto-Submitted"] == "auto-generated"
    assert one.message["Subject"] == "Your mailbox moves on 1 March 2027"
    words = said(one.message)
    assert "1 March 2027, 20:00 (UTC+1)" in words or "20:00" in words
    assert "Service desk, 1234" in words
    assert one.recipient in words
    assert [part.get_content_type() for part in one.message.walk()].count("text/html") == 1
    told = capfd.readouterr()
    assert "10 people: told" in told.out
    assert "2 people: their move has begun" in told.out
    assert not [word for word in PRIVATE if word in told.out + told.err]
    assert run("notify", *BEFORE, *SEND) == 0
    assert len(sink.mails) == MOVING
    assert kinds() == {"notice-begun:before": MOVING, "notice-sent:before": MOVING}


def test_no_address_is_recorded(sink: SmtpSink, home: World) -> None:
    assert run("notify", *BEFORE, *SEND) == 0
    recorded = json.dumps([[one.kind, one.subject, dict(one.detail)] for one in events()])
    assert "@" not in recorded
    assert not [word for word in PRIVATE if word in recorded]
    assert {one.detail["by"] for one in events() if one.kind.startswith("notice-begun")} == {"Ada"}


def test_after_the_move_people_get_their_own_page(sink: SmtpSink, home: World) -> None:
    assert run("notify", "after", "-w", WAVE, "--lang", "de", *SEND) == 0
    assert len(sink.mails) == 2
    mail = sink.mails[0]
    assert mail.recipient.endswith("@new.example")
    assert mail.message["Subject"] == "Ihr Postfach ist umgezogen"
    (page,) = mail.message.iter_attachments()
    assert '<html lang="de">' in page.get_content()
    number = str(page.get_filename()).partition(".")[0]
    assert number in said(mail.message)
    others = set(home.ids.values()) - {number}
    assert not [one for one in others if one in mail.message.as_string() + page.get_content()]


def test_who_moves_later_is_told_then(sink: SmtpSink, home: World) -> None:
    assert run("notify", "after", "-w", WAVE, *SEND) == 0
    with closing(Ledger(f"sqlite:///{Path.cwd()}/kogge-state/ledger.db")) as ledger:
        change = update(mailbox).where(mailbox.c.id == home.ids[4]).values(phase=Phase.LIVE.value)
        with ledger.engine.begin() as connection:
            connection.execute(change)
    assert run("notify", "after", "-w", WAVE, *SEND) == 0
    assert len(sink.mails) == 3
    assert len({mail.recipient for mail in sink.mails}) == 3


def test_a_run_that_dies_in_the_middle_tells_nobody_twice(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    taken = notices.settle
    calls = 0

    def dying(*given: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        taken(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(notices, "settle", dying)
        run("notify", *BEFORE, *SEND)
    assert len(sink.mails) == 4
    assert run("notify", *BEFORE, *SEND) == 1
    assert "1 person: may have been told" in capfd.readouterr().out
    assert Counter(mail.recipient for mail in sink.mails).most_common(1)[0][1] == 1
    assert len(sink.mails) == MOVING
    ids = [str(mail.message["Message-ID"]) for mail in sink.mails]
    assert run("notify", *BEFORE, "--again", *SEND) == 0
    assert len(sink.mails) == MOVING + 1
    assert str(sink.mails[-1].message["Message-ID"]) in ids
    assert run("notify", *BEFORE, "--again", *SEND) == 0
    assert len(sink.mails) == MOVING + 1


def test_who_was_told_is_told_again_only_by_name(sink: SmtpSink, home: World) -> None:
    assert run("notify", *BEFORE, *SEND) == 0
    assert run("notify", *BEFORE, "-m", home.ids[4], "--again", *SEND) == 0
    assert len(sink.mails) == MOVING + 1


@pytest.mark.parametrize(
    ("answers", "code", "words", "again"),
    [
        ({"RCPT": ["550 nobody"]}, 1, "1 person: not taken by the mail server for good", 0),
        ({"RCPT": ["450 later"]}, 1, "1 person: not taken for now", 0),
        ({"END": [HANG_UP]}, 1, "1 person: not known", 1),
    ],
)
def test_what_the_server_does_not_take_is_told_of_each(
    home: World,
    answers: dict[str, str | list[str]],
    code: int,
    words: str,
    again: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with StubbornSmtp(**answers) as server:
        configured(server.port)
        assert run("notify", *BEFORE, *SEND) == code
        assert words in capfd.readouterr().out
        assert len(server.mails) == MOVING - 1
        assert run("notify", *BEFORE, *SEND) == again
        assert len(server.mails) == MOVING - again


def test_a_server_that_goes_away_is_gone_on_with_later(
    home: World, capfd: pytest.CaptureFixture[str]
) -> None:
    with StubbornSmtp(MAIL=["250 fine", "250 fine", HANG_UP]) as server:
        configured(server.port)
        assert run("notify", *BEFORE, *SEND) == Exit.AGAIN
        told = capfd.readouterr()
        assert "2 people: told" in told.out
        assert "8 people not told; the same command goes on" in told.err
        assert "connection-lost" in told.err
        assert run("notify", *BEFORE, *SEND) == 0
        assert len(server.mails) == MOVING
        assert len(set(server.recipients)) == MOVING


def test_nothing_is_recorded_where_nobody_listens(home: World, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("notify", *BEFORE, *SEND) == Exit.AGAIN
    assert "unreachable" in capfd.readouterr().err
    assert events() == []


def test_a_dry_run_a_preview_and_a_trial_tell_nobody(
    sink: SmtpSink, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("notify", *BEFORE, "--dry-run") == 0
    assert "10 people: would get a mail" in capfd.readouterr().out
    assert run("notify", *BEFORE, "--preview", "look.html") == 0
    page = Path("look.html")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "<strong>What moves:</strong>" in page.read_text()
    assert not [word for word in PRIVATE if word in page.read_text()]
    assert sink.mails == []
    assert run("notify", *BEFORE, "--trial", "me@example.org") == 0
    (mail,) = sink.mails
    assert mail.recipient == "me@example.org"
    assert str(mail.message["Subject"]).startswith("[Trial] ")
    assert not [word for word in PRIVATE if word in mail.message.as_string()]
    assert events() == []


def test_another_program_may_send_them(home: World) -> None:
    assert run("notify", *BEFORE, "--files", "out", *SEND) == 0
    found = sorted(Path("out").iterdir())
    assert len(found) == MOVING
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    mail = BytesParser(policy=policy.default).parsebytes(found[0].read_bytes())
    assert str(mail["To"]).endswith("@old.example")
    assert run("notify", *BEFORE, "--files", "other", *SEND) == 0
    assert not Path("other").exists()


def test_an_administration_writes_its_own(sink: SmtpSink, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("notify", "before", "--write-templates", "own") == 0
    assert len(list(Path("own").iterdir())) == 6
    text = Path("own/before.en.md")
    text.write_text("Subject: Hello {{ mailbox }}\n\nGood *morning* <b>you</b>, ask {{ contact }}.\n")
    assert run("notify", "before", "--write-templates", "own") == 0
    assert text.read_text().startswith("Subject: Hello")
    configured(sink.port, 'templates = "own"')
    assert run("notify", *BEFORE, *SEND) == 0
    message = sink.mails[0].message
    assert str(message["Subject"]).startswith("Hello m-")
    html = message.get_body(("html",))
    assert html is not None
    assert "<em>morning</em> &lt;b&gt;you&lt;/b&gt;" in html.get_content()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Subject: A\n\n{{ nobody }}\n", "'nobody' is undefined"),
        ("Subject: A\n\n{% if %}\n", "before.en.md:3: is no template"),
        ("Hello\n\nB\n", "its first line is not `Subject: ...`"),
        ("Subject: \n\nB\n", "its first line is not `Subject: ...`"),
        ("Subject: A\n", "its text is empty"),
        ("Subject: A\n\n{{ ''.__class__.__mro__ }}\n", "does what a template may not"),
        ("Subject: A\n\n{{ cycler.__init__.__globals__.os }}\n", "does what a template may not"),
        ("Subject: A\n\n{% include '/etc/passwd' %}\n", "cannot be filled in"),
        ("Subject: A\n\n{{ 'x' * 100000 }}\n", "longer than"),
        ("Subject: A\n\n{{ 1 / 0 }}\n", "cannot be filled in"),
        (f"Subject: {'A' * 300}\n\nB\n", "its subject is not one line"),
        (b"Subject: \xff\n\nB\n", "is no UTF-8"),
    ],
)
def test_a_template_that_does_not_work_is_named(
    sink: SmtpSink, text: str | bytes, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("own").mkdir()
    Path("own/before.en.md").write_bytes(text if isinstance(text, bytes) else text.encode())
    configured(sink.port, 'templates = "own"')
    assert run("notify", *BEFORE, *SEND) == 2
    told = capfd.readouterr().err
    assert words in told
    assert "Traceback" not in told
    assert sink.mails == []
    assert events() == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("before", "--by", "Ada"), "--wave"),
        (("before", "-w", WAVE, *SEND), "no start is planned for wave pilot"),
        (("before", "-w", WAVE, "--when", "tomorrow", *SEND), "--when: give a date and a time"),
        (("before", "-w", "pilto", *SEND), "pilot"),
        ((*BEFORE, "--yes"), "--by"),
        ((*BEFORE, "--by", "Ada"), "--yes: nobody can be asked here"),
        ((*BEFORE, "--dry-run", "--files", "x"), "give one of them"),
        ((*BEFORE, "--trial", "nobody"), "--trial: give a full e-mail address"),
        ((*BEFORE, "--lang", "it", *SEND), "--lang"),
        ((*BEFORE, "-m", "3", *SEND), "takes an id or an address here"),
        (("between", "-w", WAVE), "between"),
    ],
)
def test_wrong_input_is_named(
    sink: SmtpSink, given: tuple[str, ...], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("notify", *given) == 2
    told = capfd.readouterr().err
    assert words in " ".join(told.split())
    assert sink.mails == []
    assert events() == []


@pytest.mark.parametrize("missing", ["sender", "smtp"])
def test_what_is_missing_is_named(home: World, missing: str, capfd: pytest.CaptureFixture[str]) -> None:
    lines = TOML.format(port=1, more="").splitlines()
    Path("kogge.toml").write_text("\n".join(one for one in lines if not one.startswith(f"{missing} = ")))
    assert run("notify", *BEFORE, *SEND) == 2
    assert f"notify.{missing}: is missing" in capfd.readouterr().err
    assert events() == []
