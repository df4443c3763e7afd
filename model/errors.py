"""One class per reaction. Connectors translate at the edge; nothing above them knows exchangelib,
requests or imaplib.

Every error has a stable `code`: kebab-case, documented in docs/operations.md, safe to show to anyone. The
text of an error is its code and our own advice, never a server's words: those may carry a person's
address or a folder's name. What a server said hangs at the error in an object that shows nothing
(model.server_words).
"""

from __future__ import annotations

from typing import Self

from model.server_words import NOTHING, ServerWords


class MigrationError(Exception):
    """Base of all. str(error) is safe for logs and for Prefect.

    local: what this machine itself found, such as the host, the port and the system's own text for an error
    (connectors.local_cause). Never a server's words. For the terminal of whoever runs the command, and not
    for logs, the ledger or Prefect, to whom the hosts of an installation are nobody's business.

    words: what the server said, for the private file of `kogge failures --server-words` and for nothing else.
    """

    local: str = ""
    detail: str = ""
    """What is known beside the code and may be told to anyone, in the ledger too: a word of our own list or
    of a public one (a status, a response code of RFC 5530), or the random id of a mailbox."""
    words: ServerWords = NOTHING

    def __init__(self, code: str, advice: str = "") -> None:
        super().__init__(f"{code}: {advice}" if advice else code)
        self.code = code
        self.advice = advice

    def about(self, detail: str) -> Self:
        """The same error, with its detail."""
        self.detail = detail
        return self

    def found(self, local: str) -> Self:
        """The same error, which knows what this machine found."""
        self.local = local
        return self

    def said(self, words: ServerWords) -> Self:
        """The same error, which carries what the server said; what it carried stays where words are empty."""
        self.words = words or self.words
        return self


class Transient(MigrationError):
    """429, 503, time-out, busy, connection cut: retry the batch after `after` seconds (the server's
    own word where it gave one). The outcome of a write is unknown: settle first."""

    def __init__(self, code: str, advice: str = "", after: float | None = None) -> None:
        super().__init__(code, advice)
        self.after = after


class Rejected(MigrationError):
    """This item cannot move (too large, malformed, unconvertible): mark it, go on."""


class Blocked(MigrationError):
    """This mailbox cannot go on (login, quota, missing, identity not proven); the others do."""


class Misconfigured(MigrationError):
    """The operator's input is wrong: stop before any write. `where` names file, line and field."""

    def __init__(self, where: str, advice: str) -> None:
        super().__init__("misconfigured", f"{where}: {advice}")
        self.where = where


class CursorLost(MigrationError):
    """The source no longer knows a cursor: enumerate anew and reconcile by the ledger."""


class LeaseLost(MigrationError):
    """Another worker owns the leg now: close the sockets, record an event, drop the work."""


class Corrupt(MigrationError):
    """An invariant of the ledger or its event chain is broken: stop the run, alert."""
