"""All that one context holds, in one place: what DAV and the HTTP API work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from servers.open_xchange.attachments import Attachments
from servers.open_xchange.cards import Cards
from servers.open_xchange.context import Context, Folder
from servers.open_xchange.event_changes import EventChanges
from servers.open_xchange.events import Events
from servers.open_xchange.scheduling import Mailer
from servers.open_xchange.tasks import Tasks
from servers.open_xchange.times import Range, window

MAX_RESULTS = 1000
"""com.openexchange.calendar.maxEventResults: of events that one answer may list."""


@dataclass
class Suite:
    """months, years: what listings see, before and after today. max_results: of events in one answer.
    shares: how many POSTs of CS:share there were. rules: the mail filter's, by user."""

    context: Context
    mailer: Mailer
    attachments: Attachments
    months: int = 1
    years: int = 1
    max_results: int = MAX_RESULTS
    shares: int = 0
    rules: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    events: Events = field(init=False)
    changes: EventChanges = field(init=False)
    tasks: Tasks = field(init=False)
    cards: Cards = field(init=False)

    def __post_init__(self) -> None:
        self.events = Events(self.context)
        self.changes = EventChanges(self.context, self.events, self.attachments, self.window)
        self.tasks = Tasks(self.context)
        self.cards = Cards(self.context)

    def window(self) -> Range:
        return window(self.context.clock.now(), self.months, self.years)

    def count(self, folder: Folder) -> int:
        """All objects that are in it, in the window and out of it."""
        if folder.kind == "calendar":
            return self.events.count(folder)
        return len(self.tasks.all(folder) if folder.kind == "tasks" else self.cards.all(folder))

    def token(self, folder: Folder, at: int, skip: int = 0) -> str:
        """A sync-token: a time stamp, how many of that stamp were told already, and how many objects there
        are. Of a task list it is the stamp alone."""
        return str(at) if folder.kind == "tasks" else f"{at}.{skip}.{self.count(folder)}"

    def remove(self, folder: Folder) -> None:
        """A plain DELETE of a collection: everything in it goes, in the window and out of it."""
        for resource in self.events.all(folder) if folder.kind == "calendar" else ():
            self.changes.delete(self.context.by_number(folder.owner), resource)
        self.context.remove(folder)
