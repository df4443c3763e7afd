"""Handle mailboxes that take no more keywords.

A server may keep a bounded number of different keywords in one mailbox and still say in PERMANENTFLAGS that
any keyword is welcome: Cyrus 3.10.2 takes 100, then answers NO [LIMIT]. Keywords that the mailbox has already
stay possible. The others are left out of the message, which arrives, and are reported as a loss.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.imap.session import Session
from connectors.imap.wire.connection import Parts, tokens, words
from model.target_losses import KEYWORDS_NOT_TAKEN

LIMIT = "LIMIT"
NOT_TAKEN = KEYWORDS_NOT_TAKEN

Flags = frozenset[str]


@dataclass(slots=True)
class Keywords:
    """Remember, by encoded mailbox name, the keywords of a mailbox that refused another one.

    All sessions of a target share one instance.
    """

    _had: dict[bytes, Flags] = field(default_factory=dict)

    def kept(self, raw: bytes, flags: Flags) -> Flags:
        """Return the flags that the mailbox takes.

        Args:
            raw: the encoded name of the mailbox.
            flags: the flags to send; system flags are always kept.
        """
        had = self._had.get(raw)
        if had is None:
            return flags
        return frozenset(flag for flag in flags if flag.startswith("\\") or flag.lower() in had)

    def learn(self, session: Session, raw: bytes, flags: Flags) -> bool:
        """Ask which keywords the mailbox has, after it refused a message or a change.

        Args:
            session: the session to ask.
            raw: the encoded name of the mailbox.
            flags: the flags that were sent.

        Returns:
            True if a retry with fewer flags makes sense; False when the refusal must have another cause.
        """
        if self.kept(raw, flags) != flags:
            return True
        sent_keywords = {flag.lower() for flag in flags if not flag.startswith("\\")}
        if not sent_keywords:
            return False
        present: set[str] = set()

        def note(parts: Parts) -> None:
            if parts[0][2:8].upper() == b"FLAGS ":
                present.update(word.lower() for word in words(tokens(parts)[1]) if not word.startswith("\\"))

        session.look(raw, note)
        if sent_keywords <= present:
            return False
        self._had[raw] = frozenset(present)
        return True
