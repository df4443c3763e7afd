"""Let a person work in the new account: mail in the IMAP server, an event in the DAV server.

Rehearsals show with it what a rollback leaves alone.
"""

from __future__ import annotations

import base64
import imaplib
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from urllib.parse import quote
from uuid import uuid4

from practice.servers.imap import ImapServer

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
    mailbox.append("INBOX", "", "", _letter())
    done["received"] += 1
    return done


def _letter() -> bytes:
    letter = EmailMessage()
    letter["From"] = f"colleague@{DOMAIN}"
    letter["Subject"] = "A mail that reached the new account alone"
    letter["Date"] = format_datetime(datetime.now(UTC))
    letter["Message-ID"] = make_msgid(domain=DOMAIN)
    letter.set_content("The old account never had it.\n")
    return letter.as_bytes().replace(b"\n", b"\r\n")


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
