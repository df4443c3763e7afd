"""The recorded pairs of an Open-Xchange, and what has to be there before some of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

NAME = re.compile(r"(\d{3})-([a-z]+)-(.+)--request\.txt")
ROW = re.compile(r"^\| (\d{3}) [^|]+\| (\w+) \|", re.MULTILINE)
MAILED = re.compile(r"^- (\d{3}) [\w-]+: (.+)$", re.MULTILINE)
MAIL = re.compile(r'(notification|REQUEST|CANCEL|REPLY) to (\S+) from (\S+) \("(.+?)"\)(?=;|$)')
HIDDEN = "…"


@dataclass(frozen=True)
class Message:
    """The start line, the headers, and the body, of which something may have been left out."""

    start: str
    headers: httpx.Headers
    body: bytes

    @property
    def status(self) -> int:
        return int(self.start.split()[1])

    @property
    def left_out(self) -> bool:
        return "[… ".encode() in self.body


@dataclass(frozen=True)
class Pair:
    """number, as of the file; scenario and step; user: the login's first part; mails: kind, recipient, sender
    and subject, None where nobody looked."""

    number: int
    scenario: str
    step: str
    user: str
    request: Message
    response: Message
    mails: tuple[tuple[str, ...], ...] | None

    @property
    def method(self) -> str:
        return self.request.start.split()[0]

    @property
    def target(self) -> str:
        return self.request.start.split()[1]

    @property
    def now(self) -> datetime | None:
        """When it was answered."""
        date = self.response.headers.get("Date")
        return parsedate_to_datetime(date).astimezone(UTC) if date else None


def message(path: Path) -> Message:
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    known = [(name, text.strip()) for name, _, text in (one.partition(":") for one in lines)]
    ascii_only = [(name, text.replace(HIDDEN, "-")) for name, text in known]
    return Message(start, httpx.Headers(ascii_only), body)


def pairs(folder: Path) -> list[Pair]:
    """All of them, in the order of the recording."""
    index = (folder / "index.md").read_text()
    users = {int(number): user for number, user in ROW.findall(index)}
    mails = {int(number): tuple(MAIL.findall(text)) for number, text in MAILED.findall(index)}
    found = []
    for path in sorted(folder.glob("*--request.txt")):
        name = NAME.fullmatch(path.name)
        assert name is not None
        number = int(name[1])
        response = message(path.with_name(path.name.replace("--request", "--response")))
        user = users.get(number, "")
        found.append(Pair(number, name[2], name[3], user, message(path), response, mails.get(number)))
    return found
