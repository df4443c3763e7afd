"""Single appointments, each odd in its own way: days, zones, texts, states, attachments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from practice.calendar.appointments import Busy, Event, Place
from practice.calendar.event_desk import PLAIN, Make, at, foreign_goid, home, timed, whole_days
from practice.calendar.timezones import (
    BERLIN,
    ISLAND,
    LONDON,
    LOS_ANGELES,
    MUMBAI,
    NEW_YORK,
    REFORMED,
    SYDNEY,
    TOKYO,
    UTC_ZONE,
    Zone,
)
from practice.contacts.photos import png
from practice.mail.letters import Attachment
from practice.world.desk import Desk
from practice.world.record_elements import public
from practice.world.records import Common, Sensitivity

_HTML = (
    '<html>\r\n<head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
    "<style>p {margin:0}</style>\r\n</head>\r\n<body>\r\n<p>Tagesordnung &amp; Ziele:</p>\r\n"
    '<ul><li>Begr&uuml;&szlig;ung</li><li>Haushalt &lt;2027&gt;</li></ul>\r\n<p><img src="cid:plan@practice">'
    "</p></body></html>"
)
_EML = (
    b"From: Stadtwerke <service@stadtwerke.example>\r\nTo: team@practice.example\r\nSubject: Angebot\r\n"
    b"Message-ID: <angebot@stadtwerke.example>\r\nDate: Mon, 07 Sep 2026 08:00:00 +0200\r\n\r\nIm Anhang.\r\n"
)
_ICS = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Practice//EN\r\nBEGIN:VEVENT\r\nUID:anhang@practice\r\n"
    b"DTSTAMP:20260101T000000Z\r\nDTSTART:20260105T080000Z\r\nSUMMARY:Vorgespr\xc3\xa4ch\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)


_AUTUMN = at((2026, 10, 5), 9)


def _single(subject: str, start: datetime, minutes: int = 60, base: Common = PLAIN) -> Make:
    return lambda desk: timed(desk, subject, start, minutes, base=base)


def _in_zone(subject: str, start: datetime, zone: Zone, minutes: int = 60) -> Make:
    return lambda desk: timed(desk, subject, start, minutes, zone)


def _all_day(subject: str, day: date, days: int = 1, zone: Zone | None = None) -> Make:
    return lambda desk: whole_days(desk, subject, day, days, zone)


def _busy(status: Busy) -> Make:
    return lambda desk: replace(timed(desk, f"Anzeigen als {status}", at((2026, 5, 11), 13)), busy=status)


def _unstated(desk: Desk) -> Event:
    return replace(timed(desk, "Ohne Anzeige", at((2026, 5, 12), 13)), busy=None)


def _secret(sensitivity: Sensitivity, subject: str) -> Make:
    base = Common(sensitivity=sensitivity, body="Nicht für andere Augen.", importance="High")
    return lambda desk: timed(desk, subject, at((2026, 4, 14), 17), base=base)


def _reminded(minutes: int, subject: str, start: datetime = _AUTUMN) -> Make:
    return _single(subject, start, base=Common(reminder=minutes))


def _flight(desk: Desk) -> Event:
    """Begins in one zone and ends in another."""
    event = timed(desk, "Flug LH 400 ✈ FRA → JFK", at((2026, 6, 18), 10, 45), zone=BERLIN)
    return replace(event, end=at((2026, 6, 18), 13, 30), end_zone=NEW_YORK, location="FRA, Terminal 1")


def _old_zone(desk: Desk) -> Event:
    event = timed(desk, "Von Outlook 2003 angelegt", at((2019, 7, 2), 14), zone=BERLIN)
    return replace(event, old_zone=True)


def _enhanced(desk: Desk) -> Event:
    place = Place(
        "Café Kogge; Hafen, 2. Stock",
        street="Am Kai 7",
        city="Lübeck",
        code="23552",
        country="Deutschland",
        latitude=53.8654673,
        longitude=10.6865593,
    )
    event = timed(desk, "Mittagessen", at((2026, 3, 19), 12, 30), base=Common(importance="Low"))
    return replace(event, place=place, location=place.name)


def _skype(desk: Desk) -> Event:
    """The link stands in a property of its own, and nowhere else."""
    link = "https://meet.practice.example/weiss/4T7Q2X"
    base = Common(properties=(public("OnlineMeetingExternalLink", link),))
    return timed(desk, "Skype-Besprechung", at((2021, 11, 3), 10), base=base)


def _teams(desk: Desk) -> Event:
    link = "https://teams.practice.example/l/meetup-join/19%3ameeting_Zm9v%40thread.v2/0?context=%7b%7d"
    base = Common(
        body=f"Hier klicken: {link}\r\n", properties=(public("SkypeTeamsMeetingUrl", link),), reminder=15
    )
    event = timed(desk, "Videokonferenz", at((2026, 9, 22), 10), base=base)
    return replace(event, online=link, location="Microsoft Teams-Besprechung")


def _attached(*attachments: Attachment, html: bool = False) -> Make:
    base = Common(body=_HTML if html else "Siehe Anlagen.", html=html, attachments=attachments)
    return lambda desk: timed(desk, "Mit Anlagen", at((2026, 3, 3), 11), base=base)


def _file(
    name: str = "Protokoll Ämter 2026.pdf", size: int = 2000, *, unreadable: bool = False
) -> Attachment:
    return Attachment(name, "application/pdf", b"%PDF-1.4\n" + b"k" * size, unreadable=unreadable)


def _picture(inline: bool = True) -> Attachment:
    return Attachment("plan.png", "image/png", png("plan", 16), "plan@practice", inline)


def _foreign(desk: Desk) -> Event:
    event = timed(desk, "Import von anderswo", at((2025, 2, 3), 9))
    return replace(event, uid=f"{desk.dice('uid').hex(26)}@calendar.stadtwerke.example")


def _wrapped_uid(desk: Desk) -> Event:
    uid = foreign_goid(f"{desk.dice('uid').hex(16)}@nextcloud.example")
    return replace(timed(desk, "Einladung von draußen", at((2025, 2, 4), 9)), uid=uid)


def _without_uid(desk: Desk) -> Event:
    return replace(timed(desk, "Ohne UID", at((2025, 2, 5), 9)), uid="")


def _own_class(name: str) -> Make:
    return lambda desk: replace(timed(desk, "Eigene Klasse", at((2025, 8, 6), 9)), item_class=name)


def _sequence(desk: Desk) -> Event:
    return replace(timed(desk, "Oft verschoben", at((2026, 8, 20), 16)), sequence=12)


def twin(desk: Desk, text: str = "In zwei Kalendern") -> Event:
    """Two items of one UID in two calendars of one mailbox differ in their text."""
    uid = f"{desk.seed}-{desk.index}-zweimal@practice.example"
    return replace(timed(desk, text, at((2026, 1, 21), 15)), uid=uid)


def _zoned(desk: Desk) -> Event:
    return timed(desk, "Ortszeit", at((2026, 7, 1), 8), zone=home(desk))


_LONG = ("Sehr ausführliche Beschreibung; mit Komma, Semikolon und \\ Rückstrich.\r\n" * 400) + "Ende"
_COLOURFUL = Common(categories=("Rote Kategorie", "Bürgermeister", "Ohne Liste", "a,b;c", "日本語"))

ODD: Mapping[str, Make] = {
    "zoned": _zoned,
    "all_day": _all_day("Feiertag", date(2026, 10, 3)),
    "all_day_in_tokyo": _all_day("In Tokio angelegt", date(2026, 5, 6), zone=TOKYO),
    "all_day_in_los_angeles": _all_day("In Los Angeles angelegt", date(2026, 5, 6), zone=LOS_ANGELES),
    "all_day_utc": _all_day("Ganztägig in UTC", date(2026, 2, 28), zone=UTC_ZONE),
    "all_day_at_the_change": _all_day("Zeitumstellung", date(2026, 3, 29), zone=BERLIN),
    "days": _all_day("Betriebsurlaub", date(2025, 12, 24), 9),
    "over_midnight": _single("Lange Nacht der Museen", at((2026, 8, 29), 19), 420),
    "over_days": _single("Messe", at((2026, 4, 20), 9), 3 * 1440 + 480),
    "instant": _single("Erinnerung ohne Dauer", at((2026, 1, 7), 8), 0),
    "in_the_gap": _in_zone("02:30 gibt es nicht", at((2026, 3, 29), 2, 30), BERLIN),
    "in_the_fold": _in_zone("02:30 gibt es zweimal", at((2026, 10, 25), 2, 30), BERLIN, 30),
    "over_the_change": _in_zone("Schicht bei Umstellung", at((2026, 10, 24), 22), BERLIN, 480),
    "london": _in_zone("Call with London", at((2026, 3, 27), 16), LONDON),
    "sydney": _in_zone("Sydney, Winter ist Sommer", at((2026, 1, 15), 9), SYDNEY),
    "mumbai": _in_zone("Halbe Stunde versetzt", at((2026, 1, 16), 9), MUMBAI),
    "utc": _in_zone("In UTC", at((2026, 1, 17), 9), UTC_ZONE),
    "custom_zone": _in_zone("Inselzeit", at((2026, 7, 7), 9), ISLAND),
    "reformed_zone": _in_zone("Nach der Reform", at((2025, 7, 7), 9), REFORMED),
    "flight": _flight,
    "old_zone": _old_zone,
    "seconds": _single("Mit Sekunden", datetime(2026, 1, 8, 9, 0, 30), 45),
    "far_past": _single("Gründung", at((1905, 6, 1), 10)),
    "far_future": _single("Ablauf", at((2099, 12, 31), 23), 59),
    **{f"busy_{status.lower()}": _busy(status) for status in
       ("Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData")},
    "busy_unstated": _unstated,
    "private": _secret("Private", "Arzttermin"),
    "personal": _secret("Personal", "Elternabend"),
    "confidential": _secret("Confidential", "Personalgespräch"),
    "reminder_now": _reminded(0, "Erinnerung zum Beginn"),
    "reminder_week": _reminded(10080, "Erinnerung eine Woche vorher"),
    "reminder_past": _reminded(15, "Vorbei, mit Erinnerung", at((2020, 1, 13), 9)),
    "reminder_all_day": lambda desk: whole_days(
        desk, "Ganztägig, mit Erinnerung", date(2026, 11, 9), base=Common(reminder=1080)),
    "enhanced_location": _enhanced,
    "skype": _skype,
    "teams": _teams,
    "categories": _single("Bunt", at((2026, 2, 9), 9), base=_COLOURFUL),
    "file": _attached(_file()),
    "files_odd": _attached(_file("Größe \"1/2\": <neu>.pdf"), _file("leer.txt", 0), _file("日本.pdf")),
    "inline_picture": _attached(_picture(), html=True),
    "picture_and_file": _attached(_picture(), _file(), html=True),
    "item_attachment": _attached(Attachment("Angebot", "message/rfc822", _EML, item_class="IPM.Note")),
    "event_attachment": _attached(
        Attachment("Vorgespräch", "text/calendar", _ICS, item_class="IPM.Appointment")),
    "unreadable_attachment": _attached(_file("kaputt.pdf", unreadable=True), _file()),
    "large_attachment": _attached(_file("gross.pdf", 1_500_000)),
    "html": _attached(html=True),
    "no_subject": _single("", at((2026, 3, 12), 9)),
    "blank_subject": _single(" \t ", at((2026, 3, 13), 9)),
    "control_characters": _single(
        "Zeile\u0085eins\u2028zwei\u200b\x7f\tdrei\x0b", at((2026, 3, 14), 9),
        base=Common(body="a\x00b\x0bc\r\nd\ne\rf\u2029g\ufeff")),
    "long_subject": _single("Ü" * 300, at((2026, 3, 15), 9)),
    "long_body": _single("Lang", at((2026, 3, 16), 9), base=Common(body=_LONG)),
    "japanese": _single("年度末の会議、東京;本社", at((2026, 3, 17), 9), base=Common(body="場所:本社\r\n")),
    "arabic": _single("اجتماع الميزانية", at((2026, 3, 18), 9), base=Common(body="مرحبا\u202e abc")),
    "hebrew": _single("ישיבת תקציב (1)", at((2026, 3, 20), 9)),
    "emoji": _single("👩🏽‍🔧 Werkstatt 🇩🇪", at((2026, 3, 21), 9)),
    "looks_like_ical": _single("END:VEVENT\\n,;:\"BEGIN", at((2026, 3, 22), 9)),
    "foreign_uid": _foreign,
    "wrapped_uid": _wrapped_uid,
    "no_uid": _without_uid,
    "own_class": _own_class("IPM.Appointment.Dienstreise"),
    "unknown_class": _own_class("IPM.Practice.Unknown"),
    "sequence": _sequence,
    "twin_uid": twin,
}  # fmt: skip
"""Single events by name."""
