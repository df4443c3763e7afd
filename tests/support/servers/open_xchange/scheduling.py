"""Whom a change to a meeting is mailed to. Users of the context get a notification, text and HTML without a
calendar part; everybody else gets iTIP. Measured at an SMTP server that kept every mail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.message import EmailMessage
from html import escape

from servers.open_xchange import people
from servers.open_xchange.content_lines import Line, Part, plain, text_of
from servers.open_xchange.context import Context, User
from servers.open_xchange.event_changes import Change
from servers.open_xchange.events import PRODID
from servers.open_xchange.times import is_over, vtimezones
from servers.smtp_sink import SmtpSink

SUBJECTS = {
    "new": "New appointment",
    "changed": "Appointment changed",
    "canceled": "Appointment canceled",
}


def is_silent(headers: Mapping[str, str]) -> bool:
    """Either header is enough, on PUT, update and DELETE: "Scheduling: none", or "Schedule-Reply: F", which
    counts as none."""
    says = headers.get("Scheduling", "").strip().lower()
    return says == "none" or headers.get("Schedule-Reply", "").strip().upper() == "F"


class Mailer:
    """Mails what a change gives. sink: None mails nothing. sent: how many left."""

    def __init__(self, context: Context, sink: SmtpSink | None) -> None:
        self.context = context
        self.sink = sink
        self.sent = 0

    def tell(self, change: Change | None, *, silent: bool) -> None:
        """What an organizer writes goes to everybody, also SCHEDULE-AGENT=NONE and CLIENT, but not what is
        wholly over; a series that began in the past and goes on is mailed. Who writes a copy of another
        organizer's meeting mails nobody, also for a changed PARTSTAT."""
        if change is None or silent:
            return
        now = self.context.clock.now()
        if all(is_over(part, now) for part in change.parts):
            return
        for recipient, subject, method in self._letters(change):
            self._send(change.actor, recipient, subject, change, method)

    def _letters(self, change: Change) -> Iterator[tuple[str, str, str]]:
        """Recipient, subject, and the iTIP method for those outside."""
        summary = plain(change.parts[0].value("SUMMARY"))
        if change.verb == "declined":
            yield change.organizer, f"{change.actor.name} declined the invitation: {summary}", "REPLY"
            return
        present = {who for part in change.parts for who in people.attendees(part)}
        for who in sorted(present | change.before, key=self._outsiders_last):
            verb = change.verb
            if who in ("", change.actor.address):
                continue
            if verb == "changed" and who not in present:
                verb = "canceled"
            elif verb == "changed" and who not in change.before:
                verb = "new"
            yield who, f"{SUBJECTS[verb]}: {summary}", "CANCEL" if verb == "canceled" else "REQUEST"

    def _outsiders_last(self, who: str) -> tuple[bool, str]:
        return self.context.by_address(who) is None, who

    def _send(self, actor: User, recipient: str, subject: str, change: Change, method: str) -> None:
        mail = _notification(subject)
        if self.context.by_address(recipient) is None:
            body = _itip(method, change.parts, change.actor.address)
            params = {"method": method, "charset": "utf-8"}
            mail.add_alternative(body, subtype="calendar", params=params)
        self._mail(actor, recipient, mail)

    def notify(self, actor: User, recipients: Iterable[str], subject: str) -> None:
        """A notification without a calendar part, to users and outsiders alike."""
        for recipient in recipients:
            self._mail(actor, recipient, _notification(subject))

    def _mail(self, actor: User, recipient: str, mail: EmailMessage) -> None:
        if self.sink is None:
            return
        mail["From"], mail["To"] = actor.address, recipient
        self.sink.send(actor.address, recipient, mail)
        self.sent += 1


def _notification(subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = " ".join(subject.split())
    mail.set_content(subject)
    mail.add_alternative(
        f"<!DOCTYPE html><html><body><h1>{escape(subject)}</h1></body></html>", subtype="html"
    )
    return mail


def _itip(method: str, parts: tuple[Part, ...], sender: str) -> str:
    head = (Line("VERSION", "2.0"), Line("PRODID", PRODID), Line("METHOD", method))
    if method == "REPLY":
        parts = tuple(_reply(part, sender) for part in parts)
    return text_of(Part("VCALENDAR", head, (*vtimezones(parts), *parts)))


def _reply(part: Part, sender: str) -> Part:
    """Names its sender alone, as DECLINED."""
    own = people.attendees(part).get(sender)
    kept = part.without("ATTENDEE")
    kept = kept.plus(own) if own is not None else kept
    return people.answered(kept, sender, "DECLINED", part.value("DTSTAMP"))
