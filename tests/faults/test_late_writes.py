"""A write whose reply was lost lands long after its sender was given up: nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from walking import SOURCE, Trial, a_mailbox, letter

from ledger.db.rows import LegState, Phase
from model.protocols import Role


class Late:
    """The n-th write's reply is lost; its bytes land right before the n-th later call of a name."""

    def __init__(self, store: MemoryStore, nth: int, lands_at: str | None) -> None:
        self.store, self.left, self.lands_at = store, nth, lands_at
        self.write = "target.write" if store.atomic else "target.append"
        self.landed = 0

    def __call__(self, name: str) -> None:
        if self.left <= 0 and name == self.lands_at:
            self.landed += self.store.land()
        self.left -= name == self.write
        self.store.late = self.left == 0 and name == self.write


@pytest.fixture(params=[True, False], ids=["atomic", "partial"])
def trial(request: pytest.FixtureRequest, quick_path: Path) -> Trial:
    return Trial(quick_path, a_mailbox(4), MemoryStore(atomic=request.param))


def plain(directory: Path, atomic: bool, mailbox: MemoryMailbox) -> MemoryStore:
    """The target of a run that nothing disturbed."""
    (directory / "plain").mkdir()
    other = Trial(directory / "plain", mailbox, MemoryStore(atomic=atomic))
    assert other.run().state is LegState.VERIFIED
    return other.store


MOMENTS = {
    "before-settling": "target.listing",
    "after-settling": "target.containers",
    "while-fetching": "source.fetch",
    "before-the-next-write": "target.position",
    "at-the-label": "target.label",
}


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_late_write_within_the_run(trial: Trial, quick_path: Path, moment: str, nth: int) -> None:
    late = Late(trial.store, nth, moment)
    trial.run(late)
    assert late.landed > 0
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    wanted = plain(quick_path, trial.store.atomic, trial.mailbox)
    assert trial.store.snapshot() == wanted.snapshot()


@pytest.mark.parametrize("nth", [1, 3])
def test_a_write_that_lands_after_the_pass_is_removed_by_the_next(
    trial: Trial, quick_path: Path, nth: int
) -> None:
    assert trial.run(Late(trial.store, nth, None)).state is LegState.VERIFIED
    before = trial.store.snapshot()
    assert trial.store.land() > 0
    assert trial.store.snapshot() != before
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == before


@pytest.fixture
def single(quick_path: Path) -> Trial:
    """One folder, which holds one mail."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    mailbox.deliver(mailbox.create_folder(("Inbox",), Role.INBOX), letter(55))
    return Trial(quick_path, mailbox, MemoryStore())


def test_what_lands_in_a_folder_that_was_renumbered_meanwhile_is_left_to_a_person(single: Trial) -> None:
    """No position tells any more that it came after us: it may be a copy that its user made."""
    assert single.run(Late(single.store, 1, None)).state is LegState.VERIFIED
    single.store.renumber(("INBOX",))
    assert single.store.land() == 1
    assert single.finish().code == "verification-differs"
    assert [outcome for outcome, _ in single.findings()] == ["-"], single.findings()
    assert single.store.snapshot().total() == 2


def test_a_write_that_lands_after_its_item_was_deleted_at_the_source(single: Trial) -> None:
    assert single.run(Late(single.store, 1, None)).state is LegState.VERIFIED
    single.mailbox.delete(next(item.id for _, item in single.mailbox.messages()))
    assert single.store.land() == 1
    assert single.finish().state is LegState.VERIFIED, single.findings()
    assert not single.store.snapshot()


def test_a_write_that_lands_after_its_draft_has_another_text_is_left_to_a_person(quick_path: Path) -> None:
    """A later pass has forgotten what the first one sent."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}))
    drafts, inbox = (
        mailbox.create_folder(("Drafts",), Role.DRAFTS),
        mailbox.create_folder(("Inbox",), Role.INBOX),
    )
    item = mailbox.deliver(drafts, letter(55), Marks(draft=True))
    mailbox.deliver(inbox, letter(56))
    trial = Trial(quick_path, mailbox, MemoryStore())
    assert trial.run(Late(trial.store, 1, None)).state is LegState.VERIFIED
    rewrite(trial, item)
    assert trial.store.land() == 1
    result = trial.finish()
    assert (result.code, trial.findings()) == ("verification-differs", [("-", "unknown")])
    assert trial.store.snapshot().total() == 3


@pytest.mark.parametrize("moment", [MOMENTS["while-fetching"], None])
def test_what_lands_in_a_live_mailbox_is_left_to_its_user(single: Trial, moment: str | None) -> None:
    """Nobody can tell it from a copy that its user made meanwhile."""
    single.run()
    single.ledger.set_phase(single.id, Phase.LIVE, "a test")
    (folder,) = single.mailbox.folders
    single.mailbox.deliver(folder, letter(56))
    late = Late(single.store, 1, moment)
    single.run(late)
    assert late.landed or single.store.land() == 1
    for _ in range(2):
        single.run()
        assert single.store.snapshot().total() == 3
    assert "zombies-removed" not in {event.kind for event in single.ledger.events("w")}


def test_in_the_live_phase_a_copy_of_what_was_withdrawn_is_its_users(single: Trial) -> None:
    single.run()
    single.mailbox.delete(next(item.id for _, item in single.mailbox.messages()))
    assert single.run().state is LegState.VERIFIED
    single.ledger.set_phase(single.id, Phase.LIVE, "a test")
    single.store.append(("INBOX",), letter(55), frozenset(), None)
    assert single.run().state is LegState.VERIFIED, single.findings()
    assert single.store.snapshot().total() == 1


def forget(trial: Trial, item: str) -> None:
    """The source deletes the item while its write is still under way."""
    trial.mailbox.delete(item)


def rewrite(trial: Trial, item: str) -> None:
    """The draft's text changes while its first write is still under way."""
    trial.mailbox.edit(item, letter(55, "another text"))


@pytest.mark.parametrize("change", [forget, rewrite])
def test_the_source_changed_before_the_write_landed(
    quick_path: Path, change: Callable[[Trial, str], None]
) -> None:
    trial = Trial(quick_path, a_mailbox(0), MemoryStore())
    drafts = next(folder.id for folder in trial.mailbox.folders.values() if folder.path == ("Entwürfe",))
    item = trial.mailbox.deliver(drafts, letter(55), Marks(draft=True))
    store, writes = trial.store, 0

    def step(name: str) -> None:
        nonlocal writes
        if name == "target.write":
            writes += 1
            store.late = writes == 1  # the drafts' folder comes first
        elif name == "target.listing" and store.late:
            store.late = False
            change(trial, item)
        elif name == "target.label":
            store.land()

    trial.run(step)
    assert writes > 1
    assert not store.in_flight
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert store.snapshot() == plain(quick_path, True, trial.mailbox).snapshot()
