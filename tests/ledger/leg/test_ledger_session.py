"""The life of an item after it was listed: R2, R3, R5, R7, R10."""

from __future__ import annotations

from itertools import islice

import pytest
from ledger_world import INBOX, begin, claimed, force, item, mapped, page, ref, states, write

from ledger.db.rows import ContainerRow, Finding, Lease, Outcome, State
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.errors import Corrupt
from model.protocols import Loss, Stored, key_of

S = State
A, B, C = key_of("a"), key_of("b"), key_of("c")


@pytest.fixture
def listed(session: LegLedger, inbox: ContainerRow) -> int:
    session.record_page(inbox.id, page(ref("a"), ref("b"), ref("c")))
    return inbox.id


def test_begin_is_durable_before_anything_is_written(ledger: Ledger, session: LegLedger, listed: int) -> None:
    begin(session, listed, [A, B], "7:5")
    session.close()
    ledger.engine.dispose()
    row = item(session, listed, "a")
    assert (row.state, row.attempts, row.since, row.digest) == (S.WRITING, 1, "7:5", None)
    assert item(session, listed, "c").attempts == 0


def test_intend_records_what_will_be_sent(
    ledger: Ledger, session: LegLedger, listed: int, lease: Lease
) -> None:
    begin(session, listed, [A], "7:5")
    for losses in ((Loss("x", "y"), Loss("x", "z")), (Loss("x", "y"), Loss("x", "y"))):
        session.intend(listed, [mapped(A, losses=losses, labels=(("$k1", "Grün"), ("$k2", "Rot")))])
    row = item(session, listed, "a")
    assert (row.size, row.flags, row.date) == (120, "$Label1 \\Seen", 1580702706)
    assert row.digest == mapped(A).item.digest
    assert row.state is S.WRITING
    assert list(ledger.losses(lease.leg)) == [(listed, A, Loss("x", "y"))]
    session.intend(listed, [mapped(A, labels=(("$k1", "Blau"),))])
    assert session.labels() == {"$k1": "Blau", "$k2": "Rot"}
    assert list(ledger.losses(lease.leg)) == []


def test_losses_of_a_container(ledger: Ledger, session: LegLedger, listed: int, lease: Lease) -> None:
    for _ in range(2):
        session.lose(listed, None, [Loss("folder-name", "rename-refused")])
    assert list(ledger.losses(lease.leg)) == [(listed, b"", Loss("folder-name", "rename-refused"))]


def test_settle_gives_every_item_its_fate(session: LegLedger, inbox: ContainerRow) -> None:
    expected = {
        "stored": (S.WRITTEN, None, "7:9", 1),
        "rejected": (S.REJECTED, "too-large", None, 1),
        "skipped": (S.SKIPPED, "report", None, 1),
        "unsettled": (S.SEEN, None, None, 1),
        "gone": (S.GONE, None, None, 1),
    }
    twice = {fate: [f"{fate}-{n}" for n in range(2)] for fate in expected}
    keys = {fate: [key_of(name) for name in names] for fate, names in twice.items()}
    session.record_page(inbox.id, page(*(ref(name) for names in twice.values() for name in names)))
    begin(session, inbox.id, [key for each in keys.values() for key in each], "7:1")
    session.settle(
        inbox.id,
        [Stored(key, "7:9", "m1") for key in keys["stored"]],
        rejected=[(key, "too-large") for key in keys["rejected"]],
        skipped=[(key, "report") for key in keys["skipped"]],
        unsettled=keys["unsettled"],
        gone=keys["gone"],
    )
    for row in session.rows(inbox.id):
        fate = row.source_id.partition("-")[0]
        assert (row.state, row.code, row.href, row.attempts) == expected[fate]


def test_restore_refunds_an_attempt_its_worker_survived(session: LegLedger, listed: int) -> None:
    begin(session, listed, [A, B], "7:1")
    session.restore(listed, [A], refund=True)
    session.restore(listed, [B], refund=False)
    assert (item(session, listed, "a").attempts, item(session, listed, "b").attempts) == (0, 1)
    begin(session, listed, [B], "7:1")
    session.restore(listed, [B], refund=True)
    assert item(session, listed, "b").attempts == 1  # only this attempt does not count


def test_an_attempt_begins_without_the_digest_of_one_that_was_given_back(
    session: LegLedger, listed: int
) -> None:
    """A crash now leaves a row without a digest: this attempt has certainly not written it."""
    begin(session, listed, [A], "7:1")
    session.intend(listed, [mapped(A)])
    session.restore(listed, [A], refund=True)
    begin(session, listed, [A], "7:5")
    row = item(session, listed, "a")
    assert (row.state, row.since, row.digest) == (S.WRITING, "7:5", None)


def test_pending_is_in_listing_order_and_bounded(session: LegLedger, inbox: ContainerRow) -> None:
    names = [f"n{number}" for number in range(30)]
    session.record_page(inbox.id, page(*map(ref, names)))
    force(session, inbox.id, "n0", S.REJECTED)
    force(session, inbox.id, "n1", S.CHANGED)
    assert [row.source_id for row in session.pending(inbox.id, 5)] == names[2:7]
    both = session.pending(inbox.id, 2, states=(S.SEEN, S.CHANGED))
    assert [row.source_id for row in both] == names[1:3]


def test_rows_may_be_changed_while_they_are_read(session: LegLedger, inbox: ContainerRow) -> None:
    names = {f"n{number}" for number in range(1203)}
    session.record_page(inbox.id, page(*map(ref, sorted(names))))
    rows = session.rows(inbox.id)
    first = list(islice(rows, 1))
    begin(session, inbox.id, [first[0].key], "7:1")
    assert {row.source_id for row in first} | {row.source_id for row in rows} == names


def test_amended_unamended_recheck(session: LegLedger, listed: int) -> None:
    write(session, listed, ["a", "b", "c"])
    session.recheck(listed, [A, B, C])
    assert session.counts(listed) == {S.CHANGED: 3}
    session.amended(listed, [(Stored(key, "7:1", "m2"), frozenset({"\\Flagged"})) for key in (A, C)])
    session.unamended(listed, [B])
    one, two = item(session, listed, "a"), item(session, listed, "b")
    assert (one.state, one.flags, one.code, one.target_version) == (S.WRITTEN, "\\Flagged", None, "m2")
    assert (two.state, two.flags, two.code) == (S.WRITTEN, "$Label1 \\Seen", "change-unreadable")


def test_a_draft_is_rewritten_and_a_deleted_item_withdrawn(session: LegLedger, listed: int) -> None:
    write(session, listed, ["a", "b", "c"])
    session.rewrite(listed, [A])
    session.withdrawn(listed, [B])
    session.withdrawn(listed, [C], removed=False)
    for name, state in (("a", S.SEEN), ("c", S.GONE)):
        row = item(session, listed, name)
        assert (row.state, row.href, row.digest, row.since, row.flags) == (state, None, None, None, None)
    row = item(session, listed, "b")
    assert (row.state, row.href, row.flags) == (S.GONE, None, None)
    assert (row.digest, row.since) == (mapped(B).item.digest, "7:1")
    assert item(session, listed, "a").attempts == 0
    assert session.claimed("INBOX") == set()


def test_what_has_an_href_is_never_taken_for_new(session: LegLedger, listed: int) -> None:
    """An update in place (WRITING with an href) that failed still has the old copy at the target."""
    write(session, listed, ["a", "b"])
    session.recheck(listed, [A, B])
    begin(session, listed, [A, B], "7:9")
    assert item(session, listed, "a").digest == mapped(A).item.digest
    session.settle(listed, [], unsettled=[A], gone=[B])
    assert states(session, listed) == {"a": S.CHANGED, "b": S.LEAVING, "c": S.SEEN}


def test_only_what_is_still_at_the_source_is_reconsidered(session: LegLedger, listed: int) -> None:
    begin(session, listed, [A, B, C], "7:1")
    session.settle(
        listed, [], rejected=[(C, "duplicate-uid")], skipped=[(A, "duplicate-uid"), (B, "duplicate-uid")]
    )
    session.record_page(listed, page(ref("b", deleted=True)))
    assert item(session, listed, "b").code == "duplicate-uid"
    assert session.reconsider("another-code") == 0
    assert session.reconsider("duplicate-uid") == 2
    assert states(session, listed) == {"a": S.SEEN, "b": S.GONE, "c": S.SEEN}


def test_verified_and_rehref(session: LegLedger, listed: int) -> None:
    write(session, listed, ["a", "b"])
    session.recheck(listed, [B])
    session.verified(listed, [A, B])
    assert states(session, listed) == {"a": S.VERIFIED, "b": S.CHANGED, "c": S.SEEN}
    session.rehref(listed, {A: "8:1", B: "8:2"})
    assert [item(session, listed, name).href for name in "abc"] == ["8:1", "8:2", None]


def test_claimed_spans_containers_that_share_an_href(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow
) -> None:
    write(session, inbox.id, ["a"], first=1)
    write(session, other.id, ["b"], first=2)
    session.set_href(inbox.id, "INBOX")
    session.set_href(other.id, "INBOX")
    with ledger.session(claimed(ledger, "bert@old.example"), mirror=True) as stranger:
        foreign = stranger.record_container(INBOX)
        write(stranger, foreign.id, ["c"], first=3)
        stranger.set_href(foreign.id, "INBOX")
        assert stranger.claimed("INBOX") == {"7:3"}
    assert session.claimed("INBOX") == {"7:1", "7:2"}
    assert session.claimed("Other") == set()


def test_findings_are_replaced(ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease) -> None:
    session.replace_findings(inbox.id, [Finding(Outcome.ERROR, None)])
    found = [Finding(Outcome.MISSING, A), Finding(Outcome.EXTRA, None, "7:9", "duplicate")]
    session.replace_findings(inbox.id, found)
    assert session.findings(inbox.id) == found
    assert list(ledger.findings(lease.leg)) == [(inbox.id, finding) for finding in found]


WRONG_STEPS = {
    "begin what is written": lambda s, c: begin(s, c, [A], "7:1"),
    "intend what was not begun": lambda s, c: s.intend(c, [mapped(B)]),
    "store what was not begun": lambda s, c: s.settle(c, [Stored(B, "7:2")]),
    "store what is unknown": lambda s, c: s.settle(c, [Stored(b"unknown", "7:2")]),
    "reject what is written": lambda s, c: s.settle(c, [], rejected=[(A, "code")]),
    "skip what is written": lambda s, c: s.settle(c, [], skipped=[(A, "code")]),
    "forget what is written": lambda s, c: s.settle(c, [], gone=[A]),
    "restore what is written": lambda s, c: s.restore(c, [A], refund=True),
    "amend what was not written": lambda s, c: s.amended(c, [(Stored(B, "7:2"), frozenset())]),
    "keep a change that is none": lambda s, c: s.unamended(c, [A]),
    "recheck what was not written": lambda s, c: s.recheck(c, [B]),
    "rewrite what was not written": lambda s, c: s.rewrite(c, [B]),
    "withdraw what was not written": lambda s, c: s.withdrawn(c, [B]),
    "move what was not written": lambda s, c: s.rehref(c, {B: "7:2"}),
}


@pytest.mark.parametrize("wrong", WRONG_STEPS)
def test_a_step_from_the_wrong_state_changes_nothing(session: LegLedger, listed: int, wrong: str) -> None:
    write(session, listed, ["a"])
    begin(session, listed, [C], "7:5")
    before = list(session.rows(listed))
    with pytest.raises(Corrupt) as raised:
        WRONG_STEPS[wrong](session, listed)  # type: ignore[no-untyped-call]
    assert raised.value.code == "item-state"
    assert list(session.rows(listed)) == before


def test_what_arrived_by_another_s_copy_has_that_one_s_digest_and_what_it_lost(
    ledger: Ledger, session: LegLedger, listed: int, lease: Lease
) -> None:
    begin(session, listed, [A, B], "7:1")
    session.intend(listed, [mapped(A, losses=(Loss("x", "y"),)), mapped(B)])
    via = Stored(A, "theirs.ics", "m1", via=True, digest=b"theirs", losses=(Loss("x", "z"),))
    session.settle(listed, [via, Stored(B, "7:9", "m1")])
    assert item(session, listed, "a").digest == b"theirs"
    assert item(session, listed, "b").digest == mapped(B).item.digest
    lost = {(key, loss.reason) for _, key, loss in ledger.losses(lease.leg)}
    assert lost == {(A, "y"), (A, "z")}


def test_whose_an_item_is(ledger: Ledger, listed: int, lease: Lease) -> None:
    other = claimed(ledger, "bert@old.example")
    assert [ledger.has(lease.mailbox, key) for key in (A, key_of("other"))] == [True, False]
    assert not ledger.has(other.mailbox, A)
    assert listed
