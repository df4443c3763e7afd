"""A real server that invites people is kept from it; see live_dav.

Each test first does the loud thing, as any client would: only where that reaches somebody does silence prove
anything. Somebody outside of the server is invited too, and the sink on KOGGE_LIVE_SMTP_PORT hears of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from live_dav import RUN, account, container, made, opened, settings, written
from servers.smtp_sink import SmtpSink

from connectors.caldav.target import DavTarget
from connectors.settings import Secret
from engine.preflight.probe_caldav import CalendarHost, CalendarWatch, Desk
from engine.preflight.probe_run import prove_server
from model.kinds import Kind
from model.protocols import Item, Stored

pytestmark = pytest.mark.live
LOUD_SECONDS, QUIET_SECONDS = 60.0, 10.0
OUTSIDE = "eve@elsewhere.example"
START = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=40)


@dataclass(slots=True)
class Ears:
    """What reached the guest's calendars and inbox, or left by mail, since it was last asked."""

    watch: CalendarWatch
    sink: SmtpSink | None
    guest: str

    def heard(self) -> set[str]:
        found = {one.where for one in self.watch.news() if RUN in one.text}
        if self.sink is not None:
            found |= {f"mail {mail.method} {mail.recipient}" for mail in list(self.sink.mails)}
            self.sink.clear()
        return found

    def waited(self, seconds: float, enough: int) -> set[str]:
        """All that is heard until so much has been, or time is over."""
        until, found = time.monotonic() + seconds, self.heard()
        while len(found) < enough and time.monotonic() < until:
            time.sleep(1.0)
            found |= self.heard()
        return found


@dataclass(slots=True)
class Scene:
    """The account that invites, as its clients and as Kogge writes to it, and who is invited."""

    target: DavTarget
    client: CalendarHost
    guest: CalendarHost
    ears: Ears
    href: str

    def loud(self, name: str, *texts: str) -> set[str]:
        """What a client's PUTs of one object lead to."""
        wire = self.client.desk.wire
        for text in texts:
            answer = wire.ask("PUT", self.href + name, {"Content-Type": "text/calendar"}, text.encode())
            assert answer.ok
        return self.ears.waited(LOUD_SECONDS, 1)

    def quiet(self) -> set[str]:
        return self.ears.waited(QUIET_SECONDS, 1)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    inviting, invited = settings(Kind.CALENDAR), settings(Kind.CALENDAR, "GUEST_")
    port = int(os.environ.get("KOGGE_LIVE_SMTP_PORT", "0"))
    with ExitStack() as stack:
        sink = stack.enter_context(SmtpSink(port=port)) if port else None
        desks = Desk(inviting, account()), Desk(invited, account("GUEST_"))
        target = opened(Kind.CALENDAR, tmp_path)
        for one in (*desks, target):
            stack.callback(one.close)
        guest = CalendarHost(desks[1])
        ears = Ears(CalendarWatch(desks[1]), sink, guest.address)
        href = target.ensure(container(Kind.CALENDAR, "silence"))
        ears.watch.start()
        stack.callback(_tidy, desks, f"{RUN}-meeting")
        yield Scene(target, CalendarHost(desks[0]), guest, ears, href)


def _tidy(desks: tuple[Desk, Desk], mark: str) -> None:
    for desk in desks:
        CalendarWatch(desk).tidy(mark)


def text(scene: Scene, name: str, *, number: int = 0, organizer: str = "", answer: str = "") -> str:
    """A weekly series; from its second version on one date of it is moved. organizer: who invites, the
    account itself unless given; then answer is what the account has answered."""
    me, guest = scene.client.address, scene.guest.address
    people = [f"ORGANIZER:mailto:{organizer or me}"]
    people += [f"ATTENDEE;PARTSTAT={answer or 'ACCEPTED'}:mailto:{me}"]
    people += [f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{one}" for one in {guest, OUTSIDE}]
    start = START + timedelta(hours=number)
    events = [_event(name, start, number, ["RRULE:FREQ=WEEKLY;COUNT=4", *people])]
    if number > 1:
        second = start + timedelta(days=7)
        which = f"RECURRENCE-ID:{_stamp(second)}"
        events.append(_event(name, second + timedelta(hours=2), number, [which, *people]))
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Kogge//Live//EN", *events, "END:VCALENDAR", ""]
    return "\r\n".join(lines)


def _event(name: str, start: datetime, number: int, more: list[str]) -> str:
    lines = [f"UID:kogge-{RUN}-meeting-{name}", f"DTSTAMP:{_stamp(datetime.now(UTC))}", f"SEQUENCE:{number}"]
    lines += [f"DTSTART:{_stamp(start)}", f"DTEND:{_stamp(start + timedelta(hours=1))}"]
    return "\r\n".join(["BEGIN:VEVENT", *lines, f"SUMMARY:{RUN}-meeting {number}", *more, "END:VEVENT"])


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _item(
    scene: Scene,
    name: str,
    number: int,
    replaces: Stored | None = None,
    organizer: str = "",
    answer: str = "",
) -> Item:
    body = text(scene, name, number=number, organizer=organizer, answer=answer)
    return made(Kind.CALENDAR, f"kogge-{RUN}-meeting-{name}", body, replaces)


def test_nothing_of_what_is_written_is_heard(scene: Scene) -> None:
    if not scene.loud("loud.ics", text(scene, "loud")):
        pytest.skip("it invites nobody")
    scene.quiet()
    stored = written(scene.target, scene.href, _item(scene, "quiet", 0))
    for number in (1, 2, 3):
        stored = written(scene.target, scene.href, _item(scene, "quiet", number, stored[0]))
        assert scene.ears.heard() == set()
    assert isinstance(*scene.target.remove(scene.href, stored), Stored)
    assert scene.quiet() == set()


def test_a_meeting_that_people_know_is_changed_and_removed_without_a_word(scene: Scene) -> None:
    """As on a target that was live once: the guest has it in a calendar."""
    name = str(scene.target.place(_item(scene, "known", 0).key))
    if not scene.loud(name, text(scene, "known")):
        pytest.skip("it invites nobody")
    scene.quiet()
    old = Stored(_item(scene, "known", 0).key, name)
    (stored,) = written(scene.target, scene.href, _item(scene, "known", 2, old))
    assert scene.quiet() == set()
    assert isinstance(*scene.target.remove(scene.href, [stored]), Stored)
    assert scene.quiet() == set()


def test_an_invitation_is_not_answered(scene: Scene) -> None:
    """Neither when it comes with its answer, nor when the answer changes, nor when it is removed. Those who
    invite are elsewhere: a mail is the answer."""
    asked, answered = (
        text(scene, "loud-in", organizer=OUTSIDE, answer=one) for one in ("NEEDS-ACTION", "ACCEPTED")
    )
    if not scene.loud("loud.ics", asked, answered):
        pytest.skip("it answers nobody")
    scene.quiet()
    stored = written(
        scene.target, scene.href, _item(scene, "in", 0, organizer=OUTSIDE, answer="NEEDS-ACTION")
    )
    for answer in ("DECLINED", "ACCEPTED"):
        item = _item(scene, "in", 1, stored[0], organizer=OUTSIDE, answer=answer)
        stored = written(scene.target, scene.href, item)
    assert isinstance(*scene.target.remove(scene.href, stored), Stored)
    assert scene.quiet() == set()


def test_a_probe_finds_it_silent(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    host, guest = account(), account("GUEST_")
    for one, who in ((host, ""), (guest, "GUEST_")):
        monkeypatch.setenv(f"KOGGE_LIVE_OF_{one.login}", os.environ[f"KOGGE_LIVE_DAV_{who}PASSWORD"])
    both = settings(Kind.CALENDAR).model_copy(update={"password": Secret(env="KOGGE_LIVE_OF_{login}")})
    result = prove_server(both, host, guest, None, arrival=5.0)
    if result.outcome == "no-control":
        pytest.skip("it invites nobody")
    assert (result.outcome, result.heard, result.tidy) == ("silent", (), True)
