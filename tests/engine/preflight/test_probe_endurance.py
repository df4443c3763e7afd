"""An invitation probe is killed at any step and goes on; servers go away meanwhile. Without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from probe_clock import Clock
from walking import Died

from engine.preflight import invitation_probe
from engine.preflight.invitation_probe import (
    AGAIN_SECONDS,
    OUTAGE_SECONDS,
    Guest,
    GuestName,
    News,
    ProbeResult,
)
from engine.preflight.probe_mail import MailWatch
from engine.preflight.probe_state import LedgerMemory, ProbeState
from ledger.store import Ledger
from model.errors import Blocked, Transient
from model.kinds import Kind
from model.protocols import Container, Listed, Native, Ref

INSIDE, OUTSIDE = "bert@practice.test", "eve@elsewhere.test"
ARRIVAL = 60.0
QUIET = 180.0
VAGUE = "From: anna@practice.test\n\nYou are invited"


@dataclass
class Server:
    """Lives on when the probe dies. It mails each guest but where it is silenced; leaks: guests and steps for
    which it does not hear that."""

    clock: Clock
    leaks: frozenset[tuple[str, str]] = frozenset()
    address: str = "anna@practice.test"
    name: str = "calendar server, account of the host"
    silent_agent: bool = False
    objects: dict[str, bytes] = field(default_factory=dict)
    mails: list[tuple[float, str]] = field(default_factory=list)
    loud: list[str] = field(default_factory=list)
    deaf: frozenset[str] = frozenset()
    fault: Callable[[], None] = lambda: None

    def write(self, name: str, body: bytes, *, quiet: bool) -> None:
        self.fault()
        step = "exception" if b"RECURRENCE-ID" in body else "update" if b"SEQUENCE:1" in body else "create"
        self.objects[name] = body
        if not quiet:
            self.loud.append(name)
        self._tell(name, step, body, quiet=quiet)

    def remove(self, name: str, *, quiet: bool) -> None:
        self.fault()
        body = self.objects.pop(name, b"")
        if body:
            self._tell(name, "delete", body, quiet=quiet)

    def _tell(self, name: str, step: str, body: bytes, *, quiet: bool) -> None:
        guest = "external" if "external" in name else "internal"
        if guest not in self.deaf and (not quiet or (guest, step) in self.leaks):
            if not quiet and not self.mails:  # it comes before any control, so it may not be about us
                self.mails.append((self.clock.over + 20.0, VAGUE))
            self.mails.append((self.clock.over + 20.0, body.decode()))


@dataclass
class Mailbox:
    """One process's channel to the server's mails."""

    server: Server
    read: int = 0
    name: str = "mail server, mailbox of the guest"
    fault: Callable[[], None] = lambda: None

    def start(self) -> None:
        self.fault()
        self.read = len(self.server.mails)

    def noted(self) -> str:
        return str(self.read)

    def go_on(self, noted: str) -> None:
        self.read = int(noted)

    def news(self) -> list[News]:
        self.fault()
        due = [text for at, text in self.server.mails[self.read :] if at <= self.server.clock.over]
        self.read += len(due)
        return [News("mail", text) for text in due]

    def tidy(self, mark: str) -> None:
        assert mark


@dataclass
class Memory:
    """Dies at a step, before or after it is saved."""

    text: str = ""
    saves: int = 0
    dies: int = 0

    def load(self) -> str:
        return self.text

    def save(self, text: str) -> None:
        self.saves += 1
        if self.saves == self.dies:
            raise Died
        self.text = text

    def clear(self) -> None:
        self.text = ""


def guests(mailbox: Mailbox, *names: GuestName) -> list[Guest]:
    addresses = {"internal": INSIDE, "external": OUTSIDE}
    return [Guest(name, addresses[name], (mailbox,)) for name in names or ("internal", "external")]


def probed(
    server: Server, memory: Memory | LedgerMemory | None = None, mailbox: Mailbox | None = None, **more: Any
) -> ProbeResult:
    """By a process of its own."""
    found = more.pop("guests", None) or guests(mailbox or Mailbox(server))
    return invitation_probe.probe_invitations(
        server, found, arrival=ARRIVAL, times=server.clock.times, memory=memory, **more
    )


@pytest.mark.parametrize("dies", range(1, 43))
def test_a_probe_that_is_killed_at_any_step_goes_on(clock: Clock, dies: int) -> None:
    assert _saves_of(Clock()) == 42
    server, memory = Server(clock), Memory(dies=dies)
    with pytest.raises(Died):
        probed(server, memory)
    clock.over += 3600.0  # till somebody starts it again
    began = clock.over
    result = probed(server, memory)
    assert (result.outcome, result.heard, result.tidy) == ("silent", (), True)
    assert result.watched >= QUIET
    assert set(result.control) == {"mail", "mail of the external guest"}
    assert (server.objects, memory.text) == ({}, "")
    assert len(server.loud) <= 3  # one control for each guest, and the one in hand once more
    if dies > 8:
        assert clock.over - began < ARRIVAL + QUIET  # it did not begin again


def test_what_was_waited_is_not_waited_again(clock: Clock) -> None:
    server, memory = Server(clock), Memory()
    total = _saves_of(Clock())
    memory.dies = total - 3
    with pytest.raises(Died):
        probed(server, memory)
    first = clock.over
    probed(server, memory)
    assert clock.over - first <= 5 * QUIET / invitation_probe.POLLS


def _saves_of(clock: Clock) -> int:
    memory = Memory()
    probed(Server(clock), memory)
    return memory.saves


def test_hours_in_which_nobody_listened_do_not_count(clock: Clock) -> None:
    """A server may have been down with the probe."""
    server, memory = Server(clock), Memory(dies=24)
    with pytest.raises(Died):
        probed(server, memory)
    state = ProbeState.read(memory.text)
    assert state is not None
    waited = state.over.get("quiet", 0.0)
    assert waited < QUIET / 2
    clock.over += 3600.0
    began = clock.over
    probed(server, memory)
    assert clock.over - began >= QUIET - waited


def test_what_arrives_while_nobody_listens_is_heard(clock: Clock) -> None:
    server, memory = Server(clock), Memory(dies=24)
    with pytest.raises(Died):
        probed(server, memory)
    state = ProbeState.read(memory.text)
    assert state is not None
    server.mails.append((clock.over, f"UID:kogge-probe-{state.token}-external-quiet"))
    result = probed(server, memory)
    assert (result.outcome, result.heard) == ("not-silent", ("mail of the external guest after delete",))


def test_an_interrupted_probe_of_other_accounts_is_tidied_and_not_continued(clock: Clock) -> None:
    server, memory = Server(clock), Memory(dies=24)
    with pytest.raises(Died):
        probed(server, memory)
    assert server.objects
    alone = guests(Mailbox(server), "internal")
    assert probed(server, memory, guests=alone).outcome == "silent"
    assert {name for name in server.objects if "external" not in name} == set()


def test_after_two_days_it_begins_again(clock: Clock) -> None:
    server, memory = Server(clock), Memory(dies=24)
    with pytest.raises(Died):
        probed(server, memory)
    clock.over += timedelta(days=3).total_seconds()
    assert probed(server, memory).outcome == "silent"
    assert (len(server.loud), server.objects) == (4, {})


def test_the_ledger_keeps_it(clock: Clock, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    memory, other = LedgerMemory(ledger, "invitation-probe:1"), LedgerMemory(ledger, "invitation-probe:2")
    memory.save("a")
    other.save("b")
    memory.save("c")
    assert (memory.load(), other.load()) == ("c", "b")
    memory.clear()
    memory.clear()
    assert (memory.load(), other.load()) == ("", "b")
    ledger.close()


# guests


@pytest.mark.parametrize("guest", ["internal", "external"])
@pytest.mark.parametrize("step", ["create", "update", "exception", "delete"])
def test_a_server_that_mails_one_guest_after_one_step(clock: Clock, guest: str, step: str) -> None:
    result = probed(Server(clock, leaks=frozenset({(guest, step)})))
    assert result.outcome == "not-silent"
    assert all(one.startswith("mail of the external guest") == (guest == "external") for one in result.heard)
    assert result.guests == ("internal", "external")


@pytest.mark.parametrize("guest", ["internal", "external"])
def test_each_guest_needs_a_control(clock: Clock, guest: GuestName) -> None:
    """Silence towards one that nothing reaches proves nothing."""
    result = probed(Server(clock, deaf=frozenset({guest})))
    assert (result.outcome, result.unheard) == ("no-control", (guest,))


# faults


def failing(clock: Clock, begins: float, ends: float, code: str) -> Callable[[], None]:
    """Fails for some time."""

    def fault() -> None:
        if begins <= clock.over < ends:
            raise Transient(code, "the server said good-bye")

    return fault


@pytest.mark.parametrize("code", ["server-bye", "server-busy", "connection-cut", "unreachable"])
@pytest.mark.parametrize("begins", [0.0, 5.0, 60.0, 150.0])
def test_a_mail_server_that_restarts(clock: Clock, code: str, begins: float) -> None:
    server, phases = Server(clock), list[tuple[str, float, float]]()
    mailbox = Mailbox(server, fault=failing(clock, begins, begins + 300.0, code))
    result = probed(server, mailbox=mailbox, progress=lambda *one: phases.append(one))
    assert (result.outcome, result.tidy) == ("silent", True)
    assert clock.over >= QUIET + 300.0  # what could not be listened to does not count
    assert ("away", 0.0, OUTAGE_SECONDS) in phases


def test_a_calendar_server_that_restarts(clock: Clock) -> None:
    server = Server(clock)
    server.fault = failing(clock, 0.0, 100.0, "server-error")
    assert probed(server).outcome == "silent"
    assert clock.over >= 100.0


def test_mail_that_comes_late_because_its_server_was_away(clock: Clock) -> None:
    """The sender tries again later."""
    server = Server(clock, leaks=frozenset({("internal", "create")}))
    mailbox = Mailbox(server, fault=failing(clock, 30.0, 330.0, "server-bye"))
    server_write = server.write

    def write(name: str, body: bytes, *, quiet: bool) -> None:
        server_write(name, body, quiet=quiet)
        if clock.over > 10.0:
            server.mails = [(at + 400.0 if at > 40.0 else at, text) for at, text in server.mails]

    server.write = write  # type: ignore[method-assign]
    assert probed(server, mailbox=mailbox).outcome == "not-silent"


def test_a_server_that_stays_away_is_named_and_the_next_probe_goes_on(clock: Clock) -> None:
    server, memory = Server(clock), Memory()
    mailbox = Mailbox(server, fault=failing(clock, 100.0, 2000.0, "server-bye"))
    with pytest.raises(Transient) as caught:
        probed(server, memory, mailbox)
    assert caught.value.code == "server-bye"
    assert str(caught.value) == (
        "server-bye: invitation probe: mail server, mailbox of the guest: the server said good-bye;"
        " the next `kogge check` goes on where it stopped"
    )
    clock.over = 2000.0
    assert probed(server, memory).outcome == "silent"
    assert len(server.loud) == 2
    assert clock.over < 2000.0 + QUIET + AGAIN_SECONDS


def test_an_account_that_is_refused_is_named(clock: Clock) -> None:
    def refuse() -> None:
        raise Blocked("login-refused", "the server refuses the login")

    server = Server(clock)
    with pytest.raises(Blocked, match="invitation probe: mail server, mailbox of the guest: the server"):
        probed(server, mailbox=Mailbox(server, fault=refuse))


# the mailbox


class Imap:
    """Two folders; fails once at a call."""

    def __init__(self, mails: dict[str, list[str]], fails: list[str]) -> None:
        self.mails, self.fails, self.closed = mails, fails, 0

    def _step(self, name: str) -> None:
        if name in self.fails:
            self.fails.remove(name)
            raise Transient("server-busy")

    def containers(self) -> list[Container]:
        self._step("containers")
        return [Container(Kind.MAIL, name, (name,)) for name in self.mails]

    def position(self, href: str) -> str:
        self._step("position")
        return str(len(self.mails[href]))

    def listing(self, href: str, since: str | None) -> list[Listed]:
        self._step("listing")
        return [Listed(str(n), 1) for n in range(int(since or 0), len(self.mails[href]))]

    def read(self, href: str, hrefs: list[str]) -> Iterator[tuple[str, Native]]:
        for number, one in enumerate(hrefs):
            self._step(f"read-{href}-{number}")
            yield one, native(self.mails[href][int(one)])

    def close(self) -> None:
        self.closed += 1


def native(text: str) -> Native:
    return Native(Ref("1", "1"), "message", {}, lambda: BytesIO(f"Subject: {text}\r\n\r\n".encode()))


@pytest.mark.parametrize("fails", ["containers", "listing", "read-INBOX-0", "read-INBOX-1", "read-Junk-0"])
def test_a_mailbox_that_fails_in_the_middle_of_a_look_loses_nothing(fails: str) -> None:
    mails = {"INBOX": ["old"], "Junk": list[str]()}
    opened: list[Imap] = []
    faults: list[str] = []

    def opens() -> Any:
        opened.append(Imap(mails, faults))
        return opened[-1]

    watch = MailWatch(opens)
    watch.start()
    mails["INBOX"] += ["one", "two"]
    mails["Junk"] += ["three"]
    faults.append(fails)
    with pytest.raises(Transient):
        watch.news()
    assert [subject(one) for one in watch.news()] == ["one", "two", "three"]
    assert (len(opened), opened[0].closed) == (2, 1)
    assert watch.news() == []
    later = MailWatch(opens)
    later.go_on(watch.noted())
    mails["Junk"] += ["four"]
    assert [subject(one) for one in later.news()] == ["four"]
    later.close()
    later.close()
    assert opened[-1].closed == 1


def subject(news: News) -> str:
    return news.text.partition("ubject: ")[2].splitlines()[0]


@dataclass
class Calendar(Mailbox):
    """A channel whose notes no mailbox understands."""

    def noted(self) -> str:
        return "{}"


def test_a_channel_that_was_added_after_a_kill_begins_the_probe_anew(clock: Clock) -> None:
    server, memory = Server(clock), Memory(dies=10)
    with pytest.raises(Died):
        probed(server, memory, guests=[Guest("internal", INSIDE, (Mailbox(server),))])
    left = set(server.objects)
    result = probed(server, memory, guests=[Guest("internal", INSIDE, (Mailbox(server), Mailbox(server)))])
    assert (result.outcome, result.tidy) == ("silent", True)
    assert left
    assert (server.objects, memory.text) == ({}, "")


def test_a_channel_of_another_kind_gets_no_notes_of_the_old_one(clock: Clock) -> None:
    server, memory = Server(clock), Memory(dies=10)
    with pytest.raises(Died):
        probed(server, memory, guests=[Guest("internal", INSIDE, (Calendar(server),))])
    result = probed(server, memory, guests=[Guest("internal", INSIDE, (Mailbox(server),))])
    assert (result.outcome, server.objects) == ("silent", {})


def test_another_host_needs_a_control_of_its_own(clock: Clock) -> None:
    server, memory = Server(clock), Memory(dies=12)
    with pytest.raises(Died):
        probed(server, memory)
    server.address = "carl@practice.test"
    before = len(server.loud)
    assert probed(server, memory).outcome == "silent"
    assert len(server.loud) == before + 2


def test_a_guest_who_is_invited_no_more_leaves_no_meeting(clock: Clock) -> None:
    server, memory = Server(clock), Memory(dies=10)
    with pytest.raises(Died):
        probed(server, memory)
    assert any("external" in name for name in server.objects)
    assert probed(server, memory, guests=guests(Mailbox(server), "internal")).outcome == "silent"
    assert server.objects == {}
