"""People use a mailbox in every way there is, workers die, connections break, servers forget: whatever
the order, it ends with the target that the source's contents alone demand."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from any_order import LONG, PICK, AnyOrder, At, quick
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from memory.doubles import Marks, MemoryMailbox, MemorySource, MemoryStore
from memory.mailbox import Folder, Message
from walking import Trial, letter

from mappings.mail.digest import canonical
from mappings.mail.mail import map_mail
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Native, Ref, Role

NAMES = st.sampled_from(["a", "b", "c"])
MARKS = st.builds(
    Marks,
    read=st.booleans(),
    flag=st.sampled_from(["NotFlagged", "Flagged", "Complete"]),
    categories=st.sampled_from([(), ("Rot",), ("Grün", "Privat")]),
    importance=st.sampled_from(["Low", "Normal", "High"]),
    last_verb=st.sampled_from([None, 102, 104]),
    received=st.integers(0, 3).map(lambda day: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=day)),
)
CLASSES = st.sampled_from(["IPM.Note", "IPM.Note", "IPM.Note", "IPM.StickyNote", "IPM.Unheard"])
DEEPEST = 3


class Usage(AnyOrder):
    """The rules: what people, servers and the weather do. teardown: what must have come of it."""

    writes = ("write", "append", "amend", "remove", "ensure", "rename")

    @initialize(atomic=st.booleans(), incremental=st.booleans(), states=st.booleans())
    def begin(self, atomic: bool, incremental: bool, states: bool) -> None:
        self.mailbox = MemoryMailbox(incremental=incremental, page=3, states=states)
        self.mailbox.create_folder(("Inbox",), Role.INBOX)
        self.mailbox.create_folder(("Drafts",), Role.DRAFTS)
        self.store = MemoryStore(atomic=atomic, batch=3)
        self.trial = Trial(self.directory, self.mailbox, self.store)

    # What people do

    @rule(where=PICK, number=st.integers(0, 5), marks=MARKS, kind=CLASSES)
    def deliver(self, where: int, number: int, marks: Marks, kind: str) -> None:
        self._deliver(self._folder(where), letter(number), marks, kind)

    @rule(where=PICK, error=st.sampled_from(["corrupt-at-source", "mime-conversion-failed"]))
    def deliver_poison(self, where: int, error: str) -> None:
        self.mailbox.poison[self.mailbox.deliver(self._folder(where).id, letter(66))] = Rejected(error)

    @rule(where=PICK)
    def deliver_nothing(self, where: int) -> None:
        self.mailbox.deliver(self._folder(where).id, b"")

    @precondition(lambda self: self._messages())
    @rule(which=PICK, marks=MARKS)
    def mark(self, which: int, marks: Marks) -> None:
        self._mark(self._message(which), marks)

    @precondition(lambda self: self._messages())
    @rule(which=PICK)
    def touch(self, which: int) -> None:
        self.mailbox.touch(self._message(which).id)

    @precondition(
        lambda self: any(m.marks.draft for m in self._messages()) and not self.trial.store.in_flight
    )
    @rule(which=PICK, number=st.integers(80, 83))
    def edit_a_draft(self, which: int, number: int) -> None:
        """What lands afterwards is left to a person: see test_late_writes."""
        drafts = [message for message in self._messages() if message.marks.draft]
        self.mailbox.edit(drafts[which % len(drafts)].id, letter(number))

    @precondition(lambda self: self._messages())
    @rule(which=PICK, where=PICK)
    def move(self, which: int, where: int) -> None:
        self.mailbox.move(self._message(which).id, self._folder(where).id)

    @rule(where=PICK, name=NAMES)
    def create_folder(self, where: int, name: str) -> None:
        path = (*self._folder(where).path, name)
        if len(path) <= DEEPEST and self._free(path):
            self.mailbox.create_folder(path)

    @rule(name=NAMES)
    def create_top_folder(self, name: str) -> None:
        if self._free((name,)):
            self.mailbox.create_folder((name,))

    @rule(which=PICK, where=PICK, name=NAMES)
    def rename_folder(self, which: int, where: int, name: str) -> None:
        """Under another folder, or at the top."""
        folder, parent = self._folder(which), self._folder(where)
        path = (*parent.path, name) if where % 2 else (name,)
        inside = path[: len(folder.path)] == folder.path
        if folder.role is None and not inside and self._free(path) and len(path) <= DEEPEST:
            self.mailbox.rename_folder(folder.id, path)

    @rule(which=PICK)
    def recreate_folder(self, which: int) -> None:
        folder = self._folder(which)
        if folder.role is None:
            self.mailbox.recreate_folder(folder.id)

    # What servers do

    @precondition(lambda self: not self.store.in_flight)
    @rule(which=PICK)
    def renumber(self, which: int) -> None:
        """Of what lands afterwards nobody can tell who sent it: see test_late_writes."""
        paths = sorted(self.store.folders)
        self.store.renumber(paths[which % len(paths)])

    # Runs

    @rule(nth=st.integers(1, 6))
    def run_with_a_late_write(self, nth: int) -> None:
        """The reply to one write is lost; its bytes land whenever land() is called."""
        left = nth

        def step(name: str) -> None:
            nonlocal left
            left -= name in ("target.write", "target.append")
            self.store.late = left == 0 and name in ("target.write", "target.append")

        self.trial.run(step)
        self.store.late = False

    @precondition(lambda self: self._messages())
    @rule(at=st.integers(1, 150), which=PICK, marks=MARKS, where=PICK, verb=st.sampled_from("mdvtn"))
    def run_while_people_work(self, at: int, which: int, marks: Marks, where: int, verb: str) -> None:
        def act() -> None:
            if not self._messages():
                return
            item, folder = self._message(which), self._folder(where)
            if verb == "m":
                self._mark(item, marks)
            elif verb == "d":
                self.mailbox.delete(item.id)
            elif verb == "v":
                self.mailbox.move(item.id, folder.id)
            elif verb == "t" and folder.role is None:
                self.mailbox.delete_folder(folder.id)
            elif verb == "n":
                self._deliver(folder, letter(3), marks, "IPM.Note")

        self.trial.run(At(at, act))

    # The end

    def demand_the_right_contents(self) -> None:
        assert self.found() == self.expected()
        assert self.places_differ_only_where_said()

    def expected(self) -> Counter[tuple[str, bytes, frozenset[str], datetime | None]]:
        """By the source's contents alone, through the mappings."""
        can = Capabilities(frozenset({Kind.MAIL}))
        wanted: Counter[tuple[str, bytes, frozenset[str], datetime | None]] = Counter()
        for folder, message in self.mailbox.messages():
            kind = message.marks.item_class
            if kind == "IPM.Note" and message.raw and message.id not in self.mailbox.poison:
                item = map_mail(_native(self.mailbox, folder, message), can, self.store.now()).item
                wanted[folder.id, item.digest, item.flags, item.date] += 1
        return wanted

    def found(self) -> Counter[tuple[str, bytes, frozenset[str], datetime | None]]:
        """Target folders by the source folder they stand for; what stands for none under its own name."""
        names = {href: source_id for source_id, href in self.hrefs().items()}
        return Counter(
            (
                names.get("/".join(path), "/".join(path)),
                canonical(io.BytesIO(message.raw)).digest,
                message.flags,
                message.date,
            )
            for path, folder in self.store.folders.items()
            for message in folder.messages.values()
        )

    def hrefs(self) -> dict[str, str]:
        """source folder -> target folder, of all that the source still has."""
        rows = [row for row in self._containers() if not row.gone and row.href is not None]
        assert len({row.href for row in rows}) == len(rows), "two folders became one"
        return {row.source_id: str(row.href) for row in rows}

    def places_differ_only_where_said(self) -> bool:
        (leg,) = self.trial.ledger.legs()
        losses = self.trial.ledger.losses(leg.id)
        said = {number for number, _, loss in losses if loss.field in ("name", "folder-name")}
        told = {row.path for row in self._containers() if row.id in said}
        for row in self._containers():
            names = ("INBOX", *row.path[1:]) if row.path[0] == "Inbox" else row.path
            parents = {row.path[:depth] for depth in range(1, 1 + len(row.path))}
            if not row.gone and row.href != "/".join(names) and not parents & told:
                return False
        return True

    def _deliver(self, folder: Folder, raw: bytes, marks: Marks, kind: str) -> None:
        draft = folder.role is Role.DRAFTS
        self.mailbox.deliver(folder.id, raw, replace(marks, item_class=kind, draft=draft))

    def _mark(self, old: Message, marks: Marks) -> None:
        """What a message is, and when it came, never changes."""
        was = old.marks
        new = replace(marks, draft=was.draft, item_class=was.item_class, received=was.received)
        self.mailbox.mark(old.id, new)

    def _free(self, path: tuple[str, ...]) -> bool:
        return all(folder.path != path for folder in self.mailbox.folders.values())


def _native(mailbox: MemoryMailbox, folder: Folder, message: Message) -> Native:
    source = MemorySource(mailbox)
    container = next(c for c in source.containers() if c.id == folder.id)
    (native,) = source.fetch(container, [Ref(message.id, str(message.change))])
    assert isinstance(native, Native)
    return native


class TestQuick(Usage.TestCase):
    settings = quick(120, 14)


@pytest.mark.soak
class TestLong(Usage.TestCase):
    settings = LONG
