"""What a leg's worker knows without asking is what the database would say, whatever it writes in between; and
about an empty folder nothing is asked."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ledger_world import KEK, begin, page, ref, write
from sqlalchemy import Connection, create_engine, event

from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow, Finding, Lease, Outcome, State
from ledger.db.schema import metadata
from ledger.leg import few_items
from ledger.leg.containers import States
from ledger.leg.count_cache import Census
from ledger.leg.leg_session import LegLedger
from ledger.leg.rekeying import Rekeyed
from ledger.store import Ledger
from model.errors import Transient
from model.kinds import Kind
from model.protocols import Container, Loss, Stored, key_of


@contextmanager
def statements(ledger: Ledger) -> Iterator[list[str]]:
    said: list[str] = []

    def note(*call: Any) -> None:
        said.append(call[2])

    event.listen(ledger.engine, "after_cursor_execute", note)
    yield said
    event.remove(ledger.engine, "after_cursor_execute", note)


def test_nothing_is_asked_about_an_empty_folder(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow
) -> None:
    session.counts()
    with statements(ledger) as said:
        assert session.counts(inbox.id) == {}
        assert session.pending(inbox.id, 10) == []
        assert list(session.rows(inbox.id)) == []
        assert list(session.rows(inbox.id, AT_TARGET)) == []
        assert session.findings(inbox.id) == []
        session.replace_findings(inbox.id, [])
    assert said == []


def list_new(session: LegLedger, container: int, number: int) -> None:
    session.record_page(container, page(*(ref(f"{number}-{n}") for n in range(3))))


def write_new(session: LegLedger, container: int, number: int) -> None:
    write(session, container, [f"w{number}-{n}" for n in range(2)], first=1 + 10 * number)


def copy_all(session: LegLedger, container: int) -> None:
    """Copy what is SEEN as a worker does: what is asked in between is what the next step rests on."""
    pending = session.pending(container, 500)
    begin(session, container, [row.key for row in pending], "7:1")
    fates = [(row.key, "code") for row in pending[2:3]]
    written = [Stored(row.key, f"i{row.key.hex()}", "1") for row in pending[:2]]
    session.settle(container, written, rejected=fates, unsettled=[row.key for row in pending[3:]])


def lose_some(session: LegLedger, container: int) -> None:
    for row in list(session.rows(container))[:1]:
        session.lose(container, row.key, [A_LOSS])


def some(session: LegLedger, container: int, *states: State) -> list[bytes]:
    return [row.key for row in session.rows(container, states)][:2]


A_LOSS = Loss("subject", "cut")


def dice_href(number: int) -> str:
    return "INBOX" if number % 3 else "Other"


STEPS: list[Callable[[LegLedger, int, int], Any]] = [
    list_new,
    write_new,
    lambda s, c, n: s.record_page(c, page(ref(f"{n - 1}-1", deleted=True))),
    lambda s, c, n: s.record_page(c, page(ref(f"{n - 1}-0"), ref(f"w{n - 2}-0")), moves=True),
    lambda s, c, n: s.record_page(c, page(ref(f"{n - 1}-2", deleted=True)), moves=True),
    lambda s, c, n: s.finish_listing(c, "end", {key_of(f"{n}-0"), key_of(f"w{n - 1}-0")}),
    lambda s, c, n: s.finish_listing(c, "end"),
    lambda s, c, n: begin(s, c, some(s, c, State.SEEN), "7:1"),
    lambda s, c, n: s.restore(c, some(s, c, State.WRITING), refund=False),
    lambda s, c, n: copy_all(s, c),
    lambda s, c, n: lose_some(s, c),
    lambda s, c, n: s.losses.drop(c, [row.key for row in s.rows(c)][:1], [A_LOSS]),
    lambda s, c, n: s.verified(c, [row.key for row in s.rows(c, (State.WRITTEN, State.VERIFIED))]),
    lambda s, c, n: s.verified(c, some(s, c, State.WRITTEN)),
    lambda s, c, n: s.doubted(c, some(s, c, State.VERIFIED)),
    lambda s, c, n: s.recheck(c, some(s, c, State.WRITTEN)),
    lambda s, c, n: s.withdrawn(c, some(s, c, State.LEAVING)),
    lambda s, c, n: s.rekeyed(
        c,
        [
            Rekeyed(c, key, new, State.WRITTEN)
            for key, new in zip(some(s, c, State.WRITTEN), some(s, c, State.SEEN), strict=False)
        ],
    ),
    lambda s, c, n: s.rewrite(c, some(s, c, State.VERIFIED)),
    lambda s, c, n: s.lost(c, some(s, c, State.WRITTEN, State.CHANGED), "code"),
    lambda s, c, n: s.settle(c, [], rejected=[(key, "code") for key in some(s, c, State.WRITING)]),
    lambda s, c, n: s.reconsider("code"),
    lambda s, c, n: s.replace_findings(c, [Finding(Outcome.EXTRA, None)]),
    lambda s, c, n: s.replace_findings(c, []),
    lambda s, c, n: s.keep(c),
    lambda s, c, n: s.folders.making(c),
    lambda s, c, n: s.set_href(c, dice_href(n), ("P",)),
    lambda s, c, n: s.surveyed({c: f"7:{n}"}),
    lambda s, c, n: s.keep_states({c: States("s", f"t{n}", float(n))}),
    lambda s, c, n: s.finish_listings({c: f"end-{n}"}),
    lambda s, c, n: s.containers(),
    lambda s, c, n: s.counts(c),
    lambda s, c, n: s.counts(),
]


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_known_is_what_is_there(
    ledger: Ledger,
    session: LegLedger,
    inbox: ContainerRow,
    other: ContainerRow,
    lease: Lease,
    seed: int,
    many: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(few_items, "MOST", 0 if many else few_items.MOST)
    dice = random.Random(seed)
    for number in range(1, 60):
        container = dice.choice([inbox.id, other.id])
        dice.choice(STEPS)(session, container, number)
        with ledger.session(lease, mirror=True) as fresh:
            for one in (inbox.id, other.id):
                assert session._census.counts(one) in (None, fresh.counts(one))
                assert list(session.rows(one)) == list(fresh.rows(one))
                assert session.pending(one, 500) == fresh.pending(one, 500)
                assert session.pending(one, 2) == fresh.pending(one, 500)[:2]
                assert session.findings(one) == fresh.findings(one)
            assert session.containers() == fresh.containers()
            assert session.losses.of([A_LOSS]) == fresh.losses.of([A_LOSS])
            if dice.random() < 0.5:
                assert session.counts() == fresh.counts()
                assert session.claimed_anywhere() == fresh.claimed_anywhere()


def test_what_moves_leaves_known_what_it_has_not_to_do_with(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow
) -> None:
    empty = session.record_container(Container(Kind.MAIL, "folder-empty", ("Empty",)))
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    session.counts()
    session.record_page(other.id, page(ref("a")), moves=True)
    assert session.counts(inbox.id) == {State.SEEN: 1, State.GONE: 1}
    assert session.counts(other.id) == {State.SEEN: 1}
    with statements(ledger) as said:
        assert session.counts(empty.id) == {}
    assert said == []


def test_a_container_that_came_later_is_empty(session: LegLedger, inbox: ContainerRow) -> None:
    session.counts()
    late = session.record_container(Container(Kind.MAIL, "folder-late", ("Late",)))
    assert session.counts(late.id) == {}
    write(session, late.id, ["a"])
    assert session.counts(late.id) == {State.WRITTEN: 1}
    assert session.counts(inbox.id) == {}


def test_findings_whose_commit_was_not_answered_may_be_there(
    session: LegLedger, inbox: ContainerRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = session._writing

    @contextmanager
    def cut(touches: Collection[int] | None) -> Iterator[Connection]:
        with begin(touches) as connection:
            yield connection
        raise Transient("ledger-away", "the connection was lost")

    session.replace_findings(inbox.id, [])
    with monkeypatch.context() as patched:
        patched.setattr(session, "_writing", cut)
        with pytest.raises(Transient):
            session.replace_findings(inbox.id, [Finding(Outcome.EXTRA, None)])
    assert session.findings(inbox.id) == [Finding(Outcome.EXTRA, None)]
    session.replace_findings(inbox.id, [])
    assert session.findings(inbox.id) == []


@contextmanager
def nothing_there(*, writes: bool, touches: Collection[int] | None = None) -> Iterator[Connection]:
    assert not writes
    assert touches is None
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_a_change_anywhere_leaves_nothing_known_but_what_is_counted_again() -> None:
    census = Census(nothing_there, 1)
    assert census.counts(7) is None, "never read"
    census.load().note(7, {State.SEEN: 1})
    assert (census.counts(7), census.counts(8)) == ({State.SEEN: 1}, {})
    census.touched(None)
    assert (census.counts(7), census.counts(8), census.total()) == (None, None, None)
    assert not census.has_no_findings(7)
    census.note(8, {})
    assert census.has_none(8)
    assert not census.has_none(7)


def test_a_small_leg_is_copied_with_one_question_about_its_items(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow
) -> None:
    session.counts()
    for folder in (inbox, other):
        session.record_page(folder.id, page(*(ref(f"{folder.id}-{n}") for n in range(3))))
    session.close_inventory(KEK)
    with statements(ledger) as said:
        for folder in (inbox, other):
            pending = session.pending(folder.id, 10)
            session.begin(folder.id, [row.key for row in pending], "7:1")
            session.settle(folder.id, [Stored(row.key, row.key.hex(), "1") for row in pending])
            assert session.pending(folder.id, 10) == []
            assert session.counts(folder.id) == {State.WRITTEN: 3}
        assert session.counts() == {State.WRITTEN: 6}
    assert len([text for text in said if text.startswith("SELECT item.")]) == 1


def test_what_the_source_did_while_an_item_was_written_is_not_taken_for_written(
    session: LegLedger, inbox: ContainerRow
) -> None:
    session.counts()
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    begin(session, inbox.id, [key_of("a"), key_of("b")], "7:1")
    session.record_page(inbox.id, page(ref("a", "2"), ref("b", deleted=True)))
    session.settle(inbox.id, [Stored(key_of("a"), "1", "1"), Stored(key_of("b"), "2", "1")])
    assert session.counts(inbox.id) == {State.CHANGED: 1, State.LEAVING: 1}
