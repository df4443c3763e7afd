"""Know a folder's position from the messages that were just stored in it, instead of asking for it again.

A stored message's UID is below the folder's UIDNEXT, so that everything that is written later gets a greater
one. A position asked before every batch is a round trip in which nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connectors.imap.connection import ImapConnection
from connectors.imap.session import Session
from model.protocols import Failed, Stored


@dataclass(slots=True)
class LastWrite:
    """Hold what the last write to an account says about its folder.

    It says something as long as nothing else was asked on the session's connection since.

    Attributes:
        session: the main session of the account.
    """

    session: Session
    _raw: bytes = b""
    _position: str = ""
    _connection: ImapConnection | None = None
    _commands: int = 0

    def noted(self, raw: bytes, results: Iterable[Stored | Failed]) -> Iterator[Stored | Failed]:
        """Yield the results of a write, and remember the position after it.

        Nothing is remembered if the write raises, or if its messages have more than one UIDVALIDITY.

        Args:
            raw: the encoded name of the folder.
            results: the results as they come.
        """
        self._connection = None
        validities: set[str] = set()
        last = 0
        for result in results:
            if isinstance(result, Stored):
                validity, _, uid = result.href.partition(":")
                validities.add(validity)
                last = max(last, int(uid))
            yield result
        if len(validities) == 1:
            self._raw, self._position = raw, f"{validities.pop()}:{last + 1}"
            self._connection = self.session.connection
            self._commands = self._connection.commands

    def position(self, raw: bytes) -> str | None:
        """Return the position of a folder; None if the server has to be asked.

        Args:
            raw: the encoded name of the folder.
        """
        connection = self._connection
        if connection is None or connection is not self.session.connection or raw != self._raw:
            return None
        return self._position if connection.commands == self._commands else None
