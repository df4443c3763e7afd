"""Letters that a control method makes: from given bytes, or from a subject and a text."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from email import message_from_bytes
from email.policy import compat32

from practice.mail.letters import Correspondent, Letter, Scene
from practice.mail.letters_plain import HEADER_BYTES, Headers, outline, written


def from_bytes(scene: Scene, mime: bytes, received: datetime) -> Letter:
    """Exactly these bytes, in every variant."""
    letter, _ = outline(scene)
    parsed = message_from_bytes(mime, policy=compat32)
    found = parsed.get("Message-ID")
    return replace(
        letter,
        subject=str(parsed.get("Subject", "")),
        message_id=str(found) if found else None,
        received=received,
        size=len(mime),
        write=lambda _: (mime,),
    )


def typed(
    scene: Scene, subject: str | None, text: str, received: datetime, sender: Correspondent | None = None
) -> Letter:
    """A plain UTF-8 mail of this text; subject and sender are the generator's when None."""
    letter, _ = outline(scene)
    body = text.encode()
    letter = replace(
        letter,
        subject=letter.subject if subject is None else subject,
        sender=sender or letter.sender,
        words=lambda: text,
        sent=received,
        received=received,
        size=len(body) + HEADER_BYTES,
    )
    headers: Headers = (
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "8bit"),
    )
    return written(letter, lambda _: (headers, body))
