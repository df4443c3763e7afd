"""Whatever a mailbox's owner does between two calls of a sync, the client ends with the truth."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from practice.harness.dice import Dice
from practice.world.folders import Change, Did, Folder
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.world import World

PAGE = 4
Known = dict[str, tuple[bool, object]]
Use = Callable[[Mailbox, Dice], object]


def _some(mailbox: Mailbox, dice: Dice) -> Message:
    items = mailbox.distinguished("inbox").items
    return dice.pick(items) if items else mailbox.deliver(mailbox.distinguished("inbox"))


def _back(mailbox: Mailbox, dice: Dice) -> None:
    archived = mailbox.distinguished("archive").items
    if archived:
        mailbox.move(dice.pick(archived), mailbox.distinguished("inbox"))


USES: tuple[Use, ...] = (
    lambda mailbox, _: mailbox.deliver(mailbox.distinguished("inbox")),
    lambda mailbox, dice: mailbox.mark_read(_some(mailbox, dice), dice.chance(0.5)),
    lambda mailbox, dice: mailbox.flag(
        _some(mailbox, dice), dice.pick(("Flagged", "Complete", "NotFlagged"))
    ),
    lambda mailbox, dice: mailbox.categorize(_some(mailbox, dice), dice.hex(4)),
    lambda mailbox, dice: mailbox.move(_some(mailbox, dice), mailbox.distinguished("archive")),
    lambda mailbox, dice: mailbox.delete(_some(mailbox, dice), hard=dice.chance(0.5)),
    _back,
)


def apply(known: Known, page: list[Change], states: dict[str, set[Did]]) -> None:
    for change in page:
        states.setdefault(change.id, set()).add(change.did)
        if change.item is None:
            known.pop(change.id, None)
            continue
        # A server says "update" only of what the client was told of.
        assert change.did is Did.CREATED or change.id in known
        if change.did is Did.READ:
            assert known[change.id][1] == change.item.marks
        known[change.id] = (change.item.is_read, change.item.marks)


def truth(folder: Folder) -> Known:
    return {item.id: (item.is_read, item.marks) for item in folder.items}


def one_round(inbox: Folder, since: int, known: Known, between: Callable[[], None]) -> int:
    """As a server pages: newest first below an upper end fixed at the start. Returns that end."""
    high, before = inbox.mailbox.change, inbox.mailbox.change + 1
    states: dict[str, set[Did]] = {}
    while page := inbox.changes(since, before, PAGE):
        assert len(page) <= PAGE
        assert [change.number for change in page] == sorted((c.number for c in page), reverse=True)
        apply(known, page, states)
        before = page[-1].number
        between()
    return high


@pytest.mark.parametrize("seed", range(40))
def test_a_sync_ends_with_what_the_folder_holds(seed: int) -> None:
    world = World(seed, people=1, items=24, nasty=False, folder_count=1)
    mailbox = world.mailbox(world.addresses()[0])
    inbox, dice = mailbox.distinguished("inbox"), Dice("sync", seed)
    known: Known = {}
    since = 0

    def use() -> None:
        for _ in range(dice.below(4)):
            dice.pick(USES)(mailbox, dice)

    for _ in range(4):
        since = one_round(inbox, since, known, use)
        use()
    since = one_round(inbox, since, known, lambda: None)
    assert known == truth(inbox)
    assert inbox.changes(since) == []
    assert inbox.unread == sum(not item.is_read for item in inbox.items)
    assert {change.id for change in inbox.changes()} == set(known)


@pytest.mark.parametrize("seed", range(20))
def test_a_hierarchy_sync_ends_with_the_tree(seed: int) -> None:
    world = World(seed, people=1, items=0, nasty=False)
    mailbox = world.mailbox(world.addresses()[0])
    dice, since = Dice("tree", seed), 0
    known: dict[str, tuple[str, ...]] = {}
    for _ in range(6):
        high = mailbox.change
        for change in mailbox.folder_changes(since):
            if change.folder is None:
                known.pop(change.id, None)
            else:
                assert (change.did is Did.CREATED) == (change.id not in known)
                known[change.id] = (change.folder.name,)
        since = high
        assert known == {f.id: (f.name,) for f in [mailbox.root, *mailbox.folders()]}
        for _ in range(dice.below(4)):
            _rearrange(mailbox, dice)


def _rearrange(mailbox: Mailbox, dice: Dice) -> None:
    own = [folder for folder in mailbox.folders() if folder.role is None]
    made = mailbox.create_folder(dice.pick([mailbox.root, *own]), f"Neu {dice.hex(3)}")
    folder = dice.pick([made, *own])
    match dice.below(4):
        case 0:
            mailbox.rename(folder, f"Alt {dice.hex(3)}")
        case 1:
            mailbox.delete_folder(folder)
        case 2:
            mailbox.delete_folder(folder, hard=True)
        case _:
            mailbox.move_folder(folder, mailbox.distinguished("archive"))
