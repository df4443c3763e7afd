"""Render the MIME of a mail with what is not in its text: its marks, and the moment of reading.

A store of properties keeps no bytes. What its owner changes about a mail (categories, importance, follow-up)
shows in the header of the next rendering, and a draft that was not sent may get the date of that moment.
Measured on gromox 3.10; the fields are those of MS-OXCMAIL.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from typing import BinaryIO

from practice.world.messages import Message

_DATE = b"date:"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MimeHabits:
    """Render mail with these habits.

    Attributes:
        marks: the header states categories, importance, follow-up, an unanswered request for a receipt, and
            how sure the server is that a mail is junk.
        drafts: a draft has the moment of reading as its date.
        ticks: counts the readings; the clock goes on by a second at each.
    """

    marks: bool = False
    drafts: bool = False
    ticks: Iterator[int] = field(default_factory=itertools.count, compare=False)

    def opened(self, item: Message, variant: int = 0) -> BinaryIO:
        """Return the message as a stream, which the caller closes."""
        lines = _marks(item) if self.marks else []
        now = self.drafts and item.is_draft
        if not lines and not now:
            return item.open(variant)
        with item.open(variant) as stream:
            whole = stream.read()
        if now:
            lines.append(f"Date: {format_datetime(self._moment(item))}")
            whole = _dateless(whole)
        return io.BytesIO("".join(f"{line}\r\n" for line in lines).encode() + whole)

    def _moment(self, item: Message) -> datetime:
        return (item.created or _EPOCH) + timedelta(seconds=1 + next(self.ticks))


def _marks(item: Message) -> list[str]:
    lines = [f"Keywords: {Header(one, 'utf-8').encode()}" for one in item.categories]
    if item.importance != "Normal":
        number = 1 if item.importance == "High" else 5
        lines += [f"Importance: {item.importance.lower()}", f"X-Priority: {number}"]
    if item.flag_status == "Flagged":
        lines += ["X-Message-Flag: Zur Nachverfolgung", "Reply-By: Fri, 04 Dec 2026 16:00:00 +0000"]
    if item.read_receipt_requested and not item.is_read:
        lines.append(f"Disposition-Notification-To: <{item.sender.address}>")
    if item.folder.mailbox.distinguished("junkemail") is item.folder:
        lines.append("X-MS-Exchange-Organization-SCL: 9")
    return lines


def _dateless(whole: bytes) -> bytes:
    """Return the message without the Date field of its header, which is not folded."""
    head, blank, body = whole.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(_DATE)]
    return b"\r\n".join(lines) + blank + body
