"""`kogge notify`: tells people of their move by mail, before it and after it, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from engine.config.hints import DEFAULT
from engine.config.load import load
from engine.config.mail_address import is_address
from engine.control.ledger_access import opened_ledger
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    Decider,
    Exit,
    Mailboxes,
    Wave,
    Yes,
    chosen,
    echo,
    emit,
    given,
    progress_bar,
    refuse_unsure,
    say,
    write_private,
)
from ledger.plan.notices import Moment, Told
from model.errors import MigrationError, Misconfigured
from model.plural import many

if TYPE_CHECKING:
    from connectors.smtp.settings import SmtpSettings
    from engine.config.load import Config
    from engine.notices import Notice, Way
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger
    from reports.data import MailboxReport
    from reports.notices import Letter, Notices, NoticeTemplate, Sender

WHEN = "%Y-%m-%d %H:%M"
WHOSE = "name@example.org"
"""The address that a preview and a trial show in place of a person's."""
TRIAL = "[Trial] "
NOT_YET, GONE, HELD, EARLIER, UNSURE = "not-moved-yet", "moves-already", "withheld", "told", "unsure"
WHY = {
    NOT_YET: "not at the new system yet: their cutover is not complete",
    GONE: "their move has begun, or is over",
    HELD: "withheld: their mailbox must not run",
    EARLIER: "told already",
    UNSURE: "may have been told: a run ended while their mail was handed over; --again sends it once more",
}
BECAME = {
    "sent": "told",
    "refused": "not taken by the mail server for good: is the address right?",
    "deferred": "not taken for now: run the same command later",
    "unsure": "not known: the connection broke before the answer; --again sends it once more",
    "earlier": "told meanwhile by another run",
}


def notify(
    moment: Annotated[
        Moment, typer.Argument(metavar="before|after", help="The mail before the move, or the one after it.")
    ],
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    when: Annotated[
        str | None,
        typer.Option(
            "--when",
            metavar="DATE",
            help='When the move begins, such as "2027-03-01 20:00". Otherwise as planned for the wave.',
        ),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(
            "--lang", metavar="LANG", help="The language: en, de or fr. Otherwise that of [notify]."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many would get a mail; send nothing.")
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="FILE", help="Write one mail as a page to FILE; send nothing."),
    ] = None,
    trial: Annotated[
        str | None,
        typer.Option("--trial", metavar="ADDRESS", help="Send one mail to ADDRESS, and to nobody else."),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option("--files", metavar="DIR", help="Write the mails for another program; send nothing."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Send also to those who may have theirs; with -m, to all named.")
    ] = False,
    write_templates: Annotated[
        Path | None,
        typer.Option(
            "--write-templates", metavar="DIR", help="Write the templates into DIR to edit, and end."
        ),
    ] = None,
    by: Decider = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Tells each person of a wave of their move by mail: before it, and after it with their own page.

    Each person gets each mail once, whatever dies. The mails go to the old address before the move, and to
    the new one after it, by [notify] smtp, or with --files into a folder. Look at one first with --preview,
    and send one to yourself with --trial. Who sends is recorded for each mailbox; no address is.

    Exit code 0 only when everybody who is to get a mail has it.

    Example: kogge notify before --wave pilot --when "2027-03-01 20:00" --by Ada
    """
    settings = load(config)
    if write_templates is not None:
        _write_templates(write_templates)
        return
    if sum(one is not None for one in (preview, trial, files)) + dry_run > 1:
        raise Misconfigured("--dry-run, --preview, --trial, --files", "give one of them")
    if trial is not None and not is_address(trial):
        raise Misconfigured("--trial", "give a full e-mail address")
    name = given("--wave", wave, "people are told wave by wave")
    with opened_ledger(settings) as ledger:
        rows = chosen(settings, ledger, name, mailbox, by_line=False)
        mails = _Mails(settings, ledger, name, moment, lang, when)
        if preview is not None:
            letter, _ = mails.sample(rows)
            write_private(preview, mails.notices.html(letter).encode(), "--preview")
            say(f"wrote {preview}: {letter.subject}")
            return
        if trial is not None:
            _try(mails, rows, trial)
            return
        allowed = _allowed(again=again, named=bool(mailbox))
        told, left = mails.to_tell(rows, allowed)
        if dry_run:
            _show(moment, Counter({"sent": len(told)}), left, as_json=as_json, would=True)
            raise typer.Exit(Exit.OK)
        reader = given("--by", by, "who tells people is recorded")
        if files is None:
            _server(settings)
        if told and not yes:
            where = f"written into {files}" if files is not None else "sent"
            refuse_unsure(
                f"{many(len(told), 'mail', 'mails')} will be {where}. Go on?",
                "send them" if files is None else "write them",
                Misconfigured("--yes", "not confirmed; nothing was sent"),
            )
        detail: dict[str, str | int] = {"by": reader, "template": mails.template.mark}
        became, stopped = _tell(mails, told, files, detail, allowed)
    _show(moment, became, left, as_json=as_json)
    if stopped is not None:
        say(f"{many(len(told) - became.total(), 'person', 'people')} not told; the same command goes on")
        raise stopped
    done = set(became) <= {"sent", "earlier"} and UNSURE not in left
    raise typer.Exit(Exit.OK if done else Exit.OPEN)


def _allowed(*, again: bool, named: bool) -> tuple[Told, ...]:
    """Return what may be known of an earlier mail of a person who is told now."""
    if not again:
        return ()
    return (Told.UNSURE, Told.YES) if named else (Told.UNSURE,)


def _write_templates(folder: Path) -> None:
    from reports.notices import write_templates

    written = write_templates(folder)
    for path in written:
        echo(f"wrote {path}")
    say(
        "name the folder in kogge.toml: [notify] templates"
        if written
        else f"{folder} has them all; they stay as they are"
    )


@dataclass(frozen=True, slots=True)
class _Person:
    """Hold whom a mail is for."""

    row: MailboxRow
    box: MailboxReport


class _Mails:
    """Make the mails of a wave: what they are written from is read once."""

    def __init__(
        self, config: Config, ledger: Ledger, wave: str, moment: Moment, lang: str | None, when: str | None
    ) -> None:
        from kogge.audit.report import of_wave, zone_of_pages
        from reports.i18n import LANGUAGES, text
        from reports.notices import Notices, NoticeTemplate

        self.config, self.ledger, self.wave, self.moment = config, ledger, wave, moment
        language = lang or config.notify.language
        if language not in LANGUAGES:
            from engine.config.file_errors import unknown

            raise Misconfigured("--lang", unknown(language, LANGUAGES))
        own = config.notify.templates
        self.template: NoticeTemplate = NoticeTemplate(
            moment, language, None if own is None else config.file(own)
        )
        zone = zone_of_pages(config)
        starts = _starts(ledger, wave, when, zone) if moment is Moment.BEFORE else None
        report = of_wave(config, ledger, wave)
        self._boxes = {box.id: box for box in report.boxes}
        self.notices: Notices = Notices(report, self.template, text(language, zone), starts)

    @property
    def sender(self) -> Sender:
        """Return whom the mails come from. Raise Misconfigured if nothing says it."""
        from reports.notices import Sender

        own = self.config.notify
        if own.sender is None:
            raise Misconfigured("notify.sender", "is missing: the address that the mails come from")
        return Sender(own.sender, own.sender_name, own.reply_to)

    def sample(self, rows: Sequence[MailboxRow]) -> tuple[Letter, MailboxReport]:
        """Return the mail of the first mailbox, with no person's address in it."""
        people, _ = self.to_tell(rows, tuple(Told))
        box = people[0].box if people else self._boxes[rows[0].id]
        return self.notices.letter(box, WHOSE), box

    def to_tell(
        self, rows: Sequence[MailboxRow], allowed: tuple[Told, ...]
    ) -> tuple[list[_Person], Counter[str]]:
        """Return who is told, and how many are not, by the reason."""
        from ledger.plan.notices import told

        known = told(self.ledger, [row.id for row in rows], self.moment)
        people, left = [], Counter[str]()
        for row in rows:
            box = self._boxes[row.id]
            why = self._unfit(box) or _earlier(known[row.id], allowed)
            if why:
                left[why] += 1
            else:
                people.append(_Person(row, box))
        return people, left

    def _unfit(self, box: MailboxReport) -> str:
        """Return why this mail does not fit this person now; "" if it does."""
        from ledger.db.rows import Phase

        if self.moment is Moment.AFTER:
            return "" if box.phase is Phase.LIVE else NOT_YET
        if box.phase is not Phase.STAGING:
            return GONE
        return HELD if box.withheld is not None else ""

    def ready(self, person: _Person) -> Notice:
        """Return a person's mail."""
        from engine.notices import Notice

        address = person.row.source if self.moment is Moment.BEFORE else person.row.target
        letter = self.notices.letter(person.box, address)
        message = self.notices.message(person.box, letter, address, self.sender)
        return Notice(person.row.id, person.row.wave, address, message)


def _earlier(known: Told, allowed: tuple[Told, ...]) -> str:
    if known is Told.NO or known in allowed:
        return ""
    return EARLIER if known is Told.YES else UNSURE


def _starts(ledger: Ledger, wave: str, when: str | None, zone: str) -> float:
    """Return when the move begins, in seconds since 1970 UTC."""
    from ledger.plan.waves import Waves

    if when is not None:
        try:
            return datetime.strptime(when.strip(), WHEN).replace(tzinfo=ZoneInfo(zone)).timestamp()
        except (ValueError, OverflowError):
            raise Misconfigured("--when", 'give a date and a time, such as "2027-03-01 20:00"') from None
    planned = Waves(ledger).read(wave).starts
    if planned is None:
        raise Misconfigured("--when", f"is missing: no start is planned for wave {wave}")
    return planned


def _tell(
    mails: _Mails,
    people: Sequence[_Person],
    files: Path | None,
    detail: dict[str, str | int],
    allowed: tuple[Told, ...],
) -> tuple[Counter[str], MigrationError | None]:
    """Tell them; return how many mails became what, and the error that ended it early.

    Args:
        mails: of the wave.
        people: whom.
        files: the folder that the mails are written into; None to send them.
        detail: is recorded for each.
        allowed: what may be known of an earlier mail of theirs.
    """
    from connectors.smtp.submission import Submission
    from engine.notices import as_files, by_submission

    sender = mails.sender
    if files is not None:
        return _hand_over(mails, people, as_files(files, mails.moment), detail, allowed)
    settings = _server(mails.config)
    with Submission(settings) as submission:
        if people:
            submission.open()  # before anything is recorded
        way = by_submission(submission, sender.address, settings.per_minute)
        return _hand_over(mails, people, way, detail, allowed)


def _hand_over(
    mails: _Mails,
    people: Sequence[_Person],
    way: Way,
    detail: dict[str, str | int],
    allowed: tuple[Told, ...],
) -> tuple[Counter[str], MigrationError | None]:
    from engine.notices import hand_over

    became: Counter[str] = Counter()
    by_id = {person.row.id: person for person in people}
    handed = hand_over(
        mails.ledger, mails.moment, by_id, lambda one: mails.ready(by_id[one]), way, detail, allowed
    )
    with progress_bar("telling people", len(people)) as advance:
        try:
            for _, outcome in handed:
                became[outcome] += 1
                advance()
        except MigrationError as error:
            return became, error
    return became, None


def _server(config: Config) -> SmtpSettings:
    if config.notify.smtp is None:
        raise Misconfigured("notify.smtp", "is missing: the server that takes the mails; or give --files")
    return config.notify.smtp


def _try(mails: _Mails, rows: Sequence[MailboxRow], address: str) -> None:
    """Send one mail to this address. Raise Misconfigured if the server does not take it."""
    from dataclasses import replace

    from connectors.smtp.submission import Delivery, Submission

    settings, sender = _server(mails.config), mails.sender
    letter, box = mails.sample(rows)
    letter = replace(letter, subject=TRIAL + letter.subject)
    with Submission(settings) as submission:
        message = mails.notices.message(box, letter, address, sender)
        became = submission.send(sender.address, address, message)
    if became is not Delivery.SENT:
        raise Misconfigured("--trial", BECAME[became])
    say(f"sent to the address of --trial: {letter.subject}")


def _show(
    moment: Moment, became: Counter[str], left: Counter[str], *, as_json: bool, would: bool = False
) -> None:
    """Print how many people became what."""
    if as_json:
        emit({"moment": moment, "would" if would else "mails": dict(became), "left": dict(left)})
        return
    for outcome, count in became.items():
        echo(f"{many(count, 'person', 'people')}: {'would get a mail' if would else BECAME[outcome]}")
    for why, count in left.items():
        echo(f"{many(count, 'person', 'people')}: {WHY[why]}")
