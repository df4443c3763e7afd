"""What reads a stranger's mail, page, appointment and card, with what is worst for each.

Each has 100 kB, or as many bytes as the caller says; of pages and lines, 200 kB at most.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from hostile import answers, broken_mails
from hostile_runs import USUAL, Case, run_all

from connectors.exchange.mime_builder import Letter, write
from connectors.imap.source import _address
from engine.identity.provisioning_items import _title
from engine.preflight.probe_mail import _text as probe_text
from kogge.shown.item_lookup import _subject
from mappings.compare.semantic_digest import calendar_digest, card_digest
from mappings.fields.context import Context
from mappings.fields.html_text import plain
from mappings.fields.message_id import read_message_id
from mappings.mail import delivery, links
from mappings.mail.content import NotUnderstood
from mappings.mail.digest import tolerant
from mappings.mail.mail import map_mail
from mappings.notes.note import map_note
from mappings.registry import ITEM_FORMS, map_contact, map_event, map_task
from model.errors import MigrationError
from model.kinds import Kind
from model.protocols import Capabilities, Native, Ref

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LENGTH = int(sys.argv[2]) if __name__ == "__main__" and len(sys.argv) > 2 else USUAL
"""Of a mail, in bytes."""
MANY = min(LENGTH, 200_000)
"""Of everything else."""
HEAD = b"From: a@b.example\r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\nMessage-ID: <a@b>\r\n"


def _multipart(head: bytes, body: bytes) -> bytes:
    return (
        HEAD + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b" + head + b"\r\n\r\n" + body
    )


def _part(encoding: bytes, body: bytes, kind: bytes = b"text/plain") -> bytes:
    return (
        HEAD + b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body
    )


def _nested(depth: int) -> bytes:
    heads = (b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (n, n + 1) for n in range(depth))
    return HEAD + b"Content-Type: multipart/mixed; boundary=0\r\n\r\n" + b"".join(heads)


def _runs() -> Iterator[tuple[str, bytes]]:
    for one in (
        b"\r",
        b" ",
        b"\t",
        b"\n",
        b"\r\n",
        b"\0",
        b"\r\r\n",
        b" \r",
        b" \r\n",
        b"=",
        b"=\r\n",
        b"=20",
        b"--b",
        b"--b\r\n",
        b"\r\n--",
        b"(",
        b"<",
        b"a=",
        b"A",
        b"A\r\n",
        b"\xc3",
        b"&nbsp;",
    ):
        yield repr(one), one * (LENGTH // len(one))


def mails() -> Iterator[tuple[str, bytes]]:
    ends = (b"", b"x") if LENGTH > USUAL else (b"x",)
    for name, run in _runs():
        for end in ends:
            for encoding in (b"7bit", b"quoted-printable", b"base64"):
                yield f"{encoding.decode()} of {name} {end!r}", _part(encoding, run + end)
        yield f"html of {name}", _part(b"7bit", run, b"text/html")
        yield f"multipart of {name}", _multipart(b"", b"--b\r\n\r\n" + run)
        yield f"header of {name}", b"Subject: " + run + b"x\r\n\r\nbody"
        yield f"beginning of {name}", run
    fields = {
        "parameters": b"; a%d=x",
        "parameters of one name": b"; a=x",
        "continuations": b"; a*%d=x",
        "extended continuations": b"; a*%d*=%%41",
        "quoted": b'; a%d="x"',
        "open quotes": b';"',
        "semicolons": b";",
        "sections without end": b"; a*1*2*3*%d=x",
        "folded parameters": b";\r\n a%d=x",
    }
    for name, one in fields.items():
        made = b"".join(one % n if b"%d" in one else one for n in range(LENGTH * 9 // 10 // len(one)))
        for field in (b"Content-Type: text/plain", b"Content-Disposition: attachment"):
            yield f"{name} in {field.decode()}", HEAD + field + made + b"\r\n\r\nbody"
        yield f"{name} before a boundary", _multipart(made, b"--b\r\n\r\nx\r\n--b--\r\n")
    yield "number of a section", HEAD + b"Content-Type: text/plain; a*" + b"1" * 6000 + b"=x\r\n\r\nbody"
    words = {
        "encoded words": b"=?utf-8?q?a?= ",
        "of many charsets": b"=?utf-8?b?QQ==?= =?latin-1?q?=e4?= ",
        "almost": b"=?utf-8?q?a",
        "unknown": b"=?x?q?a?= ",
        "folded": b"\r\n a",
        "comments": b"(",
        "closed comments": b"()",
        "addresses": b"a@b, ",
        "angle brackets": b"<",
        "routes": b"@a,",
        "groups": b"a:b;",
        "quotes": b'"',
        "escapes": b"\\",
        "dots": b".",
    }
    for name, one in words.items():
        made = one * (LENGTH * 9 // 10 // len(one))
        for field in (b"Subject", b"From", b"Message-ID", b"Date"):
            yield f"{name} in {field.decode()}", field + b": " + made + b"\r\n" + HEAD + b"\r\nbody"
    yield "many fields", HEAD + b"X: y\r\n" * (LENGTH // 6) + b"\r\nbody"
    yield (
        "many distinct fields",
        HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(LENGTH // 12)) + b"\r\nbody",
    )
    yield "many Message-IDs", b"Message-ID: <a@b>\r\n" * (LENGTH // 20) + b"\r\nbody"
    yield "many parts", _multipart(b"", b"--b\r\n\r\nx\r\n" * (LENGTH // 12))
    for depth in (30, 90, 3000, 20_000):
        yield f"{depth} parts in parts", _nested(depth)
        yield f"{depth} mails in mails", HEAD + b"Content-Type: message/rfc822\r\n\r\n" * depth
    yield "addresses of pages", _part(b"7bit", b"http://a.sharepoint.com/" + b")" * LENGTH)
    yield "addresses and dots", _part(b"7bit", b"http://a.sharepoint.com/" + b".)" * (LENGTH // 2))
    yield (
        "wrapped addresses",
        _part(b"7bit", b"http://a.safelinks.protection.outlook.com/?" + b"url=a&" * (LENGTH // 7)),
    )


def pages() -> Iterator[tuple[str, str]]:
    for one in (
        "<a>",
        "<a href=http://x.example>",
        "<div>",
        "<pre> ",
        "<pre>",
        "<p>",
        "<b>",
        "<!--",
        "<![CDATA[",
        "<",
        "</",
        "&",
        "&nbsp;",
        "&#",
        "&#32;",
        "<table><tr><td>",
        "<li>",
        "<script>",
        "</div>",
        " ",
        "\n",
        "<a =",
        "a='",
        "<?",
        "<!",
        "<a href='http://x.example'>y</a>",
    ):
        yield f"page of {one!r}", one * (MANY // len(one))
        yield f"text behind {one!r}", "<p>x" + one * (MANY // len(one)) + "x</p>"
    yield "attributes", "<a " + "".join(f"b{n}=c " for n in range(20_000)) + ">x</a>"
    yield "links in links", "<div><a href='http://x.example'>x" * 6000 + "</a></div>" * 6000
    yield "blanks kept", "<pre>" + " " * MANY + "x</pre>"
    yield "no-break blanks", "<p>" + "&nbsp;" * MANY + "x</p>"


def lines() -> Iterator[tuple[str, str]]:
    """Content lines that stand in an event, a task or a card."""
    some = MANY // 10
    yield "parameters", "X-A" + "".join(f";P{n}=x" for n in range(some)) + ":v"
    yield "parameters of one name", "X-A" + ";TYPE=x" * some + ":v"
    yield "values of a parameter", "X-A;TYPE=" + ",".join("x" for _ in range(some)) + ":v"
    yield "quoted values", "X-A;TYPE=" + ",".join('"x"' for _ in range(some)) + ":v"
    yield "open quotes", 'X-A;TYPE="' + 'a"' * some + ":v"
    yield "semicolons", "X-A" + ";" * MANY + ":v"
    for name in (
        "CATEGORIES",
        "SUMMARY",
        "DESCRIPTION",
        "N",
        "FN",
        "ADR",
        "ORG",
        "NOTE",
        "RDATE",
        "EXDATE",
        "RRULE",
        "ATTENDEE",
        "ORGANIZER",
        "TEL",
        "EMAIL",
        "BDAY",
        "DURATION",
        "NICKNAME",
    ):
        for one in (
            "\\,",
            "\\;",
            "\\",
            ",",
            ";",
            "a,",
            "\\n",
            " ",
            "^n",
            "=",
            "P",
            "1",
            "20260101,",
            "BYDAY=MO;",
        ):
            yield f"{name} of {one!r}", f"{name}:" + one * (MANY // len(one))
    for name in (
        "CATEGORIES:a",
        "ATTENDEE:mailto:a@b.example",
        "EXDATE:20260101T090000Z",
        "TEL:1",
        "X-A:1",
        "item1.TEL:1",
        "COMMENT:a",
        "ATTACH:http://a",
    ):
        yield f"many {name}", "\r\n".join([name] * some)
    yield "folded", "SUMMARY:" + "\r\n a" * (MANY // 4)
    yield "open blocks", "BEGIN:VALARM\r\n" * some
    yield "alarms", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n" * (some // 8)


def _event(inner: str) -> bytes:
    return ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\n"
            f"DTSTART:20260101T090000Z\r\n{inner}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n").encode()  # fmt: skip


def _card(inner: str) -> bytes:
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:a\r\n{inner}\r\nEND:VCARD\r\n".encode()


def _native(data: bytes, form: str, **properties: object) -> Native:
    return Native(Ref("id-1", "v1"), form, properties, lambda: io.BytesIO(data))


MAIL = Capabilities(frozenset({Kind.MAIL}))
Reader = Callable[[bytes], object]


def _map_mail(data: bytes) -> object:
    return map_mail(_native(data, "rfc822", FLAGS=frozenset()), MAIL, NOW)


def _locate(data: bytes) -> object:
    return _subject(Kind.MAIL, _native(data, "rfc822"))


def _probe(data: bytes) -> object:
    return probe_text(_native(data, "rfc822"))


MAIL_READERS: Mapping[str, Reader] = {
    "map": _map_mail,
    "tolerant": lambda data: tolerant(io.BytesIO(data)),
    "message-id": lambda data: read_message_id(io.BytesIO(data)),
    "delivery head": lambda data: delivery.mark(delivery.head_of(io.BytesIO(data))),
    "delivery content": lambda data: delivery.content(io.BytesIO(data)),
    "links": lambda data: links.in_mail(io.BytesIO(data)),
    "subject": _locate,
    "sender": lambda data: _address(data),
    "welcome mail": lambda data: _title(data[:65536]),
    "probe": _probe,
}


DECODING = ("tolerant", "delivery content", "links", "probe")


def _sink() -> io.BytesIO:
    return io.BytesIO()


def _letter(text: str) -> object:
    letter = Letter(
        {"From": [(text, "a@b.example")], "To": [(text, None)]}, NOW, text, text, text, text, "High"
    )
    return write(_sink(), "id-1", letter, [])  # type: ignore[arg-type]


def _ews(kind: str, tag: str, inner: str) -> Native:
    spaces = (
        'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
        'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
    )
    times = (
        "<t:Start>2026-06-02T07:00:00Z</t:Start><t:End>2026-06-02T08:00:00Z</t:End>"
        if kind == "event"
        else ""
    )
    xml = f"<m:Items {spaces}><t:{tag}>{times}{inner}</t:{tag}></m:Items>"
    return _native(xml.encode(), f"ews-{kind}", Attachments={})


CONTEXT = Context(Capabilities(frozenset(Kind)), NOW, NOW)
ELEMENTS = {
    "event": ("CalendarItem", map_event),
    "task": ("Task", map_task),
    "contact": ("Contact", map_contact),
    "note": ("Message", map_note),
}


def _records() -> Iterator[Case]:
    texts = {
        "blanks": " " * MANY + "x",
        "line ends": "\n" * MANY + "x",
        "commas": ",\\;" * (MANY // 3),
        "umlauts": "\u00e4" * MANY,
        "quotes": "&quot;" * MANY,
        "joiners": "\u200d" * MANY,
    }
    for kind, (tag, mapped) in ELEMENTS.items():
        for name, text in texts.items():
            for field in ("Subject", "Body BodyType='Text'", "Location", "DisplayName", "CompanyName"):
                inner = f"<t:{field}>{text}</t:{field.split()[0]}>"
                yield (
                    f"{kind}: {name} in {field}",
                    lambda m=mapped, k=kind, t=tag, i=inner: m(_ews(k, t, i), CONTEXT),
                )
        many = (
            "<t:Categories>" + "".join(f"<t:String>c{n}</t:String>" for n in range(5000)) + "</t:Categories>"
        )
        yield f"{kind}: categories", lambda m=mapped, k=kind, t=tag, i=many: m(_ews(k, t, i), CONTEXT)
    people = "".join(
        f"<t:Attendee><t:Mailbox><t:Name>n</t:Name><t:EmailAddress>a{n}@b.example</t:EmailAddress></t:Mailbox>"
        "</t:Attendee>"
        for n in range(5000)
    )
    inner = f"<t:RequiredAttendees>{people}</t:RequiredAttendees>"
    yield "event: attendees", lambda: map_event(_ews("event", "CalendarItem", inner), CONTEXT)


def _map_ical(kind: Kind, inner: str) -> object:
    data = _event(inner)
    data = data if kind is Kind.CALENDAR else data.replace(b"VEVENT", b"VTODO")
    form, native = ITEM_FORMS[kind], _native(data, "icalendar")
    return form.skip(native) or form.map(native, CONTEXT)


def _reads(read: Reader, some: Sequence[bytes]) -> None:
    """Each, whatever becomes of the one before."""
    for data in some:
        with suppress(MigrationError, NotUnderstood):
            read(data)


def _mails() -> Iterator[Case]:
    for name, data in mails():
        encoded = name.startswith(("quoted-printable", "base64"))
        for reader, read in MAIL_READERS.items():
            if encoded and reader not in DECODING:
                continue  # what does not decode has read the same bytes in 7bit
            yield f"{reader}: {name}", lambda r=read, d=data: r(d)


def _broken_mails() -> Iterator[Case]:
    for name, data in broken_mails.mails(LENGTH):
        for reader, read in MAIL_READERS.items():
            yield f"{reader}: {name}", lambda r=read, d=data: _reads(r, [d])
    for number, some in enumerate(broken_mails.mutants()):
        for reader, read in MAIL_READERS.items():
            yield f"{reader}: mutants {number}", lambda r=read, d=some: _reads(r, d)


def _others() -> Iterator[Case]:
    for name, page in pages():
        yield f"plain: {name}", lambda p=page: plain(p)
        yield f"links: {name}", lambda p=page: links.in_document("a.html", io.BytesIO(p.encode()))
        mail = _part(b"8bit", page.encode(), b"text/html")
        yield f"links in a mail: {name}", lambda m=mail: links.in_mail(io.BytesIO(m))
    for name, inner in lines():
        yield f"event: {name}", lambda i=inner: calendar_digest(io.BytesIO(_event(i)), NOW)
        for kind in (Kind.CALENDAR, Kind.TASKS):
            yield f"record of iCalendar: {kind.value}: {name}", lambda k=kind, i=inner: _map_ical(k, i)
        yield f"card: {name}", lambda i=inner: card_digest(io.BytesIO(_card(i)), NOW)
    for text in (" ", "a", "\u00e4", "(", '"', "\\", "<", "a@b ", "\u200d", "=?"):
        yield f"letter of {text!r}", lambda t=text: _letter(t * (MANY // len(t)))
    yield from _records()


GROUPS: Mapping[str, Callable[[], Iterator[Case]]] = {
    "mails": _mails,
    "broken mails": _broken_mails,
    "answers": lambda: answers.cases(MANY),
    "others": _others,
}


def cases(group: str) -> Iterator[Case]:
    """The cases of a group."""
    return GROUPS[group]()


if __name__ == "__main__":
    run_all(cases(sys.argv[1]), (MigrationError, NotUnderstood), LENGTH)
