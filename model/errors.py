"""Define one error class for each reaction.

Connectors translate faults at the edge. Nothing above them knows exchangelib, requests or imaplib.

Every error has a stable `code`: kebab-case, explained in docs/reference/codes.md, safe to show to anyone.
The text of an error is its code and our own advice. It never holds a server's words, because those may
contain a person's address or a folder's name. What a server said hangs at the error in an object that shows
nothing (model.server_words).
"""

from __future__ import annotations

from typing import Self

from model.server_words import NOTHING, ServerWords

PUT_BACK = "put-back"
"""The detail of Rejected("vanished") for an id that a source gave before it was put back to a backup."""


class MigrationError(Exception):
    """Carry a code and our own advice; the base of all errors. str(error) is safe for logs and for Prefect.

    Attributes:
        code: the stable code, in kebab-case.
        advice: what the operator can do, in our own words; "" if there is nothing to say.
        local: what this machine itself observed, such as the host, the port and the operating system's text
            for an error (connectors.local_cause). Never a server's words. It is for the terminal of the
            person who runs the command. It is not for logs, the ledger or Prefect: the hosts of an
            installation are not for their readers.
        detail: what is known beside the code and may be shown to anyone, also in the ledger: a word of our
            own list or of a public one (a status, a response code of RFC 5530), or the random id of a
            mailbox.
        words: what the server said, for the private file of `kogge failures --server-words` and for nothing
            else.
    """

    local: str = ""
    detail: str = ""
    words: ServerWords = NOTHING

    def __init__(self, code: str, advice: str = "") -> None:
        super().__init__(f"{code}: {advice}" if advice else code)
        self.code = code
        self.advice = advice

    def about(self, detail: str) -> Self:
        """Set the detail and return the same error."""
        self.detail = detail
        return self

    def with_local_cause(self, local: str) -> Self:
        """Set what this machine observed (`local`) and return the same error."""
        self.local = local
        return self

    def quoting(self, words: ServerWords) -> Self:
        """Set what the server said and return the same error.

        Args:
            words: the server's words. If they are empty, the words that the error already carries stay.
        """
        self.words = words or self.words
        return self


class Transient(MigrationError):
    """Ask for a retry of the batch: 429, 503, a time-out, a busy server, a cut connection.

    The outcome of a write is unknown: settle it before the retry.

    Attributes:
        after: seconds to wait, by the server's own word; None if the server gave none.
    """

    def __init__(self, code: str, advice: str = "", after: float | None = None) -> None:
        super().__init__(code, advice)
        self.after = after


class Unwritable(Transient):
    """State that the ledger cannot be written until a person makes room, or gives a right.

    A workload waits as for any Transient; a command ends as it does for wrong input, so that no script runs
    it again for ever. `local` holds the path.
    """


class Rejected(MigrationError):
    """State that this item cannot move (too large, malformed, unconvertible): mark it and go on."""


class Blocked(MigrationError):
    """State that this mailbox cannot go on (login, quota, missing, identity not proven); the others do."""


class Misconfigured(MigrationError):
    """State that the operator's input is wrong: stop before any write.

    Attributes:
        where: the file, the line and the field, or the option of the command.
    """

    def __init__(self, where: str, advice: str) -> None:
        super().__init__("misconfigured", f"{where}: {advice}")
        self.where = where


class CursorLost(MigrationError):
    """State that the source no longer knows a cursor: enumerate anew and reconcile by the ledger."""


class LeaseLost(MigrationError):
    """State that another worker owns the leg now: close the sockets, record an event, drop the work."""


class Corrupt(MigrationError):
    """State that an invariant of the ledger or its event chain is broken: stop the run, alert."""
