"""The probe against servers that schedule, in front of each product it may meet."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from probe_clock import Clock
from server_fixtures import radicale_fixture, sink_fixture
from servers.dav.faults import Fault, Faults
from servers.dav.manners import manners
from servers.dav.scheduling import ProductName, SchedulingServer, start_scheduling
from servers.smtp_sink import SmtpSink

from connectors.caldav.products import ProfileName
from connectors.caldav.settings import DavSettings
from connectors.imap.settings import ImapSettings
from connectors.imap.target import ImapTarget
from connectors.settings import Account, Secret
from engine.preflight.invitation_probe import (
    Guest,
    InvitationChannel,
    News,
    ProbeResult,
    probe_invitations,
    quiet_seconds,
)
from engine.preflight.probe_caldav import CalendarHost, CalendarWatch, Desk
from engine.preflight.probe_run import prove_server
from model.errors import Blocked
from practice.dav.radicale import USER_PASSWORD, RadicaleServer
from practice.servers.pymap_server import PymapServer, start_pymap

ANNA = Account(login="anna", address="anna@practice.test")
BERT = Account(login="bert", address="bert@practice.test")
ARRIVAL = 60.0
SECRET = Secret(env="CANARY_PASSWORD")


@dataclass
class SinkWatch:
    """Mail where it would arrive: in the sink, for one address."""

    sink: SmtpSink
    address: str
    read: int = 0
    name: str = "the sink"

    def noted(self) -> str:
        return str(self.read)

    def go_on(self, noted: str) -> None:
        self.read = int(noted)

    def start(self) -> None:
        self.read = len(self.sink.mails)

    def news(self) -> list[News]:
        new = self.sink.mails[self.read :]
        self.read += len(new)
        return [News("mail", one.message.as_string()) for one in new if one.recipient == self.address]

    def tidy(self, mark: str) -> None:
        assert mark


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_PASSWORD", USER_PASSWORD)


radicale = radicale_fixture(["anna", "bert"], provisioned=True)
sink = sink_fixture()


@dataclass
class Setup:
    """One server, and an invitation probe between anna and bert."""

    radicale: RadicaleServer
    sink: SmtpSink
    clock: Clock
    phases: list[tuple[str, float, float]] = field(default_factory=list)

    def server(self, product: ProductName, *, shared: bool = False) -> SchedulingServer:
        layers = manners(product, self.radicale, self.clock.now)
        server = start_scheduling(
            self.radicale, product, self.sink, around=layers, clock=self.clock.now, shared=shared
        )
        self.clock.server = server
        return server

    def settings(self, server: SchedulingServer, profile: ProfileName, *, agent: bool = False) -> DavSettings:
        return DavSettings(
            kind="caldav",
            url=server.url,
            profile=profile,
            password=SECRET,
            silent_agent=agent,
            patience_seconds=5,
        )

    def run(
        self,
        settings: DavSettings,
        *,
        calendar: bool = True,
        mail: bool = True,
        gathers: float = 0.0,
    ) -> ProbeResult:
        hosting, visiting = Desk(settings, ANNA), Desk(settings, BERT)
        watches: list[InvitationChannel] = [CalendarWatch(visiting)] if calendar else []
        watches += [SinkWatch(self.sink, BERT.address)] if mail else []
        try:
            return probe_invitations(
                CalendarHost(hosting),
                [Guest("internal", BERT.address, tuple(watches))],
                keepers=(CalendarWatch(visiting), CalendarWatch(hosting)),
                arrival=ARRIVAL,
                gathers=gathers,
                times=self.clock.times,
                progress=lambda *one: self.phases.append(one),
            )
        finally:
            hosting.close()
            visiting.close()


@pytest.fixture
def setup(radicale: RadicaleServer, sink: SmtpSink, clock: Clock) -> Setup:
    return Setup(radicale, sink, clock)


def left(radicale: RadicaleServer) -> list[str]:
    """What is in any collection of anna's and bert's."""
    found = []
    for user in ("anna", "bert"):
        for name in ("calendar", "schedule-inbox"):
            answer = httpx.request(
                "PROPFIND",
                f"{radicale.home(user)}{name}/",
                auth=(user, USER_PASSWORD),
                headers={"Depth": "1"},
            )
            found += [one for one in answer.text.split("<href>") if ".ics<" in one]
    return found


@pytest.mark.parametrize(
    ("product", "profile"),
    [("nextcloud", "nextcloud"), ("cyrus", "cyrus"), ("nextcloud", "generic"), ("cyrus", "generic")],
)
def test_a_product_that_is_silenced_as_it_wants_is_proven(
    setup: Setup, product: ProductName, profile: ProfileName
) -> None:
    with setup.server(product) as server:
        result = setup.run(setup.settings(server, profile))
    assert result.outcome == "silent"
    assert set(result.control) == {"calendar", "inbox", "mail"}
    assert result.after == 0.0
    assert result.watched >= quiet_seconds(ARRIVAL, 0.0) == 180.0
    assert result.heard == ()
    assert result.tidy
    assert left(setup.radicale) == []


def test_open_xchange_is_watched_for_as_long_as_it_gathers(setup: Setup) -> None:
    with setup.server("open-xchange", shared=True) as server:
        result = setup.run(setup.settings(server, "open-xchange"), calendar=False, gathers=1200.0)
    assert result.outcome == "silent"
    assert result.control == ("mail",)
    assert result.after is not None
    assert 300.0 <= result.after < 400.0
    assert result.watched >= 1200.0


def test_one_event_for_all_is_not_silent_in_the_calendar(setup: Setup) -> None:
    with setup.server("open-xchange", shared=True) as server:
        result = setup.run(setup.settings(server, "open-xchange"), mail=False)
    assert result.outcome == "not-silent"


@pytest.mark.parametrize("profile", ["generic", "nextcloud", "open-xchange", "cyrus"])
def test_the_deaf_are_refused(setup: Setup, profile: ProfileName) -> None:
    with setup.server("deaf") as server:
        result = setup.run(setup.settings(server, profile))
    assert result.outcome == "not-silent"
    assert result.heard
    assert left(setup.radicale) == []


@pytest.mark.parametrize(
    ("product", "profile"),
    [("nextcloud", "open-xchange"), ("open-xchange", "nextcloud"), ("cyrus", "nextcloud")],
)
def test_the_wrong_profile_is_refused(setup: Setup, product: ProductName, profile: ProfileName) -> None:
    with setup.server(product) as server:
        result = setup.run(setup.settings(server, profile), gathers=1200.0)
    # Open-Xchange's Schedule-Reply: F alone keeps Nextcloud quiet too
    assert result.outcome == ("silent" if product == "nextcloud" else "not-silent")


def test_without_a_control_nothing_is_known(setup: Setup) -> None:
    with setup.server("mute") as server:
        result = setup.run(setup.settings(server, "nextcloud"))
    assert result.outcome == "no-control"
    assert result.after is None
    assert setup.clock.over >= ARRIVAL
    assert {phase for phase, _, _ in setup.phases} == {"control"}
    assert left(setup.radicale) == []


def test_mail_alone_gives_away_who_leaves_calendars_alone(setup: Setup) -> None:
    with setup.server("open-xchange") as server:
        result = setup.run(setup.settings(server, "nextcloud"), calendar=False, gathers=1200.0)
    assert result.outcome == "not-silent"
    assert {one.split()[0] for one in result.heard} == {"mail"}


def test_progress_of_a_long_wait(setup: Setup) -> None:
    with setup.server("nextcloud") as server:
        setup.run(setup.settings(server, "nextcloud"))
    quiet = [(over, most) for phase, over, most in setup.phases if phase == "quiet"]
    assert quiet[-1] == (180.0, 180.0)
    assert len(quiet) > 10
    assert sorted(quiet) == quiet


def test_an_interruption_leaves_nothing_behind(setup: Setup) -> None:
    def interrupted(phase: str, over: float, most: float) -> None:
        if phase == "quiet":
            raise KeyboardInterrupt

    with setup.server("nextcloud") as server:
        settings = setup.settings(server, "nextcloud")
        hosting, visiting = Desk(settings, ANNA), Desk(settings, BERT)
        guest = Guest("internal", BERT.address, (CalendarWatch(visiting),))
        run = partial(probe_invitations, CalendarHost(hosting), [guest])
        with pytest.raises(KeyboardInterrupt):
            run(times=setup.clock.times, progress=interrupted)
        hosting.close()
        visiting.close()
    assert left(setup.radicale) == []


def test_passing_faults_pass_and_a_login_that_is_refused_is_told(setup: Setup) -> None:
    faults = Faults(
        {("PUT", 1): Fault.LATE, ("PUT", 3): Fault.LOST, ("DELETE", 1): Fault.BUSY, ("GET", 4): Fault.CUT},
        retry_after=0,
    )
    with setup.server("nextcloud") as server:
        server.layers = (faults, *server.layers)
        settings = setup.settings(server, "nextcloud")
        assert setup.run(settings).outcome == "silent"
        assert len(faults.struck) == 4
        wrong = settings.model_copy(update={"username": "nobody"})
        with pytest.raises(Blocked) as refused:
            setup.run(wrong)
        assert refused.value.code == "login-refused"
    assert left(setup.radicale) == []


def test_silence_by_agent_alone(setup: Setup) -> None:
    """A server that hears no header, but is told whom the client itself takes care of."""
    with setup.server("cyrus") as server:
        outcomes = [
            setup.run(setup.settings(server, "open-xchange", agent=agent)).outcome for agent in (False, True)
        ]
    assert outcomes == ["not-silent", "silent"]


@dataclass
class Postman:
    """Carries mail from the sink to bert, whose server takes invitations for spam."""

    sink: SmtpSink
    server: PymapServer
    carried: int = 0

    def carry(self) -> None:
        new = self.sink.mails[self.carried :]
        self.carried += len(new)
        with imaplib.IMAP4(self.server.host, self.server.port) as line:
            line.login("bert", self.server.user_password)
            for mail in new:
                if mail.recipient == BERT.address:
                    line.append("Junk", "", "", mail.message.as_bytes())


@pytest.fixture
def postman(sink: SmtpSink) -> Iterator[Postman]:
    server = start_pymap(["bert"])
    with imaplib.IMAP4(server.host, server.port) as line:
        line.login("bert", server.user_password)
        line.create("Junk")
        line.append("Junk", "", "", b"Subject: old\r\n\r\nFrom anna@practice.test\r\n")
    yield Postman(sink, server)
    server.stop()


@pytest.mark.parametrize(("product", "outcome"), [("open-xchange", "silent"), ("deaf", "not-silent")])
def test_the_whole_of_it_with_the_mailbox_on_the_mail_target(
    setup: Setup, postman: Postman, tmp_path: Path, product: ProductName, outcome: str
) -> None:
    setup.clock.then = postman.carry
    mail = ImapSettings(host=postman.server.host, port=postman.server.port, security="none", password=SECRET)
    with setup.server(product, shared=True) as server:
        settings = setup.settings(server, "open-xchange")
        opens = partial(ImapTarget, mail, BERT, bool, tmp_path)
        result = prove_server(settings, ANNA, BERT, opens, times=setup.clock.times)
    assert (result.outcome, result.control) == (outcome, ("mail",))
    assert result.watched >= 900.0 or outcome == "not-silent"  # three times what the control took


@pytest.mark.parametrize(("gathers", "least"), [(None, 1200.0), (0.0, 180.0)])
def test_of_an_unknown_product_the_worst_is_assumed(
    setup: Setup, gathers: float | None, least: float
) -> None:
    with setup.server("cyrus") as server:
        settings = setup.settings(server, "generic")
        run = partial(prove_server, settings, ANNA, BERT, None, arrival=ARRIVAL, gathers=gathers)
        result = run(times=setup.clock.times)
    assert (result.outcome, result.tidy) == ("silent", True)
    assert least <= result.watched < least + ARRIVAL
    assert left(setup.radicale) == []
