"""Describe what other implementations of EWS do otherwise than Exchange. Each habit may be set alone.

with ExchangeServer(world, habits=Habits(views="singles", keys_stay=True)) as server: ...

How mail is rendered is the world's (practice.mail.mime_habits): Microsoft 365 renders it, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Views = Literal["expanded", "masters", "singles"]


@dataclass(frozen=True, slots=True)
class Habits:
    """Hold habits.

    Attributes:
        views: what a CalendarView gives of a series: its occurrences, the series as it is, or nothing.
        keys_stay: a series keeps its change key, and SyncFolderItems is silent, when one of its occurrences
            changes or is deleted.
        corrupt_beyond: a CalendarView that begins after the end of a series, and an occurrence with a number
            beyond it, are ErrorItemCorrupt.
        rerenders: the MIME of an item that has categories has other boundaries and folding.
        midnights: a deleted occurrence, and where a changed one was before, are midnight of the series' zone.
        rows_most: FindItem and FindFolder give at most so many rows, and count as if they gave all they were
            asked for: the next offset leaves rows out, and the last page comes too early.
        bare_tasks: a folder of tasks has no PermissionSet.
        bare_delegates: GetDelegate does not say what delegates get of meetings, nor if they see private
            items.
        chokes_at: a request of at least so many bytes is answered 400, and as usual when it is sent again.
    """

    views: Views = "expanded"
    keys_stay: bool = False
    corrupt_beyond: bool = False
    rerenders: bool = False
    midnights: bool = False
    rows_most: int | None = None
    bare_tasks: bool = False
    bare_delegates: bool = False
    chokes_at: int | None = None
