"""Know a folder's position from what the server just said of it, instead of asking for it again.

A stored message's UID is below the folder's UIDNEXT, so that everything that is written later gets a greater
one; so is the UIDNEXT that the server stated when the folder was opened. A position asked before every batch
is a round trip in which nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from connectors.imap.session import Selected, Session
from connectors.imap.wire.connection import ImapConnection
from model.protocols import Failed, Stored


@dataclass(slots=True)
class LastWrite:
    """Hold what the last write to an account, or the last look into its folders, says about positions.

    It says something as long as nothing else was asked on the session's connection since.

    Attributes:
        session: the main session of the account.
    """

    session: Session
    _positions: dict[bytes, str] = field(default_factory=dict)
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
            self._note({raw: f"{validities.pop()}:{last + 1}"})

    def opened(self, folders: Iterable[Selected]) -> None:
        """Remember the positions of folders that were just opened."""
        known = (folder for folder in folders if folder.uidvalidity and folder.uidnext)
        self._note({folder.name: f"{folder.uidvalidity}:{folder.uidnext}" for folder in known})

    def _note(self, positions: dict[bytes, str]) -> None:
        self._positions = positions
        self._connection = self.session.connection
        self._commands = self._connection.commands

    def position(self, raw: bytes) -> str | None:
        """Return the position of a folder; None if the server has to be asked.

        Args:
            raw: the encoded name of the folder.
        """
        connection = self._connection
        if connection is None or connection is not self.session.connection:
            return None
        return self._positions.get(raw) if connection.commands == self._commands else None
