"""What an invitation probe watches, step by step, without a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from icalendar import Calendar
from probe_clock import NOW, Clock

from engine.preflight.invitation_probe import Guest, News, ProbeResult, probe_invitations
from engine.preflight.probe_meeting import Meeting
from model.errors import Transient

GUEST = "bert@practice.test"
ARRIVAL = 60.0


@dataclass
class Leaky:
    """A server that keeps quiet but for one step. Notices come delay seconds later."""

    clock: Clock
    leaks: str
    delay: float = 100.0
    sent: list[tuple[float, str]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    address: str = "anna@practice.test"
    silent_agent: bool = False
    name: str = "a server"

    def write(self, name: str, body: bytes, *, quiet: bool) -> None:
        step = "create" if name not in self.objects else "exception" if b"RECURRENCE-ID" in body else "update"
        self.objects[name] = body
        if not quiet or step == self.leaks:
            self.sent.append((self.clock.over + self.delay * quiet, body.decode()))

    def remove(self, name: str, *, quiet: bool) -> None:
        body = self.objects.pop(name, b"")
        if body and (not quiet or self.leaks == "delete"):
            self.sent.append((self.clock.over + self.delay, body.decode()))

    def start(self) -> None:
        self.sent.clear()

    def noted(self) -> str:
        return ""

    def go_on(self, noted: str) -> None:
        assert noted == ""

    def news(self) -> list[News]:
        due = [one for one in self.sent if one[0] <= self.clock.over]
        self.sent = [one for one in self.sent if one not in due]
        return [News("mail", text) for _, text in due]

    def tidy(self, mark: str) -> None:
        assert all(mark in name for name in self.objects)


def probed(server: Leaky, clock: Clock) -> ProbeResult:
    return probe_invitations(
        server, [Guest("internal", GUEST, (server,))], arrival=ARRIVAL, times=clock.times
    )


@pytest.mark.parametrize("step", ["create", "update", "exception", "delete"])
def test_every_single_step_is_watched(clock: Clock, step: str) -> None:
    server = Leaky(clock, step)
    result = probed(server, clock)
    assert result.outcome == "not-silent"
    assert server.objects == {}


def test_the_last_moment_counts(clock: Clock) -> None:
    for delay, outcome in ((179.9, "not-silent"), (180.0, "not-silent"), (200.0, "silent")):
        server = Leaky(clock, "delete", delay)
        result = probed(server, clock)
        assert result.outcome == outcome


@dataclass
class Vague(Leaky):
    """Its notification of the update names neither the meeting nor its title."""

    def news(self) -> list[News]:
        vague = News("mail", "From: Anna <ANNA@practice.test>\n\nA new date")
        return [*Leaky.news(self), *([vague] if self.clock.over > 100 else [])]


def test_a_notification_that_names_no_meeting_counts(clock: Clock) -> None:
    server = Vague(clock, "")
    result = probed(server, clock)
    assert result.outcome == "not-silent"


def test_what_cannot_be_removed_is_told(clock: Clock) -> None:
    @dataclass
    class Stuck(Leaky):
        def remove(self, name: str, *, quiet: bool) -> None:
            if "control" in name:
                raise Transient("busy")
            Leaky.remove(self, name, quiet=quiet)

    server = Stuck(clock, "")
    result = probed(server, clock)
    assert (result.outcome, result.tidy) == ("silent", False)
    assert len(server.objects) == 1


def test_meetings_are_series_that_change_where_it_matters() -> None:
    meeting = Meeting("u", "a@x.test", "b@x.test", NOW)
    texts = [meeting.body(), meeting.body(update=True), meeting.body(update=True, exception=True)]
    events = [Calendar.from_ical(text).walk("VEVENT") for text in texts]
    assert [len(one) for one in events] == [1, 1, 2]
    assert [one[0]["SEQUENCE"] for one in events] == [0, 1, 2]
    assert len({one[0]["DTSTART"].dt for one in events}) == 2
    assert all(one[0]["DTSTART"].dt > NOW for one in events)
    assert events[2][1]["RECURRENCE-ID"].dt - events[2][0]["DTSTART"].dt == timedelta(days=1)
    assert b"SCHEDULE-AGENT" not in b"".join(texts)
    assert b"SCHEDULE-AGENT=CLIENT:mailto:b@x.test" in Meeting(
        "u", "a@x.test", "b@x.test", NOW, client_agent=True
    ).body().replace(b"\r\n ", b"")
