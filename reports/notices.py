"""Write the mails that tell people of their move: one before it, one after it.

The texts are templates in Markdown (reports/templates/notices/MOMENT.LANG.md) that an administration may
replace by its own. A template's first line is `Subject: ...`, then comes an empty line, then the mail. It is
sent as it is, and as HTML made from it. It may not load files or reach beyond its values (Jinja's sandbox).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markdown_it import MarkdownIt
from markupsafe import escape

from ledger.plan.notices import Moment
from model.errors import Misconfigured
from reports import everyday
from reports import text_blocks as story
from reports.data import MailboxReport, WaveReport, arrived, awaited
from reports.everyday import Concern
from reports.html import person_page
from reports.i18n import HOME, LANGUAGES, Wording

TEMPLATES: Final = HOME / "notices"
SUBJECT: Final = "Subject:"
TEXT_MOST: Final = 65_536
SUBJECT_MOST: Final = 200
"""Characters of a mail's text, and of its subject."""
TECHNICAL: Final = "technical"
"""What stays behind and no person wrote: no mail is about it."""
PAGE: Final = """\
<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family: system-ui, sans-serif; line-height: 1.5; max-width: 40rem">
{body}</body></html>
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Name whom a mail comes from.

    Attributes:
        address: the sender's.
        name: beside it; "" for none.
        reply_to: where answers go; None for the sender.
    """

    address: str
    name: str = ""
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """Hold what one person is told.

    Attributes:
        subject: one line.
        text: in Markdown, which is read as it is.
    """

    subject: str
    text: str


class NoticeTemplate:
    """Hold one template, checked as far as it can be without a person."""

    def __init__(self, moment: Moment, language: str, own: Path | None) -> None:
        """Read it.

        Args:
            moment: which mail.
            language: one of LANGUAGES.
            own: the administration's own folder; None for none. What it lacks is taken from Kogge.

        Raises:
            Misconfigured: it cannot be read, or is no template; the error names file and line.
        """
        name = f"{moment}.{language}.md"
        path = TEMPLATES / name
        if own is not None:
            if not own.is_dir():
                raise Misconfigured("notify.templates", f"{own} is no folder")
            path = own / name if (own / name).exists() else path
        self.moment, self.language = moment, language
        self._path = path
        self._source = self._read()
        self._template = self._parsed()

    @property
    def mark(self) -> str:
        """Return what tells this text from another one: the beginning of its SHA-256."""
        return hashlib.sha256(self._source.encode()).hexdigest()[:16]

    def letter(self, values: Mapping[str, Any]) -> Letter:
        """Return what a person is told.

        Raises:
            Misconfigured: the template uses a name that there is not, does what it may not, or makes no
                subject or no text.
        """
        try:
            text = self._template.render(values)
        except SecurityError:
            raise self._fault("does what a template may not") from None
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise self._fault(f"cannot be filled in: {_said(error)}") from None
        head, _, body = text.lstrip().partition("\n")
        subject = " ".join(head.removeprefix(SUBJECT).split())
        if not head.startswith(SUBJECT) or not subject:
            raise self._fault(f"its first line is not `{SUBJECT} ...`")
        if len(subject) > SUBJECT_MOST or not subject.isprintable():
            raise self._fault(f"its subject is not one line of at most {SUBJECT_MOST} characters")
        if not body.strip() or len(body) > TEXT_MOST:
            raise self._fault(f"its text is empty, or longer than {TEXT_MOST:,} characters")
        return Letter(subject, body.strip() + "\n")

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except OSError as error:
            raise self._fault(f"cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise self._fault("is no UTF-8") from None

    def _parsed(self) -> Template:
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )  # the text is Markdown; HTML in it stays text
        try:
            return environment.from_string(self._source)
        except TemplateSyntaxError as error:
            raise self._fault(f"is no template: {_said(error)}", error.lineno) from None

    def _fault(self, what: str, line: int | None = None) -> Misconfigured:
        place = f"{self._path}:{line}" if line else str(self._path)
        return Misconfigured(place, what)


def _said(error: Exception) -> str:
    """Return the message of an error, one line."""
    return " ".join(str(error).split())[:SUBJECT_MOST]


class Notices:
    """Write the mails of one wave's people. Reads nothing."""

    def __init__(
        self, report: WaveReport, template: NoticeTemplate, text: Wording, starts: float | None = None
    ) -> None:
        """Take what all mails share.

        Args:
            report: of the wave.
            template: of the mails.
            text: the language of the template, and the time zone.
            starts: when the move begins, in seconds since 1970 UTC; None where no date is told.
        """
        self._report, self._template, self._text, self._starts = report, template, text, starts

    @cached_property
    def _markdown(self) -> MarkdownIt:
        return MarkdownIt("js-default", {"html": False})

    def letter(self, box: MailboxReport, address: str) -> Letter:
        """Return what the person is told.

        Args:
            box: their mailbox.
            address: as the mail names it.

        Raises:
            Misconfigured: see NoticeTemplate.letter.
        """
        return self._template.letter(self._values(box, address))

    def message(self, box: MailboxReport, letter: Letter, recipient: str, sender: Sender) -> bytes:
        """Return the mail, ready to be handed over: text, HTML, and after the move the person's page.

        Its Message-ID is the same each time, so that servers that know it may drop a second copy.

        Args:
            box: the person's mailbox.
            letter: what they are told.
            recipient: the address.
            sender: whom it comes from.
        """
        mail = EmailMessage(policy=SMTP)
        mail["From"] = _address(sender.address, sender.name)
        mail["To"] = _address(recipient)
        if sender.reply_to is not None:
            mail["Reply-To"] = _address(sender.reply_to)
        mail["Subject"] = letter.subject
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = self._message_id(box.id, sender.address)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers it
        mail["Content-Language"] = self._text.language
        mail.set_content(letter.text)
        mail.add_alternative(self.html(letter), subtype="html")
        if self._template.moment is Moment.AFTER:
            page = person_page(self._report, box, self._text)
            mail.add_attachment(page, subtype="html", filename=f"{box.id}.{self._text.language}.html")
        ascii_only = (sender.address + recipient + (sender.reply_to or "")).isascii()
        return mail.as_bytes(policy=SMTP if ascii_only else SMTPUTF8)

    def html(self, letter: Letter) -> str:
        """Return the letter as a page of HTML."""
        body = self._markdown.render(letter.text)
        return PAGE.format(language=self._text.language, title=escape(letter.subject), body=body)

    def _message_id(self, mailbox: str, sender: str) -> str:
        named = f"{self._report.wave}\0{mailbox}\0{self._template.moment}".encode()
        domain = sender.rpartition("@")[2]
        return f"<kogge.{hashlib.sha256(named).hexdigest()[:32]}@{domain}>"

    def _values(self, box: MailboxReport, address: str) -> dict[str, Any]:
        """Return the values that a template may use; docs/telling-people.md lists them."""
        text, starts = self._text, self._starts
        changes = everyday.changes(box.losses)
        due = [part for part in box.parts if awaited(part.fates)]
        left = [one for one in everyday.stays([*box.skips, *box.omitted]) if one.name != TECHNICAL]
        return {
            "address": address,
            "mailbox": box.id,
            "organisation": self._report.organisation.name,
            "contact": self._report.contact,
            "day": None if starts is None else text.day(starts),
            "moment": None if starts is None else text.moment(starts),
            "workloads": ", ".join(str(text.name("workload", part.workload)) for part in box.parts),
            "greeting": story.greeting(box, text),
            "situation": story.situation(box, text),
            "moved": [
                {
                    "title": str(text.name("workload", part.workload)),
                    "arrived": text.number(arrived(part.fates)),
                    "due": text.number(awaited(part.fates)),
                }
                for part in due
            ],
            "stays": list(self._told("stay", left)),
            "to_do": [one for one in self._told("change", changes) if one["do"]],
            "missing": list(self._told("refusal", everyday.refusals(box.failures))),
        }

    def _told(self, section: str, ones: Iterable[Concern]) -> Iterable[dict[str, str]]:
        text = self._text
        for one in ones:
            key = f"{section}.{one.name}"
            count = text("person.at-most" if one.at_most else "person.count", n=one.items)
            if not one.items:
                count = text("person.folders", n=one.folders)
            do = text(f"{key}.do") if text.has(f"{key}.do") else ""
            yield {"title": text(f"{key}.title"), "says": text(f"{key}.says"), "do": do, "count": count}


def write_templates(folder: Path) -> list[Path]:
    """Write Kogge's own templates into a folder, to begin with. An existing file stays as it is.

    Returns:
        The files that were written.

    Raises:
        Misconfigured: a file cannot be written.
    """
    written = []
    for moment in Moment:
        for language in LANGUAGES:
            name = f"{moment}.{language}.md"
            path = folder / name
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with path.open("x", encoding="utf-8") as file:
                    file.write((TEMPLATES / name).read_text(encoding="utf-8"))
            except FileExistsError:
                continue
            except OSError as error:
                raise Misconfigured(
                    f"--write-templates {folder}", f"cannot be written ({error.strerror})"
                ) from None
            written.append(path)
    return written


def _address(address: str, name: str = "") -> Address:
    """Return an address for a header; what it holds cannot end the header."""
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)
