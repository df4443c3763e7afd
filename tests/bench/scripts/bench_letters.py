"""Mails for an IMAP source, made cheaply and delivered by MULTIAPPEND."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from imapclient import IMAPClient

START = datetime(2020, 1, 1, tzinfo=UTC)
LINE = b"Sehr geehrte Damen und Herren, anbei die Unterlagen zum Vorgang.\r\n"
FLAGS = ((), (rb"\Seen",), (rb"\Seen", rb"\Answered"), (rb"\Flagged",))


def letter(number: int, size: int) -> bytes:
    """A plain mail of about size bytes, different for every number."""
    head = (
        f"From: Amt {number % 97} <amt{number % 97}@old.example>\r\nTo: anna@old.example\r\n"
        f"Subject: Vorgang {number}\r\nMessage-ID: <{number}.bench@old.example>\r\n"
        f"Date: Wed, 01 Jan 2020 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{number}\r\n"
    ).encode()
    return head + LINE * max(1, (size - len(head)) // len(LINE))


def deliver(
    host: str, port: int, user: str, password: str, count: int, size: int, folder: str = "INBOX"
) -> None:
    """Fills a user's folder with count letters, and makes it if it is not INBOX."""
    with IMAPClient(host, port, ssl=False, timeout=120) as client:
        client.plain_login(user, password)
        if folder != "INBOX":
            client.create_folder(folder)
        for first in range(0, count, 1000):
            numbers = range(first, min(first + 1000, count))
            client.multiappend(folder, [_entry(number, size) for number in numbers])


def _entry(number: int, size: int) -> dict[str, object]:
    date = START + timedelta(minutes=number)
    return {"msg": letter(number, size), "flags": FLAGS[number % len(FLAGS)], "date": date}
