"""Write and read the text of the marks that are left outside of the ledger.

A mark has the newest pass of a leg, and the newest move of its mailbox from phase to phase. Whoever may write
into the account may write anything there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ledger.db.rows import Phase
from ledger.leg.phase_moves import ID_DIGITS, Moves

DIGITS_MOST = 9
PHASES = tuple(Phase)
_ID = re.compile(f"[0-9a-f]{{{ID_DIGITS}}}")


class Pass(NamedTuple):
    """Hold a pass of a leg.

    Attributes:
        number: its number.
        phase: how far its mailbox was then (an index of PHASES).
    """

    number: int
    phase: int = 0

    def text(self) -> str:
        """Return the text that is left outside of the ledger."""
        return f"{self.number} {PHASES[self.phase]}"


class Move(NamedTuple):
    """Hold a move of a mailbox from phase to phase.

    Attributes:
        number: the count that a ledger gave it; see ledger.leg.phase_moves.Moves.
        phase: where it went (an index of PHASES).
        id: the beginning of its event's hash.
    """

    number: int
    phase: int
    id: str

    def text(self) -> str:
        """Return the text that is left outside of the ledger."""
        return f"{self.number} {PHASES[self.phase]} {self.id}"

    def is_ahead(self, moves: Moves) -> bool:
        """Return True if the move brought the mailbox further than a ledger says that does not know it.

        A move for which a person has answered since does not count.

        Args:
            moves: the moves that the ledger knows.
        """
        lost = self.id not in moves.ids and self.number > moves.answered
        return lost and self.phase > PHASES.index(moves.phase)


class Mark(NamedTuple):
    """Hold what one place keeps.

    Attributes:
        newest: the newest pass.
        move: the newest move; None if an older version wrote the mark, or if the mailbox never moved.
    """

    newest: Pass
    move: Move | None = None

    def text(self) -> str:
        """Return the text that is left outside of the ledger."""
        return self.newest.text() if self.move is None else f"{self.newest.text()} {self.move.text()}"


NONE = Pass(0)


def newest_move(moves: Moves) -> Move | None:
    """Return the newest move that a ledger has; None if it has none."""
    return Move(moves.count, PHASES.index(moves.phase), moves.newest) if moves.newest else None


def read_mark(text: str) -> Mark:
    """Return the mark that a text describes, also one of an older version.

    A text that Kogge did not write says nothing.
    """
    number, phase, move = [*text.split(" ", 2), "", ""][:3]
    newest = Pass(int(number), _phase(phase)) if _is_number(number) else NONE
    return Mark(newest, read_move(move))


def read_move(text: str) -> Move | None:
    """Return the move that Move.text() wrote; None if the text is none."""
    count, phase, number = [*text.split(" ", 2), "", ""][:3]
    if not _is_number(count) or phase not in PHASES or not _ID.fullmatch(number):
        return None
    return Move(int(count), _phase(phase), number)


def _phase(text: str) -> int:
    return PHASES.index(Phase(text)) if text in PHASES else 0


def _is_number(text: str) -> bool:
    """Return True if a text is a number that a ledger can have reached: at most DIGITS_MOST digits."""
    return len(text) <= DIGITS_MOST and text.isdecimal() and text.isascii()
