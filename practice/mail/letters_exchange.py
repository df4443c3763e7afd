"""What only Exchange has: internal senders, meeting mail, reports, and other classes in mail folders."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from practice.mail.letters import Correspondent, Letter, Recipe, Scene, correspondent, moment
from practice.mail.letters_multipart import multipart, part, text_part
from practice.mail.letters_plain import Headers, outline, written
from practice.mail.letters_text import boundary, text
from practice.world.people import LEGACY_PREFIX


def imceaex(scene: Scene) -> Letter:
    """The sender is a legacyExchangeDN of a living colleague; the MIME shows the IMCEAEX form."""
    person = scene.people.at(scene.dice("ex").below(scene.people.count))
    return _internal(scene, person.name, person.legacy_dn, person.imceaex)


def imceaex_unknown(scene: Scene) -> Letter:
    """The same of somebody who has left: no directory resolves it."""
    shell = replace(
        scene.people.at(0), legacy_dn=f"{LEGACY_PREFIX}{scene.dice('left').hex(32)}-ausgeschieden"
    )
    return _internal(scene, "Ehemalige, Grete", shell.legacy_dn, shell.imceaex)


def _internal(scene: Scene, name: str, legacy_dn: str, shown: str) -> Letter:
    letter, _ = outline(scene)
    words = text(scene.owner.locale, scene.dice("body"), 500)
    visible = replace(letter, sender=Correspondent(name, shown))
    made = written(visible, lambda _: (_TEXT, words.encode()))
    return replace(made, sender=Correspondent(name, legacy_dn, "EX"), words=lambda: words)


def meeting_request(scene: Scene) -> Letter:
    return _meeting(scene, "REQUEST", "IPM.Schedule.Meeting.Request", "NEEDS-ACTION")


def meeting_accepted(scene: Scene) -> Letter:
    return _meeting(scene, "REPLY", "IPM.Schedule.Meeting.Resp.Pos", "ACCEPTED")


def meeting_declined(scene: Scene) -> Letter:
    return _meeting(scene, "REPLY", "IPM.Schedule.Meeting.Resp.Neg", "DECLINED")


def meeting_cancelled(scene: Scene) -> Letter:
    return _meeting(scene, "CANCEL", "IPM.Schedule.Meeting.Canceled", "NEEDS-ACTION")


def _meeting(scene: Scene, method: str, item_class: str, status: str) -> Letter:
    """text and text/calendar; method=... is what makes a server act, so nothing may mail it again."""
    letter, dice = outline(scene)
    start = moment(dice) + timedelta(days=3)
    calendar = _calendar(letter, dice.hex(40), start, method, status).encode()
    head = (
        ("Content-Type", f'text/calendar; charset="utf-8"; method={method}'),
        ("Content-Transfer-Encoding", "8bit"),
    )

    def content(variant: int) -> tuple[Headers, bytes]:
        parts = text_part(letter.subject.encode() + b"\r\n"), part(head, calendar)
        return multipart("alternative", boundary(scene.dice("meeting"), variant), parts)

    return replace(written(letter, content), item_class=item_class, words=lambda: letter.subject)


def _calendar(letter: Letter, uid: str, start: datetime, method: str, status: str) -> str:
    lines = (
        "BEGIN:VCALENDAR", "PRODID:-//Practice//Exchange//EN", "VERSION:2.0", f"METHOD:{method}",
        "BEGIN:VEVENT", f"UID:040000008200E00074C5B7101A82E008{uid.upper()}",
        f"DTSTAMP:{start:%Y%m%dT%H%M%SZ}", f"DTSTART:{start:%Y%m%dT%H0000Z}", "DURATION:PT1H",
        "SUMMARY:" + letter.subject.replace(",", "\\,"),
        f"ORGANIZER:mailto:{letter.sender.address}",
        *(f"ATTENDEE;PARTSTAT={status}:mailto:{who.address}" for who in letter.to),
        f"SEQUENCE:{int(method == 'CANCEL')}", "END:VEVENT", "END:VCALENDAR", "",
    )  # fmt: skip
    return "\r\n".join(lines)


def ndr(scene: Scene) -> Letter:
    """A non-delivery report: multipart/report, empty return path, REPORT.IPM.Note.NDR."""
    status = (
        f"Reporting-MTA: dns;ex01.practice.example\r\n\r\nFinal-Recipient: rfc822;{scene.owner.index}"
        "@nowhere.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found\r\n"
    )
    return _report(scene, "REPORT.IPM.Note.NDR", "delivery-status", status, "Unzustellbar: ")


def read_receipt(scene: Scene) -> Letter:
    """A read receipt: REPORT.IPM.Note.IPNRN."""
    status = (
        "Reporting-UA: practice.example; Exchange\r\n"
        f"Final-Recipient: rfc822;{scene.owner.address}\r\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\r\n"
    )
    return _report(scene, "REPORT.IPM.Note.IPNRN", "disposition-notification", status, "Gelesen: ")


def delivery_report(scene: Scene) -> Letter:
    """A delivery report: REPORT.IPM.Note.DR."""
    status = (
        "Reporting-MTA: dns;ex01.practice.example\r\n\r\n"
        f"Final-Recipient: rfc822;{scene.owner.address}\r\nAction: delivered\r\nStatus: 2.0.0\r\n"
    )
    return _report(scene, "REPORT.IPM.Note.DR", "delivery-status", status, "Zugestellt: ")


def _report(scene: Scene, item_class: str, kind: str, status: str, prefix: str) -> Letter:
    letter, _ = outline(scene)
    owner = correspondent(scene.owner)
    postmaster = Correspondent("Microsoft Outlook", "postmaster@practice.example")
    letter = replace(letter, sender=postmaster, to=(owner,), subject=prefix + letter.subject)

    def content(variant: int) -> tuple[Headers, bytes]:
        parts = (
            text_part(letter.subject.encode() + b"\r\n"),
            part((("Content-Type", f"message/{kind}"),), status.encode()),
            part(
                (("Content-Type", "text/rfc822-headers"),),
                b"Subject: original\r\nFrom: x@nowhere.example\r\n",
            ),
        )
        mark = boundary(scene.dice("report"), variant)
        return multipart("report", mark, parts, f"report-type={kind}")

    return replace(written(letter, content), item_class=item_class, words=lambda: letter.subject)


def sticky_note(scene: Scene) -> Letter:
    """A note that lies in a mail folder: no recipients, no Message-ID."""
    return _other(scene, "IPM.StickyNote")


def activity(scene: Scene) -> Letter:
    """A journal entry in a mail folder."""
    return _other(scene, "IPM.Activity")


def post(scene: Scene) -> Letter:
    """IPM.Post: written into the folder, never sent."""
    return _other(scene, "IPM.Post")


def associated(scene: Scene) -> Letter:
    """A view's settings: an associated item, which is not mail."""
    return _other(scene, "IPM.Microsoft.FolderDesign.NamedView")


def draft(scene: Scene) -> Letter:
    """Not sent yet: no recipients, no Message-ID, no Received line."""
    letter, dice = outline(scene)
    words = text(scene.owner.locale, scene.dice(f"body{scene.revision}"), scene.size)
    letter = replace(letter, sender=correspondent(scene.owner), message_id=None, received=None)
    letter = replace(letter, to=() if dice.chance(0.5) else letter.to)
    return replace(written(letter, lambda _: (_TEXT, words.encode())), words=lambda: words)


def _other(scene: Scene, item_class: str) -> Letter:
    letter, _ = outline(scene)
    words = text(scene.owner.locale, scene.dice("body"), 300)
    letter = replace(letter, sender=correspondent(scene.owner), to=(), message_id=None)
    made = written(letter, lambda _: (_TEXT, words.encode()), ("X-MS-Class", item_class))
    return replace(made, item_class=item_class, words=lambda: words)


_TEXT: Headers = (("Content-Type", 'text/plain; charset="utf-8"'), ("Content-Transfer-Encoding", "8bit"))

RECIPES: dict[str, Recipe] = {
    recipe.__name__: recipe
    for recipe in (
        imceaex, imceaex_unknown, meeting_request, meeting_accepted, meeting_declined, meeting_cancelled,
        ndr, read_receipt, delivery_report, sticky_note, activity, post, associated, draft,
    )
}  # fmt: skip
