"""What is written to the private Dovecot, and how its two sides are opened."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.imap.session import ImapSettings
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from model.kinds import Kind
from model.protocols import Container, Item, key_of

WORK = Container(Kind.MAIL, "source-id", ("Work",))


Settings = Callable[..., ImapSettings]


OpenTarget = Callable[..., ImapTarget]
OpenSource = Callable[..., ImapSource]


def item(number: int, size: int = 1000) -> Item:
    head = f"Message-ID: <{number}@example.org>\r\nFrom: Anna <Anna@Example.org>\r\n\r\n".encode()
    raw = head + b"y" * (size - len(head) - 2) + b"\r\n"
    date = datetime(2021, 3, 4, tzinfo=UTC)
    return Item(Kind.MAIL, key_of(str(number)), b"", len(raw), lambda: io.BytesIO(raw), date=date)
