"""An automatic reply through a real Pigeonhole: who is answered, with which text, and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from servers.pigeonhole import Pigeonhole, start_pigeonhole
from servers.smtp_sink import SmtpSink
from services import needed
from sieve_desk import item, meaning, written

from connectors.settings import Account
from connectors.sieve.session import Session
from connectors.sieve.settings import SieveSettings
from connectors.sieve.target import SieveTarget
from mappings.rules.reply import Audience, Reply, fit_reply
from model.errors import Blocked
from model.kinds import Kind
from practice.servers.pigeonhole import has_rules

USERS = [f"away{number}" for number in range(12)]
_fresh = iter(USERS)
INSIDE, OUTSIDE = "colleague@new.example", "stranger@far.example"
SOON = 0.4
"""Seconds after which no answer comes any more: a delivery ends once its script has run."""
BOTH = Reply(True, Audience.ALL, "<p>Bin <b>weg</b>.</p><p># Müller</p>", 'Away\nuntil "May"')


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as running:
        yield running


@pytest.fixture(scope="module")
def pigeonhole(sink: SmtpSink) -> Iterator[Pigeonhole]:
    needed(has_rules(), "Dovecot 2.4 with Pigeonhole, ManageSieve and LMTP is not installed")
    running = start_pigeonhole(USERS, submission=sink.port)
    yield running
    running.stop()


class Desk:
    """One account, its target, and what is answered to mail for it."""

    def __init__(self, pigeonhole: Pigeonhole, sink: SmtpSink, settings: SieveSettings) -> None:
        self.user = next(_fresh)
        self.server, self.sink, self.settings = pigeonhole, sink, settings

    def target(self, *, live: bool = False) -> SieveTarget:
        account = Account(login=self.user)
        return SieveTarget(self.settings, account, lambda: None, kind=Kind.MAIL, digest=meaning, live=live)

    def brings(self, reply: Reply) -> None:
        owner = frozenset({f"{self.user}@new.example", "alias@new.example"})
        with closing(self.target()) as target:
            fitted = [fit_reply(reply, owner, target.limits, outside=side) for side in (False, True)]
            written(target, *(item(one.rule) for one in fitted if one.rule is not None))

    def takes_effect(self) -> None:
        with closing(self.target()) as target:
            target.take_effect()

    def answers(self, sender: str, to: str = "", head: str = "", author: str = "") -> list[tuple[str, str]]:
        """To whom what is answered."""
        self.sink.clear()
        receiver = to or f"{self.user}@new.example"
        text = f"From: {author or sender}\r\nTo: {receiver}\r\nSubject: Hallo\r\n{head}\r\ntext\r\n"
        self.server.deliver(self.user, text, sender)
        self.sink.wait(1, SOON)
        texts = ((mail.recipient, str(mail.message.get_content())) for mail in self.sink.mails)
        return [(recipient, text.replace("\r\n", "\n").strip()) for recipient, text in texts]


@pytest.fixture(params=["plain", "roundcube", "open-xchange", "nextcloud-mail"])
def desk(
    pigeonhole: Pigeonhole, sink: SmtpSink, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Desk:
    return desk_of(pigeonhole, sink, request.param, monkeypatch)


@pytest.fixture
def plain_desk(pigeonhole: Pigeonhole, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_of(pigeonhole, sink, "plain", monkeypatch)


def desk_of(pigeonhole: Pigeonhole, sink: SmtpSink, dialect: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("MASTER_PASSWORD", pigeonhole.master_password)
    settings = SieveSettings.model_validate(
        {
            "host": "127.0.0.1",
            "port": pigeonhole.sieve_port,
            "tls": {"ca_file": str(pigeonhole.ca_file)},
            "auth": "plain-authzid",
            "username": pigeonhole.master_user,
            "password": {"env": "MASTER_PASSWORD"},
            "dialect": dialect,
        }
    )
    return Desk(pigeonhole, sink, settings)


def test_people_inside_and_outside_get_their_text_once(desk: Desk) -> None:
    desk.brings(BOTH)
    assert desk.answers(INSIDE) == [], "nothing acts before the freeze"
    for _ in range(2):
        desk.takes_effect()
    assert desk.answers(INSIDE) == [(INSIDE, "Bin weg.\n\n # Müller")]
    assert desk.answers(OUTSIDE) == [(OUTSIDE, 'Away\nuntil "May"')]
    assert desk.answers(OUTSIDE) == [], "once"
    other = f"other-{OUTSIDE}"
    assert desk.answers(other, author=INSIDE) == [(other, 'Away\nuntil "May"')], "a forged From"
    assert desk.answers("alias-of@new.example", to="alias@new.example") != []
    assert desk.answers("b@far.example", head="List-Id: <l.far.example>\r\n") == []
    assert desk.answers("c@far.example", to="somebody@else.example") == []


def test_a_reply_ends_by_itself(plain_desk: Desk) -> None:
    then = datetime(2020, 1, 6, 7, tzinfo=UTC)
    plain_desk.brings(
        Reply(True, Audience.ALL, "Over", "Over", start=datetime(2020, 1, 5, tzinfo=UTC), end=then)
    )
    plain_desk.takes_effect()
    assert plain_desk.answers(INSIDE) == plain_desk.answers(OUTSIDE) == []


def test_a_reply_that_is_off_or_for_contacts_answers_nobody(plain_desk: Desk) -> None:
    plain_desk.brings(Reply(False, Audience.ALL, "Alt", "Old"))
    plain_desk.takes_effect()
    assert plain_desk.answers(INSIDE) == plain_desk.answers(OUTSIDE) == []


def test_a_running_reply_answers_from_now_on(plain_desk: Desk) -> None:
    start, end = datetime(2020, 1, 5, tzinfo=UTC), datetime(2096, 1, 5, tzinfo=UTC)
    plain_desk.brings(Reply(True, Audience.KNOWN, "Weg", "For contacts", start=start, end=end))
    plain_desk.takes_effect()
    assert plain_desk.answers(INSIDE) == [(INSIDE, "Weg")]
    assert plain_desk.answers(OUTSIDE) == []


@pytest.mark.parametrize("live", [False, True])
def test_a_reply_of_the_persons_own_is_the_only_one(plain_desk: Desk, live: bool) -> None:
    own = b'require ["vacation"];\r\nvacation "My own";\r\n'
    with closing(Session(plain_desk.settings, Account(login=plain_desk.user), lambda: None)) as session:
        session.put("mine", own)
        session.activate("mine")
    plain_desk.brings(BOTH)
    with closing(plain_desk.target(live=live)) as target:
        if live:
            target.take_effect()
        else:
            with pytest.raises(Blocked, match="own-reply-active"):
                target.take_effect()
    assert plain_desk.answers(OUTSIDE) == [(OUTSIDE, "My own")]
