"""The same for calendars, whose items are replaced in place: people, servers, dying workers and the weather,
in any order, and it ends with the calendars that the source's contents alone demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pytest
from any_order import LONG, PICK, AnyOrder, At, quick
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from memory.doubles import MemoryMailbox, MemoryShelf, MemorySource
from memory.mailbox import Message
from memory.records import APPOINTMENT, broken, event
from memory.shelf import MOMENT
from walking import Trial

from ledger.db.rows import State
from mappings.fields.context import Context
from mappings.registry import map_event
from model.kinds import Kind
from model.protocols import Capabilities, Native, Role, key_of

UIDS = st.sampled_from(["a", "b", "c", "d"])
TITLES = st.sampled_from(["Eins", "Zwei", "Drei"])
CAN = Context(Capabilities(frozenset({Kind.CALENDAR})), MOMENT, MOMENT)


class Calendars(AnyOrder):
    """The rules: what people, servers and the weather do. teardown: what must have come of it."""

    writes = ("write", "remove", "ensure", "rename")

    @initialize(
        incremental=st.booleans(),
        scope=st.sampled_from(["collection", "account", ""]),
        rewrites=st.booleans(),
        tells=st.booleans(),
        listed=st.sampled_from(["", "k-[0-7]"]),
    )
    def begin(self, incremental: bool, scope: str, rewrites: bool, tells: bool, listed: str) -> None:
        self.mailbox = MemoryMailbox(incremental=incremental, page=3)
        self.mailbox.create_folder(("Kalender",), Role.CALENDAR)
        self.mailbox.create_folder(("Arbeit",))
        self.shelf = MemoryShelf(scope=scope, rewrites=rewrites, tells=tells, listed=listed)
        self.edited_in_flight = False
        self.trial = Trial(self.directory, self.mailbox, self.shelf)

    # What people do

    @rule(where=PICK, uid=UIDS, title=TITLES, day=st.integers(1, 3))
    def write(self, where: int, uid: str, title: str, day: int) -> None:
        self.mailbox.deliver(self._folder(where).id, event(uid, title, day), APPOINTMENT)

    @rule(where=PICK, title=TITLES)
    def write_of_its_own(self, where: int, title: str) -> None:
        """A UID that nothing else has."""
        uid = f"own-{self.mailbox.counted}"
        self.mailbox.deliver(self._folder(where).id, event(uid, title, 5, ["b@old.example"]), APPOINTMENT)

    @precondition(lambda self: self._messages())
    @rule(which=PICK, title=TITLES, day=st.integers(1, 3))
    def edit(self, which: int, title: str, day: int) -> None:
        self._edit(self._message(which), title, day)

    @precondition(lambda self: self._messages() and not self.shelf.in_flight)
    @rule(which=PICK)
    def spoil(self, which: int) -> None:
        """What lands afterwards is left to a person: see test_objects_late."""
        message = self._message(which)
        self.mailbox.edit(message.id, broken(self._uid(message)))

    @precondition(lambda self: self._messages())
    @rule(which=PICK)
    def touch(self, which: int) -> None:
        self.mailbox.touch(self._message(which).id)

    @precondition(lambda self: self._messages())
    @rule(which=PICK, where=PICK)
    def move(self, which: int, where: int) -> None:
        if self.may_go():
            self.mailbox.move(self._message(which).id, self._folder(where).id)

    @precondition(lambda self: self._messages() and not self.shelf.in_flight)
    @rule(which=PICK)
    def delete_and_restore(self, which: int) -> None:
        """The same item, back under its id. Of each item, a server names what became of it last. What lands
        afterwards under a kept name is left to a person: see test_objects_late."""
        folder, message = self.mailbox.find(self._message(which).id)
        self.mailbox.delete(message.id)
        self.trial.run()
        if folder.id in self.mailbox.folders:
            folder.messages[message.id] = message
            folder.deleted.pop(message.id, None)
            self.mailbox.touch(message.id)

    @rule(name=st.sampled_from(["x", "y"]))
    def create_folder(self, name: str) -> None:
        if all(folder.path != (name,) for folder in self.mailbox.folders.values()):
            self.mailbox.create_folder((name,))

    @rule(which=PICK, name=st.sampled_from(["x", "y", "z"]))
    def rename_folder(self, which: int, name: str) -> None:
        folder = self._folder(which)
        if folder.role is None and all(one.path != (name,) for one in self.mailbox.folders.values()):
            self.mailbox.rename_folder(folder.id, (name,))

    # What servers do

    @precondition(lambda self: hasattr(self, "shelf") and any(self.shelf.objects()))
    @rule(which=PICK)
    def note(self, which: int) -> None:
        """A server notes something in an object: other bytes, another ETag, the same meaning."""
        found = list(self.shelf.objects())
        href, name, one = found[which % len(found)]
        self.shelf.place(href, name, one.raw.replace(b"\r\nUID:", b"\r\nX-NOTE:1\r\nUID:", 1))

    @precondition(lambda self: hasattr(self, "shelf") and any(self.shelf.objects()) and not self.was_late)
    @rule(which=PICK)
    def lose(self, which: int) -> None:
        """An object is gone, and nothing will land in its stead."""
        found = list(self.shelf.objects())
        href, name, _ = found[which % len(found)]
        del self.shelf.collections[href].objects[name]

    # Runs

    @rule(nth=st.integers(1, 6), name=st.sampled_from(["target.write", "target.remove"]), dies=st.booleans())
    def run_with_a_late_request(self, nth: int, name: str, dies: bool) -> None:
        self._run_with_a_late_request(nth, name, dies)

    @precondition(lambda self: self._messages())
    @rule(at=st.integers(1, 150), which=PICK, where=PICK, title=TITLES, verb=st.sampled_from("edvn"))
    def run_while_people_work(self, at: int, which: int, where: int, title: str, verb: str) -> None:
        def act() -> None:
            if not self._messages():
                return
            item, folder = self._message(which), self._folder(where)
            if verb == "e":
                self._edit(item, title, 9)
            elif verb == "d" and self.may_go():
                self.mailbox.delete(item.id)
            elif verb == "v" and self.may_go():
                self.mailbox.move(item.id, folder.id)
            elif verb == "n":
                self.mailbox.deliver(folder.id, event("a", title), APPOINTMENT)

        self.trial.run(At(at, act))

    # The end

    def demand_the_right_contents(self) -> None:
        self.each_place_is_ours_and_right()
        self.each_uid_is_there_once()

    def contents(self) -> object:
        return list(self.shelf.objects())

    def each_place_is_ours_and_right(self) -> None:
        """What is there is an item of the source, in its calendar, as it now is; one that was spoilt, as it
        was before."""
        names = {str(row.href): row.source_id for row in self._containers() if not row.gone}
        wanted = self.wanted()
        for href, name, one in self.shelf.objects():
            found = wanted.get((names.get(href, href), name))
            assert found is not None, "something is there that the source does not have"
            assert found in (b"", self.shelf.meaning(one.raw)), "an older version is there"

    def each_uid_is_there_once(self) -> None:
        """Of what the source has under one UID, exactly one arrived wherever the server takes it once."""
        names = {row.source_id: str(row.href) for row in self._containers() if not row.gone}
        there = {(href, name) for href, name, _ in self.shelf.objects()}
        kept = self.kept_places()
        groups: dict[object, list[bool]] = defaultdict(list)
        for folder, message in self.mailbox.messages():
            scope = {"collection": folder.id, "account": None, "": message.id}[self.shelf.scope]
            here = (names[folder.id], _place(message, kept)) in there
            if self._mapped(message) is not None or here:
                groups[scope, self._uid(message)].append(here)
        assert [sum(group) for group in groups.values()] == [1] * len(groups)

    def wanted(self) -> dict[tuple[str, str], bytes]:
        """(source folder, place) -> meaning, b"" for what cannot be mapped."""
        kept = self.kept_places()
        return {
            (folder.id, _place(message, kept)): self._mapped(message) or b""
            for folder, message in self.mailbox.messages()
        }

    def kept_places(self) -> dict[str, str]:
        """Of what the source listed under another id before, the name that its copy has kept."""
        return {row.source_id: row.place for row in self._rows() if row.place and row.state is not State.GONE}

    def _mapped(self, message: Message) -> bytes | None:
        if b"<t:Start>" not in message.raw:
            return None
        return map_event(_native(self.mailbox, message), CAN).item.digest

    def _uid(self, message: Message) -> str:
        return message.raw.partition(b"<t:UID>")[2].partition(b"<")[0].decode()

    def may_go(self) -> bool:
        """The version that is on its way may be forgotten; where it lands then is left to a person: see
        test_objects_late."""
        return not (self.edited_in_flight and self.shelf.in_flight)

    def _edit(self, message: Message, title: str, day: int) -> None:
        self.edited_in_flight = bool(self.shelf.in_flight) or not self.may_go()
        self.mailbox.edit(message.id, event(self._uid(message), title, day))


def _place(message: Message, kept: Mapping[str, str]) -> str:
    return kept.get(message.id, f"k-{key_of(message.id).hex()}.ics")


def _native(mailbox: MemoryMailbox, message: Message) -> Native:
    folder, _ = mailbox.find(message.id)
    source = MemorySource(mailbox, kind=Kind.CALENDAR)
    container = next(one for one in source.containers() if one.id == folder.id)
    ref = next(ref for page in source.changes(container, None) for ref in page.refs if ref.id == message.id)
    (native,) = source.fetch(container, [ref])
    assert isinstance(native, Native)
    return native


class TestQuickCalendars(Calendars.TestCase):
    settings = quick(50, 14)


@pytest.mark.soak
class TestLongCalendars(Calendars.TestCase):
    settings = LONG
