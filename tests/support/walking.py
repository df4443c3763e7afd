"""Runs the real walk of one leg over connectors in memory: for the crash, fault and state-machine tests."""

from __future__ import annotations

import copy
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from memory.doubles import (
    Marks,
    MemoryCabinet,
    MemoryDav,
    MemoryFiles,
    MemoryMailbox,
    MemoryShelf,
    MemorySource,
    MemoryStore,
    MemoryTarget,
    Step,
    no_step,
)
from memory.wrapped import wrapped
from sqlalchemy import Connection, event

from connectors.settings import Account
from engine.context.leg_context import BatchLimits, Opener, utc_now
from engine.context.shrink_guard import ShrinkBreaker
from engine.control.server_words_file import Words
from engine.cutover.dead_workers import release_dead_in
from engine.identity.identity_gate import GateRules, Pair
from engine.leg.leg_result import LegResult
from engine.leg.run import Leg, LegSetting, Task, approvals
from engine.planning.mailbox_list import Directory
from engine.steps.beginning.ledger_generation import Generations, leave_move, leave_move_at
from engine.steps.settling.worker_deaths import Cause
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase, State
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from model.protocols import Guard, Role, Target, key_of

SOURCE, TARGET = "anna@old.example", "anna@new.example"
KEK = bytes(32)
DAY = timedelta(days=1)
"""From one run of a trial to the next."""
TODAY = utc_now().replace(microsecond=0)
"""When late mail arrives: later than a leg began whose second run this is."""
PACE = BatchLimits(batch=4, grace=0.0, patience=6, pause=0.0)
ONE = frozenset({1})
PROVEN = GateRules(directory=Directory({SOURCE: ONE}, {TARGET: ONE}))


class Died(BaseException):
    """The process ended here: nothing after this line runs, not even the mailbox boundary."""


def dying_at(name: str, times: int = 1) -> Step:
    """Dies when it is called by this name so many times."""
    left = times

    def step(called: str = "commit") -> None:
        nonlocal left
        left -= called == name
        if left == 0:
            raise Died

    return step


@dataclass
class Trial:
    """One mailbox, its ledger, and any number of runs over them. The store says what kind of items move."""

    directory: Path
    mailbox: MemoryMailbox
    store: MemoryStore | MemoryShelf | MemoryCabinet
    phase: Phase = Phase.STAGING
    url: str | None = None
    pace: BatchLimits = PACE
    rules: GateRules = PROVEN
    cause: Cause | Callable[[str | None], Cause] = Cause.UNKNOWN
    now: Callable[[], datetime] = utc_now
    breaker: ShrinkBreaker = field(default_factory=ShrinkBreaker)
    generations: Generations | None = None
    words: Words = field(default_factory=lambda: Words(None))
    source: str = SOURCE
    target: str = TARGET
    wave: str = "w"
    shares: Ledger | None = None
    ledger: Ledger = field(init=False)
    id: str = field(init=False)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """shares: the ledger of another trial that this mailbox is in, too."""
        self.ledger = self.shares or Ledger(self.url or f"sqlite:///{self.directory}/ledger.db")
        self.ledger.migrate()
        self.kind = _kind(self.store)
        (added,) = self.ledger.add_mailboxes([self.planned()])
        self.id = str(added)

    def planned(self) -> PlannedMailbox:
        return PlannedMailbox(self.source, self.target, self.wave, self.phase, frozenset({self.kind}))

    def pair(self) -> Pair:
        own = (Account(login=address, address=address) for address in (self.source, self.target))
        return Pair(*own)

    def copy(self, directory: Path) -> Trial:
        """The same mailbox, target and (SQLite) ledger once more, to go another way from here."""
        directory.mkdir()
        self.ledger.close()
        for file in self.directory.glob("ledger.db*"):
            shutil.copy(file, directory)
        mailbox, store = copy.deepcopy((self.mailbox, self.store))
        return type(self)(
            directory, mailbox, store, self.phase, pace=self.pace, rules=self.rules, now=self.now
        )

    def run(
        self,
        step: Step = no_step,
        task: Task | None = None,
        stop: threading.Event | None = None,
        through: Callable[[Opener], Opener] = lambda opener: opener,
    ) -> LegResult:
        """One run of a worker. `step` is called before and after every network-like call."""
        (row,) = self.ledger.legs(mailbox=self.id, workload=self.kind)
        result = Leg(self.setting(step, task, stop, through), row).run()
        self.begin_earlier(DAY)
        return result

    def setting(
        self,
        step: Step = no_step,
        task: Task | None = None,
        stop: threading.Event | None = None,
        through: Callable[[Opener], Opener] = lambda opener: opener,
    ) -> LegSetting:
        mailbox = self.ledger.mailbox(self.id)
        live = mailbox.phase is Phase.LIVE
        return LegSetting(
            ledger=self.ledger,
            mailbox=mailbox,
            pair=self.pair(),
            opener=wrapped(
                through(
                    Opener(
                        source=lambda: MemorySource(self.mailbox, step, self.kind),
                        target=lambda guard, moment: self.open_target(guard, step, moment, live=live),
                    )
                )
            ),
            rules=replace(self.rules, approved=approvals(self.ledger, mailbox, self.kind)),
            pace=self.pace,
            task=task or Task(Level.TARGET),
            stop=stop or threading.Event(),
            kek=lambda: KEK,
            sleep=self.slept.append,
            cause=self.cause if callable(self.cause) else lambda owner: Cause(self.cause),
            now=self.now,
            breaker=self.breaker,
            generations=self.generations,
            words=self.words,
        )

    def release_dead(self) -> str | None:
        """As a command that takes the mailbox back does with the leg of a worker that died."""
        (row,) = self.ledger.legs(mailbox=self.id, workload=self.kind)
        return release_dead_in(self.setting(), row)

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        if isinstance(self.store, MemoryStore):
            return MemoryTarget(self.store, guard, step, live=live)
        if isinstance(self.store, MemoryCabinet):
            return MemoryFiles(self.store, guard, step, live=live)
        digest = ITEM_FORMS[self.kind].digest
        return MemoryDav(self.store, guard, lambda stream: digest(stream, moment), step, live=live)

    def begin_earlier(self, by: timedelta) -> None:
        """The leg began its first run so long before it did."""
        with self.ledger.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE leg SET started = started - {by.total_seconds()}")

    def leave_move(self, step: Step = no_step) -> None:
        """As a command that moved the mailbox: in the state directory and, of a live one, at the target."""
        if self.generations is not None:
            leave_move(self.ledger, self.id, self.generations)
        if self.ledger.mailbox(self.id).phase is Phase.LIVE:
            target = self.open_target(lambda: None, step, utc_now(), live=True)
            leave_move_at(self.ledger, self.id, target)
            target.close()

    def finish(self) -> LegResult:
        """Runs, as an operator would, until nothing is left to do; demands that this comes soon."""
        for _ in range(6):
            result = self.run()
            if result.state in (LegState.VERIFIED, LegState.BLOCKED):
                return result
        return result

    def findings(self) -> list[tuple[str, str]]:
        """(outcome, detail) of every finding of the last verification."""
        (leg,) = self.ledger.legs(mailbox=self.id)
        return [(found.outcome.value, found.detail) for _, found in self.ledger.findings(leg.id)]

    def approve(self, code: str) -> None:
        self.ledger.approve(self.id, code, "somebody", "looked at it")
        self.ledger.requeue()

    def in_hand(self) -> set[str]:
        """Source ids of what is being written now."""
        with self.ledger.engine.connect() as connection:
            statement = "SELECT key FROM item WHERE state = ?"
            keys = connection.exec_driver_sql(statement, (State.WRITING.value,)).scalars().all()
        return {one.id for _, one in self.mailbox.messages() if key_of(one.id) in map(bytes, keys)}

    def states(self) -> Counter[State]:
        (summary,) = (one for one in self.ledger.summary() if one.mailbox == self.id)
        return Counter({state: count for state, count in summary.counts.items() if count})

    def discard(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.directory)

    def commits(self, step: Callable[[], None]) -> Callable[[], None]:
        """Calls step before every commit of the ledger that wrote; returns how to stop that."""

        def before(connection: Connection) -> None:
            if connection.get_execution_options().get("writes"):
                step()

        event.listen(self.ledger.engine, "commit", before)
        return lambda: event.remove(self.ledger.engine, "commit", before)


def _kind(store: MemoryStore | MemoryShelf | MemoryCabinet) -> Kind:
    if isinstance(store, MemoryShelf):
        return store.kind
    return Kind.FILES if isinstance(store, MemoryCabinet) else Kind.MAIL


class Failing:
    """Raises at the calls of one name: after letting some pass, so many times. Notes every step."""

    def __init__(self, name: str, error: Exception, *, passing: int = 0, times: int = 1) -> None:
        self.steps: list[str] = []
        self.raised = 0
        self._name, self._error, self._passing, self._times = name, error, passing, times

    def __call__(self, name: str = "commit") -> None:
        self.steps.append(name)
        if name != self._name:
            return
        self._passing -= 1
        if self._passing < 0 and self.raised < self._times:
            self.raised += 1
            raise self._error


def letter(number: int, text: str = "") -> bytes:
    return (
        f"From: a{number}@x.example\r\nSubject: letter {number}\r\nMessage-ID: <{number}@x.example>\r\n"
        f"\r\n{text or 'x' * (number * 7 % 50)}\r\n"
    ).encode()


def a_mailbox(items: int = 9) -> MemoryMailbox:
    """Two folders, one below the other, and one hidden; duplicates, a draft, flags, odd bytes."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    inbox = mailbox.create_folder(("Posteingang",), Role.INBOX)
    below = mailbox.create_folder(("Posteingang", "Bücher/2020"))
    drafts = mailbox.create_folder(("Entwürfe",), Role.DRAFTS)
    hidden = mailbox.create_folder(("Sync Issues",), omit="hidden")
    for number in range(items):
        read = Marks(read=number % 2 == 0, flag="Flagged" if number % 3 == 0 else "NotFlagged")
        mailbox.deliver(inbox if number % 3 else below, letter(number), read)
    twin = letter(77)
    mailbox.deliver(inbox, twin)
    mailbox.deliver(inbox, twin)
    mailbox.deliver(inbox, b"Subject: odd\n\nbare\nlines\x00\n")
    mailbox.deliver(drafts, letter(88), Marks(draft=True, received=datetime(2021, 5, 1, tzinfo=UTC)))
    mailbox.deliver(hidden, letter(99))
    return mailbox


def edit(mailbox: MemoryMailbox) -> None:
    """Every kind of change there is, to a mailbox as a_mailbox makes it."""
    folders = {folder.path: folder.id for folder in mailbox.folders.values()}
    inbox, below = folders["Posteingang",], folders["Posteingang", "Bücher/2020"]
    drafts = folders["Entwürfe",]
    messages = list(mailbox.folders[inbox].messages)
    mailbox.mark(messages[0], Marks(read=True, last_verb=102, categories=("Grün",)))
    mailbox.delete(messages[1])
    mailbox.move(messages[2], below)
    mailbox.edit(next(iter(mailbox.folders[drafts].messages)), letter(88, "the text has changed"))
    mailbox.deliver(inbox, letter(100), Marks(received=TODAY))
    mailbox.deliver(inbox, letter(77))  # a third twin
    mailbox.rename_folder(below, ("Posteingang", "Umbenannt"))
    new = mailbox.create_folder(("Neu",))
    mailbox.deliver(new, letter(101))


def verified(trial: Trial) -> None:
    """Runs it to its end, which is that all is verified."""
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
