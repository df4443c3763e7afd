"""A world that holds only some of its mailboxes: what was let go comes back as it was."""

from __future__ import annotations

from practice.world.world import World


def test_a_mailbox_that_was_let_go_comes_back_the_same_and_one_that_changed_stays() -> None:
    world = World(seed=5, people=30, items=8, held=3)
    first, second = world.addresses()[:2]
    before = [(item.id, item.change_key, item.mime()) for item in world.mailbox(first).messages()]
    changed = world.mailbox(second)
    changed.deliver(changed.distinguished("inbox"))
    for address in world.addresses():
        world.mailbox(address)
    assert len(world._mailboxes) == 3
    assert world.mailbox(second) is changed
    again = world.mailbox(first)
    assert [(item.id, item.change_key, item.mime()) for item in again.messages()] == before


def test_the_mailbox_that_was_just_read_is_held_however_many_changed() -> None:
    world = World(seed=5, people=4, items=8, held=2)
    for address in world.addresses():
        mailbox = world.mailbox(address)
        mailbox.deliver(mailbox.distinguished("inbox"), subject="Held")
    for address in world.addresses():
        assert "Held" in [item.subject for item in world.mailbox(address).messages()]
