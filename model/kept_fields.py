"""State what a server keeps of contacts and tasks less than RFC 2426 and RFC 5545 say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CardLimits:
    """State what a mapping has to heed, so that a card is kept, and what it makes is what comes back.

    Attributes:
        name_part: the most characters of one part of N; None for no limit.
        shown_name: the most characters of FN; None for no limit.
        note_bytes: the most bytes of a note in UTF-8; None for no limit.
        any_mail: True if any text may stand as a mail address; False if only an address with ASCII before
            the @ may.
        confidential: True if CLASS:CONFIDENTIAL is kept; False if it becomes PRIVATE.
        free_busy: True if FBURL is kept.
        commas: True if a nickname or a category may hold a comma; False if it is split there.
        last_semicolon: True if an organisation may end with a semicolon.
        one_picture: True if no more than one picture is kept.
    """

    name_part: int | None = None
    shown_name: int | None = None
    note_bytes: int | None = None
    any_mail: bool = True
    confidential: bool = True
    free_busy: bool = True
    commas: bool = True
    last_semicolon: bool = True
    one_picture: bool = False


WHOLE_CARDS = CardLimits()
"""A server that keeps what it is given."""


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """State what a mapping has to heed, so that what it makes is what comes back.

    Attributes:
        properties: names of what is kept, beside UID and time stamps; None for everything.
        past_alarms: True if an alarm that is over and acknowledged (RFC 9074) is kept as such.
        confidential: True if CONFIDENTIAL is kept beside PRIVATE.
        open_when_done: True if a task of 100 % need not be completed, and one of less may need action.
        plain_series: True if a task that comes back needs a start and a due day, is not begun unless its
            state says so, and has no rule of every second year, or of weeks that have to begin on one day.
    """

    properties: frozenset[str] | None = None
    past_alarms: bool = True
    confidential: bool = True
    open_when_done: bool = True
    plain_series: bool = False

    def keeps(self, name: str) -> bool:
        """Return True if a property is kept."""
        return self.properties is None or name in self.properties


WHOLE_TASKS = TaskLimits()
"""A server that keeps what it is given."""
