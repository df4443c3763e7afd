"""Two people whose logins may open one account, at a server whose accounts have no id of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from memory.doubles import MemoryMailbox, MemorySource, MemoryStore, MemoryTarget, Step, no_step
from memory.wrapped import wrapped
from sqlalchemy import update
from walking import KEK, PACE, letter

from connectors.settings import Account
from engine.context.leg_context import Opener
from engine.identity.identity_gate import GateRules, Pair
from engine.leg.leg_result import LegResult
from engine.leg.run import Leg, LegSetting, Task, approvals
from engine.planning.mailbox_list import Directory
from engine.steps.settling.worker_deaths import Cause, cause_of
from engine.verify.compare import Level
from ledger.db.engine import writing
from ledger.db.rows import Phase
from ledger.db.schema import leg
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Guard, Identity, Role, Target

NAMES = ("anna", "bob")
DIRECTORY = Directory(
    {f"{name}@old.example": frozenset({line}) for line, name in enumerate(NAMES, 1)},
    {f"{name}@new.example": frozenset({line}) for line, name in enumerate(NAMES, 1)},
)


class ByLogin(MemoryTarget):
    """Knows its account by the login alone, as IMAP does without OBJECTID."""

    def __init__(self, store: MemoryStore, guard: Guard, step: Step, login: str) -> None:
        super().__init__(store, guard, step)
        self._login = login

    def identity(self) -> Identity:
        super().identity()
        return Identity("memory", f"1-{self._login}", fingerprint="memory:1")


@dataclass
class Two:
    """Two people of one wave. stores: what each one's login opens. cause: of a worker's death. while_waiting:
    is called when a leg waits for the first time; slept: for how many seconds they did."""

    path: Path
    stores: dict[str, MemoryStore]
    cause: Callable[[str | None], Cause] = cause_of
    grace: float = 0.0
    while_waiting: Callable[[], object] | None = None
    slept: list[float] = field(default_factory=list)
    ledger: Ledger = field(init=False)
    ids: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(f"sqlite:///{self.path}/ledger.db")
        self.ledger.migrate()
        planned = [
            PlannedMailbox(
                f"{name}@old.example", f"{name}@new.example", "w", Phase.STAGING, frozenset({Kind.MAIL})
            )
            for name in NAMES
        ]
        self.ids = dict(zip(NAMES, map(str, self.ledger.add_mailboxes(planned)), strict=True))
        self.sources = {name: _mailbox(name) for name in NAMES}

    def open_target(self, name: str, guard: Guard, step: Step) -> Target:
        return ByLogin(self.stores[name], guard, step, name)

    def run(self, name: str, step: Step = no_step) -> LegResult:
        mailbox = self.ledger.mailbox(self.ids[name])
        source, target = (
            Account(login=one, address=one) for one in (f"{name}@old.example", f"{name}@new.example")
        )
        setting = LegSetting(
            ledger=self.ledger,
            mailbox=mailbox,
            pair=Pair(source, target),
            opener=wrapped(
                Opener(
                    source=lambda: MemorySource(self.sources[name], step, Kind.MAIL),
                    target=lambda guard, _moment: self.open_target(name, guard, step),
                )
            ),
            rules=GateRules(directory=DIRECTORY, approved=approvals(self.ledger, mailbox, Kind.MAIL)),
            pace=replace(PACE, grace=self.grace),
            task=Task(Level.TARGET),
            stop=threading.Event(),
            kek=lambda: KEK,
            sleep=self._sleep,
            cause=self.cause,
        )
        (row,) = self.ledger.legs(mailbox=self.ids[name])
        return Leg(setting, row).run()

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        act, self.while_waiting = self.while_waiting, None
        if act is not None:
            act()

    def expire(self, name: str) -> None:
        """The lease of this one's leg is over."""
        self._lease(name, 1.0)

    def renew(self, name: str) -> None:
        """Whoever holds this one's leg renews its lease, for long."""
        self._lease(name, 1e11)

    def _lease(self, name: str, until: float) -> None:
        with writing(self.ledger.engine) as connection:
            mine = update(leg).where(leg.c.mailbox == self.ids[name], leg.c.owner.is_not(None))
            connection.execute(mine.values(lease_until=until))

    def owners(self, name: str) -> set[str]:
        """Whose mails lie in the account that this one's login opens."""
        bodies = [
            one.raw for folder in self.stores[name].folders.values() for one in folder.messages.values()
        ]
        return {who for who in NAMES for raw in bodies if f"of {who}".encode() in raw}


def _mailbox(name: str) -> MemoryMailbox:
    mailbox = MemoryMailbox(id=f"source-{name}", addresses=frozenset({f"{name}@old.example"}))
    inbox = mailbox.create_folder(("Posteingang",), Role.INBOX)
    for number in range(3):
        mailbox.deliver(inbox, letter(number, f"of {name}"))
    return mailbox


def once(name: str, act: Callable[[], object]) -> Step:
    """Acts at the first call of this name."""
    done: list[str] = []

    def step(called: str = "commit") -> None:
        if called == name and not done:
            done.append(called)
            act()

    return step
