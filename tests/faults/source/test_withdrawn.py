"""What the source deleted goes, whatever becomes of one item among it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from calendars import HOME, WORK, calendar_trial, folder
from memory.doubles import MemoryDav, MemoryMailbox, MemoryShelf, MemoryStore, MemoryTarget
from memory.records import APPOINTMENT, event
from walking import SOURCE, Trial, letter

from ledger.db.rows import LegState, State
from model.errors import Rejected
from model.protocols import Failed, Role, Stored, key_of

STAYS = b"Bleibt"


@pytest.fixture(params=["mail", "calendar"])
def trial(request: pytest.FixtureRequest, quick_path: Path) -> Trial:
    """Two containers of ten items each, and one in both that the source keeps."""
    if request.param == "calendar":
        trial = calendar_trial(quick_path, 0)
        for _, message in list(trial.mailbox.messages()):
            trial.mailbox.delete(message.id)
        for name, path in (("home", HOME), ("work", WORK)):
            where = folder(trial.mailbox, *path).id
            for number in range(10):
                trial.mailbox.deliver(where, event(f"{name}-{number}", f"{name} {number}"), APPOINTMENT)
            trial.mailbox.deliver(where, event(f"{name}-stays", STAYS.decode()), APPOINTMENT)
        return trial
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    folders = [mailbox.create_folder(("Inbox",), Role.INBOX), mailbox.create_folder(("Archiv",))]
    for place, where in enumerate(folders):
        for number in range(10):
            mailbox.deliver(where, letter(100 * place + number))
        mailbox.deliver(where, letter(100 * place + 10, STAYS.decode()))
    return Trial(quick_path, mailbox, MemoryStore())


def refuse(
    monkeypatch: pytest.MonkeyPatch, target: type[MemoryDav | MemoryTarget], refused: set[bytes]
) -> None:
    """The server does not let go of these."""
    remove = target.remove

    def refusing(self: MemoryDav, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        for one in stored:
            if one.key in refused:
                yield Failed(one.key, Rejected("cannot-remove"))
            else:
                yield from remove(self, href, [one])

    monkeypatch.setattr(target, "remove", refusing)


@pytest.mark.parametrize("stuck", [1, 6])
def test_what_cannot_be_removed_keeps_nothing_else(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, stuck: int
) -> None:
    """Also when a whole batch cannot."""
    assert trial.finish().state is LegState.VERIFIED
    leaving = [(where.path, one.id) for where, one in trial.mailbox.messages() if STAYS not in one.raw]
    leaving = leaving[:19]  # fewer than what would look like a source that is shrinking
    first = [item for path, item in leaving if path == leaving[0][0]][:stuck]
    refused = {key_of(item) for item in first}
    for _, item in leaving:
        trial.mailbox.delete(item)
    assert trial.run().code == "source-shrunk"  # nearly all there is
    trial.approve("source-shrunk")
    with monkeypatch.context() as patched:
        refuse(patched, MemoryDav if isinstance(trial.store, MemoryShelf) else MemoryTarget, refused)
        result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "cannot-remove")
    assert trial.states() == {State.VERIFIED: 3, State.GONE: 19 - stuck, State.LEAVING: stuck}
    assert trial.store.snapshot().total() == 3 + stuck
    trial.ledger.requeue()
    assert trial.finish().state is LegState.VERIFIED
    assert trial.states() == {State.VERIFIED: 3, State.GONE: 19}
    assert trial.store.snapshot().total() == 3
