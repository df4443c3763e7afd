"""What every state machine here does alike: runs, dying workers, the weather, and what must come of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from memory.doubles import MemoryMailbox
from memory.mailbox import Folder, Message
from walking import Died, Trial

from ledger.db.rows import ContainerRow, ItemRow, Lease, LegState, State
from ledger.leg.leg_session import LegLedger
from model.errors import Transient

PICK = st.integers(0, 1000)


def quick(examples: int, steps: int) -> settings:
    """In CI: the same examples every time."""
    return settings(LONG, max_examples=examples, stateful_step_count=steps, derandomize=True)


LONG = settings(
    max_examples=1500,
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""make soak: other examples every time."""


class At:
    """Does something at the n-th step of a run, so many times; before that, nothing."""

    def __init__(self, number: int, act: Callable[[], None], times: int = 1) -> None:
        self.left, self._act, self._times = number, act, times

    def __call__(self, _name: str = "commit") -> None:
        self.left -= 1
        if 0 >= self.left > -self._times:
            self._act()


def die() -> None:
    raise Died


def fail() -> None:
    raise Transient("connection-cut")


class AnyOrder(RuleBasedStateMachine):
    """The rules: what people, servers and the weather do. teardown: what must have come of it.

    Whoever extends it has a rule, begin, that gives it mailbox and trial.
    writes: what a run that has nothing to do never asks of the target. ends: what becomes of items.
    demand_the_right_contents: that the target holds what the source's contents alone demand.
    """

    mailbox: MemoryMailbox
    trial: Trial
    writes: tuple[str, ...]
    demand_the_right_contents: Callable[[], None]
    ends = frozenset({State.VERIFIED, State.SKIPPED, State.REJECTED, State.GONE})

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.directory = Path(tempfile.mkdtemp(prefix="kogge-", dir=memory if memory.is_dir() else None))
        self.was_late = False

    # What people do

    @precondition(lambda self: self._messages())
    @rule(which=PICK)
    def delete(self, which: int) -> None:
        if self.may_go():
            self.mailbox.delete(self._message(which).id)

    @rule(which=PICK)
    def delete_folder(self, which: int) -> None:
        folder = self._folder(which)
        if folder.role is None and self.may_go():
            self.mailbox.delete_folder(folder.id)

    # What servers do

    @rule()
    def lose_cursors(self) -> None:
        self.mailbox.lose_cursors()

    @rule()
    def land(self) -> None:
        self.trial.store.land()

    # Runs

    @rule()
    def run(self) -> None:
        self.trial.run()

    @rule(at=st.integers(1, 250))
    def run_and_die(self, at: int) -> None:
        """Before or after a call took effect, or before a commit."""
        self._run_with(At(at, die, times=10**6))

    @rule(at=st.integers(1, 250), times=st.integers(1, 3))
    def run_with_faults(self, at: int, times: int) -> None:
        self._run_with(At(at, fail, times))

    def may_go(self) -> bool:
        """True if items may leave their folder: what lands of them afterwards is known."""
        return True

    # The end

    def teardown(self) -> None:
        try:
            if hasattr(self, "trial"):
                self.demand_the_right_target()
                self.trial.ledger.close()
        finally:
            shutil.rmtree(self.directory)

    def demand_the_right_target(self) -> None:
        self.trial.store.land()
        result = self.trial.finish()
        for _ in range(3):
            if result.code not in ("source-shrunk", "source-rekeyed"):
                break
            self.trial.approve(result.code)
            result = self.trial.finish()
        assert (result.state, result.code) == (LegState.VERIFIED, None), self.diagnosis()
        assert set(self.trial.states()) <= self.ends
        self.demand_the_right_contents()
        before, seen = self.contents(), list[str]()
        assert self.trial.run(seen.append).state is LegState.VERIFIED
        assert not {f"target.{verb}" for verb in self.writes} & set(seen)
        assert self.contents() == before

    def contents(self) -> object:
        """What a run that has nothing to do must leave as it is."""
        return self.trial.store.snapshot()

    def diagnosis(self) -> str:
        (leg,) = self.trial.ledger.legs()
        return f"{leg.state} {leg.code}: {dict(self.trial.states())} {self.trial.findings()}"

    def _containers(self) -> list[ContainerRow]:
        with self._session() as session:
            return session.containers()

    def _rows(self) -> list[ItemRow]:
        with self._session() as session:
            return [row for box in session.containers() for row in session.rows(box.id)]

    def _session(self) -> AbstractContextManager[LegLedger]:
        """Reading alone."""
        (leg,) = self.trial.ledger.legs()
        lease = Lease(leg.id, leg.mailbox, self.trial.kind, "", leg.epoch, False, self.trial.phase)
        return self.trial.ledger.session(lease, mirror=True)

    def _run_with(self, step: Callable[..., None]) -> None:
        quiet = self.trial.commits(step)
        try:
            self.trial.run(step)
        except Died:
            return
        finally:
            quiet()

    def _run_with_a_late_request(self, nth: int, name: str, dies: bool) -> None:
        """The reply to one request is lost; it lands whenever land() is called. dies: so does the worker."""
        store, left, self.was_late = self.trial.store, nth, True

        def step(called: str = "commit") -> None:
            nonlocal left
            if dies and left <= 0 and store.in_flight and called != name:
                raise Died
            left -= called == name
            store.late = left == 0 and called == name

        self._run_with(step)
        store.late = False

    def _folder(self, which: int) -> Folder:
        folders = sorted(self.mailbox.folders.values(), key=lambda folder: folder.path)
        return folders[which % len(folders)]

    def _messages(self) -> list[Message]:
        return [message for _, message in self.mailbox.messages()] if hasattr(self, "mailbox") else []

    def _message(self, which: int) -> Message:
        messages = self._messages()
        return messages[which % len(messages)]
