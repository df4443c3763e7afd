"""Let a person work in the new account, and look what they find there.

Rehearsals show with it what a rollback leaves alone, and that rules and rights act.
"""

from __future__ import annotations

import base64
import imaplib
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from practice.servers.imap import ImapServer
from practice.servers.pigeonhole import Pigeonhole, deliver

DOMAIN = "practice.example"
EVENT = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//kogge//practice//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:{now}
DTSTART:{begins}
DTEND:{ends}
SUMMARY:New appointment in the new calendar
END:VEVENT
END:VCALENDAR
"""
SECONDS = 30.0
_LISTED = re.compile(rb"\((?P<flags>[^)]*)\) \S+ (?P<name>.+)")
_CLOSED = re.compile(rb"(?i)\\(noselect|nonexistent)")


def work_there(imap: ImapServer, dav: str, dav_password: str, address: str) -> Counter[str]:
    """Let a new mail arrive, mark one as read, delete one, and add an event.

    Args:
        imap: where the account's mail lies.
        dav: the URL of the DAV server.
        dav_password: of every account there.
        address: the account.

    Returns:
        How often each of practice.world.work.DEEDS was done.

    Raises:
        OSError: a server does not answer.
        imaplib.IMAP4.error: the IMAP server refuses.
    """
    with _opened(imap, address) as mailbox:
        done = _keep_mail(mailbox)
    _add_event(f"{dav}/{quote(address)}/calendar", address, dav_password)
    return done + Counter(added=1)


@contextmanager
def _opened(imap: ImapServer, address: str) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4(imap.host, imap.port, timeout=SECONDS)
    try:
        client.login(f'"{address}"', imap.user_password)
        client.select("INBOX")
        yield client
    finally:
        client.logout()


def received(server: Pigeonhole, address: str, subject: str) -> str:
    """Deliver a mail to an account, and return the folder in which its owner finds it.

    Args:
        server: where the account is.
        address: the account.
        subject: of the mail, in ASCII.

    Raises:
        OSError: the server does not answer.
        smtplib.SMTPException, imaplib.IMAP4.error: the server refuses.
        LookupError: the mail is in no folder.
    """
    letter = _letter(subject)
    letter["To"] = address
    deliver(server, address, letter.as_bytes().replace(b"\n", b"\r\n"), str(letter["From"]))
    with _opened(server, address) as mailbox:
        for name in _names(mailbox.list()):
            if mailbox.select(name, readonly=True)[0] != "OK":
                continue
            if mailbox.search(None, "HEADER", "Message-ID", f'"{letter["Message-ID"]}"')[1][0].split():
                return name.strip('"')
    raise LookupError("the mail is in no folder")


def shared_with(server: Pigeonhole, address: str) -> list[str]:
    """Return the folders of other people that a person sees.

    Raises:
        OSError: the server does not answer.
        imaplib.IMAP4.error: it refuses.
    """
    with _opened(server, address) as mailbox:
        listed = mailbox.list('""', '"shared/*"')
    return [name.strip('"') for name in _names(listed)]


def _names(answer: tuple[str, list[Any]]) -> list[str]:
    """Return the names of folders that can be opened, as LIST wrote them (RFC 3501, 7.2.2)."""
    found = (_LISTED.fullmatch(line) for line in answer[1] if isinstance(line, bytes))
    return [one["name"].decode() for one in found if one and not _CLOSED.search(one["flags"])]


def _keep_mail(mailbox: imaplib.IMAP4) -> Counter[str]:
    done: Counter[str] = Counter()
    numbers = mailbox.search(None, "ALL")[1][0].split()
    if numbers:
        mailbox.store(numbers[-1].decode(), "+FLAGS", r"(\Seen)")
        done["read"] += 1
    if len(numbers) > 1:
        mailbox.store(numbers[0].decode(), "+FLAGS", r"(\Deleted)")
        mailbox.expunge()
        done["deleted"] += 1
    letter = _letter("A mail that reached the new account alone")
    mailbox.append("INBOX", "", "", letter.as_bytes().replace(b"\n", b"\r\n"))
    done["received"] += 1
    return done


def _letter(subject: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = f"colleague@{DOMAIN}"
    letter["Subject"] = subject
    letter["Date"] = format_datetime(datetime.now(UTC))
    letter["Message-ID"] = make_msgid(domain=DOMAIN)
    letter.set_content("The old account never had it.\n")
    return letter


def _add_event(calendar: str, address: str, password: str) -> None:
    """Create an event by PUT: all that Kogge wrote has another name (RFC 4791, 5.3.2)."""
    uid, now = str(uuid4()), datetime.now(UTC)
    stamps = {"now": now, "begins": now + timedelta(days=1), "ends": now + timedelta(days=1, hours=1)}
    moments = {name: f"{moment:%Y%m%dT%H%M%SZ}" for name, moment in stamps.items()}
    secret = base64.b64encode(f"{address}:{password}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 (a practice server's own address)
        f"{calendar}/{uid}.ics",
        data=EVENT.format(uid=uid, **moments).replace("\n", "\r\n").encode(),
        method="PUT",
        headers={
            "Authorization": f"Basic {secret}",
            "Content-Type": "text/calendar; charset=utf-8",
            "If-None-Match": "*",
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310 (likewise)
        return
