"""Hand people's mails about their move to a mail server, or write them as files: each once, whatever dies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from connectors.smtp.submission import Delivery, Submission
from ledger.plan.notices import Moment, Told, begin, settle
from ledger.store import Ledger
from model.errors import MigrationError, Misconfigured
from model.private_files import make_directory

EARLIER: Final = "earlier"
"""The outcome of a mail that another process sent, or may have sent, since it was looked at."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Hold a mail that is ready to be sent.

    Attributes:
        mailbox: whose it is, a random id.
        wave: the mailbox's wave.
        recipient: the address.
        message: the mail, with CRLF at the ends of lines.
    """

    mailbox: str
    wave: str
    recipient: str
    message: bytes


class Way(Protocol):
    """Hand over one mail, and say what became of it."""

    def __call__(self, notice: Notice) -> Delivery:
        """Hand it over.

        Raises:
            MigrationError: nothing can be handed over now. This mail was not.
        """
        ...


def by_submission(submission: Submission, sender: str, per_minute: int) -> Way:
    """Return the way to a mail server, at most so many mails a minute.

    Args:
        submission: the connection.
        sender: the envelope's.
        per_minute: how many mails the server is given in a minute at most.
    """
    pause = 60.0 / per_minute
    earliest = 0.0

    def send(notice: Notice) -> Delivery:
        nonlocal earliest
        submission.open()
        time.sleep(max(0.0, earliest - time.monotonic()))
        earliest = time.monotonic() + pause
        return submission.send(sender, notice.recipient, notice.message)

    return send


def as_files(folder: Path, moment: Moment) -> Way:
    """Return the way into a folder, for another program that sends mail: one .eml file for each person.

    Args:
        folder: is made if it does not exist; only its owner can read the files.
        moment: part of the files' names.
    """

    def write(notice: Notice) -> Delivery:
        path = folder / f"{notice.mailbox}.{moment}.eml"
        part = path.with_name(f".{path.name}.part")
        try:
            make_directory(folder)
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(notice.message)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise Misconfigured(f"--files {folder}", f"cannot be written ({error.strerror})") from None
        return Delivery.SENT

    return write


def hand_over(
    ledger: Ledger,
    moment: Moment,
    mailboxes: Iterable[str],
    ready: Callable[[str], Notice],
    way: Way,
    detail: Mapping[str, str | int],
    again: Collection[Told] = (),
) -> Iterator[tuple[str, str]]:
    """Hand mails over, one after another.

    Args:
        ledger: an open ledger.
        moment: which mail.
        mailboxes: whose, in this order.
        ready: makes a mailbox's mail; it is made before it is recorded as begun.
        way: hands it over.
        detail: what is recorded of each: who sends it, by which template.
        again: what is known of an earlier mail that may be sent once more.

    Yields:
        The mailbox, and a Delivery or EARLIER.

    Raises:
        MigrationError: nothing more can be handed over; the mail that met it is recorded as not sent.
    """
    for mailbox in mailboxes:
        notice = ready(mailbox)
        if not begin(ledger, notice.wave, mailbox, moment, detail, again):
            yield mailbox, EARLIER
            continue
        try:
            became = way(notice)
        except MigrationError as error:
            settle(ledger, notice.wave, mailbox, moment, error.code)
            raise
        if became is not Delivery.UNSURE:
            settle(ledger, notice.wave, mailbox, moment, None if became is Delivery.SENT else became.value)
        yield mailbox, became.value
