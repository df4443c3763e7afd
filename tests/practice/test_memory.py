"""The connectors in memory keep the protocols' promises, and break exactly where a test says so."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from memory.doubles import Marks, MemoryMailbox, MemorySource, MemoryStore, MemoryTarget

from mappings.mail.digest import canonical
from model.errors import Blocked, CursorLost, LeaseLost, MigrationError, Transient
from model.kinds import Kind
from model.protocols import Amendment, Container, Failed, Item, Native, Page, Ref, Stored, key_of

DATE = datetime(2021, 5, 4, 3, 2, 1, tzinfo=UTC)


def allowed() -> None:
    """The guard of a worker that holds its lease."""


def item(name: str, raw: bytes = b"A: b\r\n\r\nhello\r\n", flags: frozenset[str] = frozenset()) -> Item:
    digested = canonical(io.BytesIO(raw))
    return Item(Kind.MAIL, key_of(name), digested.digest, digested.size, lambda: io.BytesIO(raw), flags, DATE)


def named(container: str, *path: str) -> Container:
    return Container(Kind.MAIL, container, path)


def refs_of(pages: list[Page]) -> list[Ref]:
    return [ref for page in pages for ref in page.refs]


def filled(count: int) -> tuple[MemoryMailbox, Container]:
    mailbox = MemoryMailbox()
    folder = mailbox.create_folder(("Inbox",))
    for number in range(count):
        mailbox.deliver(folder, b"Subject: %d\n\nbody\n" % number)
    return mailbox, named(folder, "Inbox")


class Interrupt(Exception):
    """The worker dies here."""


def dying_at(name: str) -> Callable[[str], None]:
    def step(here: str) -> None:
        if here == name:
            raise Interrupt

    return step


class TestSource:
    def test_enumerates_in_pages_and_then_lists_only_changes(self) -> None:
        mailbox, folder = filled(20)
        pages = list(MemorySource(mailbox).changes(folder, None))
        assert len(pages) == 3
        assert all(page.full for page in pages)
        ids = {ref.id for ref in refs_of(pages)}
        assert len(ids) == 20
        mailbox.mark(min(ids), Marks(read=True))
        mailbox.delete(max(ids))
        later = list(MemorySource(mailbox).changes(folder, pages[-1].cursor))
        assert {(ref.id, ref.deleted) for ref in refs_of(later)} == {(min(ids), False), (max(ids), True)}
        assert not any(page.full for page in later)

    def test_a_cursor_in_the_middle_goes_on_where_it_stood(self) -> None:
        mailbox, folder = filled(20)
        first = next(MemorySource(mailbox).changes(folder, None))
        rest = list(MemorySource(mailbox).changes(folder, first.cursor))
        ids = [ref.id for ref in refs_of([first, *rest])]
        assert len(ids) == len(set(ids)) == 20

    def test_a_deletion_during_the_first_enumeration_is_told(self) -> None:
        mailbox, folder = filled(20)
        pages = MemorySource(mailbox).changes(folder, None)
        first = next(pages)
        mailbox.delete(first.refs[0].id)
        mailbox.deliver(folder.id, b"A: b\n\nnew\n")
        assert first.refs[0].id in {ref.id for ref in refs_of(list(pages)) if ref.deleted}

    def test_lost_cursors_raise(self) -> None:
        mailbox, folder = filled(3)
        *_, last = MemorySource(mailbox).changes(folder, None)
        mailbox.lose_cursors()
        with pytest.raises(CursorLost):
            list(MemorySource(mailbox).changes(folder, last.cursor))

    def test_a_moved_message_has_a_new_id(self) -> None:
        mailbox, folder = filled(1)
        other = mailbox.create_folder(("Other",))
        old = next(iter(mailbox.folders[folder.id].messages))
        new = mailbox.move(old, other)
        assert new != old
        fetched = list(MemorySource(mailbox).fetch(folder, [Ref(old, "1")]))
        assert [f.error.code for f in fetched if isinstance(f, Failed)] == ["vanished"]

    def test_rebuilding_changes_the_boundary_but_not_within_one_read(self) -> None:
        mailbox, folder = filled(0)
        mailbox.rebuilds = True
        raw = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n'
        ref = Ref(mailbox.deliver(folder.id, raw), "1")
        texts = []
        for _ in range(2):
            (native,) = MemorySource(mailbox).fetch(folder, [ref])
            assert isinstance(native, Native)
            assert native.body is not None
            assert native.body().read() == native.body().read()
            texts.append(native.body().read())
        assert texts[0] != texts[1]

    def test_a_renamed_folder_takes_its_children_along_and_keeps_its_id(self) -> None:
        mailbox = MemoryMailbox()
        top = mailbox.create_folder(("A",))
        child = mailbox.create_folder(("A", "B"))
        mailbox.rename_folder(top, ("C",))
        assert {c.id: c.path for c in MemorySource(mailbox).containers()} == {top: ("C",), child: ("C", "B")}

    def test_closed_from_outside(self) -> None:
        source = MemorySource(MemoryMailbox())
        source.close()
        with pytest.raises(Transient, match="connection-closed"):
            source.identity()


class TestTarget:
    def test_writes_normalised_bytes_flags_and_dates(self) -> None:
        store = MemoryStore()
        target = MemoryTarget(store, allowed)
        (stored,) = target.write("INBOX", [item("a", b"A: b\n\n\0\n", frozenset({"\\Seen", "work"}))])
        assert isinstance(stored, Stored)
        message = store.folders[("INBOX",)].messages[1]
        assert message.raw == b"A: b\r\n\r\n\x80\r\n"
        assert (message.flags, message.date) == (frozenset({"\\Seen", "work"}), DATE)
        assert stored.href.endswith(":1")

    def test_one_result_per_item_in_an_order_of_its_own(self) -> None:
        target = MemoryTarget(MemoryStore(batch=50), allowed)
        items = [item(str(number)) for number in range(40)]
        keys = [result.key for result in target.write("INBOX", items)]
        assert sorted(keys) == sorted(one.key for one in items)
        assert keys != [one.key for one in items]

    @pytest.mark.parametrize(("step", "there"), [("target.write", 0), ("target.write done", 3)])
    def test_dying_before_or_after_an_atomic_batch(self, step: str, there: int) -> None:
        store = MemoryStore()
        target = MemoryTarget(store, allowed, dying_at(step))
        with pytest.raises(Interrupt):
            list(target.write("INBOX", [item(str(number)) for number in range(3)]))
        assert len(store.folders[("INBOX",)].messages) == there

    def test_dying_inside_a_batch_that_is_not_atomic_leaves_a_part(self) -> None:
        store = MemoryStore(atomic=False)
        seen: list[str] = []

        def third(name: str) -> None:
            seen.append(name)
            if seen.count("target.append") == 3:
                raise Interrupt

        with pytest.raises(Interrupt):
            list(MemoryTarget(store, allowed, third).write("INBOX", [item(str(n)) for n in range(5)]))
        assert len(store.folders[("INBOX",)].messages) == 2

    def test_a_late_write_lands_after_its_sender_gave_up(self) -> None:
        store = MemoryStore(late=True)
        with pytest.raises(Transient):
            list(MemoryTarget(store, allowed).write("INBOX", [item("a")]))
        assert not store.folders[("INBOX",)].messages
        assert store.land() == 1
        assert len(store.folders[("INBOX",)].messages) == 1

    @pytest.mark.parametrize("atomic", [True, False])
    def test_a_full_store_takes_what_fits_and_names_the_rest(self, atomic: bool) -> None:
        size = item("a").size
        store = MemoryStore(quota=3 * size, atomic=atomic)
        results = list(MemoryTarget(store, allowed).write("INBOX", [item(str(n)) for n in range(5)]))
        failed = [result for result in results if isinstance(result, Failed)]
        assert store.used() == 3 * size
        assert [(type(f.error), f.error.code) for f in failed] == [(Blocked, "over-quota")] * 2

    @pytest.mark.parametrize(
        ("bad", "code"),
        [
            (item("a", b""), "refused-by-server"),
            (item("a", b"x" * 100), "too-large"),
            (item("a", flags=frozenset({"a]b"})), "refused-by-server"),
            (item("a", flags=frozenset({"ü"})), "refused-by-server"),
        ],
    )
    def test_refused_items_do_not_stop_the_others(self, bad: Item, code: str) -> None:
        target = MemoryTarget(MemoryStore(max_bytes=50), allowed)
        results = {result.key: result for result in target.write("INBOX", [bad, item("b")])}
        failed = results[bad.key]
        assert isinstance(failed, Failed)
        assert failed.error.code == code
        assert isinstance(results[key_of("b")], Stored)

    def test_keywords_keep_the_form_seen_first(self) -> None:
        store = MemoryStore()
        target = MemoryTarget(store, allowed)
        list(target.write("INBOX", [item("a", flags=frozenset({"Work"}))]))
        list(target.write("INBOX", [item("b", flags=frozenset({"work"}))]))
        assert {flag for m in store.folders[("INBOX",)].messages.values() for flag in m.flags} == {"Work"}

    def test_the_guard_stops_every_change(self) -> None:
        def lost() -> None:
            raise LeaseLost("lease-lost")

        store = MemoryStore()
        list(MemoryTarget(store, allowed).write("INBOX", [item("a")]))
        before = store.snapshot()
        target = MemoryTarget(store, lost)
        stored = Stored(key_of("a"), next(target.listing("INBOX")).href)
        attempts: list[Callable[[], object]] = [
            lambda: list(target.write("INBOX", [item("b")])),
            lambda: list(target.amend("INBOX", [Amendment(stored, frozenset())])),
            lambda: list(target.remove("INBOX", [stored])),
            lambda: target.ensure(named("x", "X")),
            lambda: target.rename("INBOX", named("x", "X")),
            lambda: target.label({"a": "b"}),
        ]
        for attempt in attempts:
            with pytest.raises(LeaseLost):
                attempt()
        assert store.snapshot() == before

    def test_live_only_adds(self) -> None:
        target = MemoryTarget(MemoryStore(), allowed, live=True)
        (stored,) = target.write("INBOX", [item("a")])
        assert isinstance(stored, Stored)
        attempts: list[Callable[[], object]] = [
            lambda: list(target.amend("INBOX", [Amendment(stored, frozenset())])),
            lambda: list(target.remove("INBOX", [stored])),
        ]
        for attempt in attempts:
            with pytest.raises(Blocked, match="live-phase"):
                attempt()

    def test_removing_twice_is_success_and_a_renumbered_folder_is_not_touched(self) -> None:
        store = MemoryStore()
        target = MemoryTarget(store, allowed)
        results = list(target.write("INBOX", [item("a"), item("b")]))
        first, second = (result for result in results if isinstance(result, Stored))
        assert list(target.remove("INBOX", [first])) == list(target.remove("INBOX", [first])) == [first]
        store.renumber(("INBOX",))
        (refused,) = target.remove("INBOX", [second])
        assert isinstance(refused, Failed)
        assert len(store.folders[("INBOX",)].messages) == 1

    def test_amending_a_vanished_item_is_told(self) -> None:
        target = MemoryTarget(MemoryStore(), allowed)
        mark = target.position("INBOX")
        (failed,) = target.amend("INBOX", [Amendment(Stored(key_of("a"), mark), frozenset())])
        assert isinstance(failed, Failed)
        assert failed.error.code == "vanished"

    def test_lists_from_a_position_on_and_everything_after_a_renumbering(self) -> None:
        store = MemoryStore()
        target = MemoryTarget(store, allowed)
        list(target.write("INBOX", [item("a")]))
        mark = target.position("INBOX")
        list(target.write("INBOX", [item("b", b"Message-ID: <b@x>\r\n\r\n")]))
        (listed,) = target.listing("INBOX", mark)
        assert listed.message_id == "<b@x>"
        store.renumber(("INBOX",))
        assert len(list(target.listing("INBOX", mark))) == 2

    def test_reads_back_what_it_wrote(self) -> None:
        target = MemoryTarget(MemoryStore(), allowed)
        (stored,) = target.write("INBOX", [item("a")])
        assert isinstance(stored, Stored)
        ((href, native),) = target.read("INBOX", [stored.href])
        assert href == stored.href
        assert isinstance(native, Native)
        assert native.body is not None
        assert canonical(native.body()).digest == item("a").digest

    def test_folders_are_ensured_twice_renamed_once(self) -> None:
        store = MemoryStore()
        target = MemoryTarget(store, allowed)
        href = target.ensure(named("x", "A", "B"))
        assert target.ensure(named("x", "A", "B")) == href == "A/B"
        target.ensure(named("y", "C"))
        assert target.rename(href, named("x", "D")) == "D"
        with pytest.raises(MigrationError, match="refused-by-server"):
            target.rename("D", named("x", "C"))
        with pytest.raises(Blocked, match="container-missing"):
            target.position("A/B")

    def test_snapshots_tell_every_difference(self) -> None:
        store = MemoryStore()
        list(MemoryTarget(store, allowed).write("INBOX", [item("a")]))
        before = store.snapshot()
        uid = store.duplicate(("INBOX",), 1)
        assert store.snapshot() - before == before
        del store.folders[("INBOX",)].messages[uid]
        assert store.snapshot() == before
        store.alter(("INBOX",), 1, b"A: c\r\n\r\n")
        assert store.snapshot() != before
