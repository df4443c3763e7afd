"""Keywords that a mailbox takes no more.

A server may keep a bounded number of different keywords in one mailbox and still say in PERMANENTFLAGS that
any is welcome: Cyrus 3.10.2 takes 100, then answers NO [LIMIT]. What the mailbox has already stays possible;
the rest is left out of the message, which arrives, and is named as lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.imap.connection import Parts, tokens, words
from connectors.imap.session import Session
from model.protocols import KEYWORDS_NOT_TAKEN

LIMIT = "LIMIT"
NOT_TAKEN = KEYWORDS_NOT_TAKEN

Flags = frozenset[str]


@dataclass(slots=True)
class Keywords:
    """By mailbox (its encoded name): the keywords that it has, once it refused another one. Shared by all
    sessions of a target."""

    _had: dict[bytes, Flags] = field(default_factory=dict)

    def kept(self, raw: bytes, flags: Flags) -> Flags:
        """What of flags the mailbox takes."""
        had = self._had.get(raw)
        if had is None:
            return flags
        return frozenset(one for one in flags if one.startswith("\\") or one.lower() in had)

    def learn(self, session: Session, raw: bytes, sent: Flags) -> bool:
        """After a refusal of a message or a change that was sent with these flags: asks which keywords the
        mailbox has. Returns whether fewer than were sent are worth a try; without that the refusal has
        another cause."""
        if self.kept(raw, sent) != sent:
            return True
        given = {one.lower() for one in sent if not one.startswith("\\")}
        if not given:
            return False
        found: set[str] = set()

        def note(parts: Parts) -> None:
            if parts[0][2:8].upper() == b"FLAGS ":
                found.update(word.lower() for word in words(tokens(parts)[1]) if not word.startswith("\\"))

        session.look(raw, note)
        if given <= found:
            return False
        self._had[raw] = frozenset(found)
        return True
