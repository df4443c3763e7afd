"""A source that fails at an item while its store is half away, and recovers: the item arrives by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from calendars import a_calendar
from memory.doubles import Marks, MemoryShelf, MemoryStore
from walking import TODAY, Trial, a_mailbox, letter

from ledger.db.rows import LegState, Phase, State
from model.errors import Rejected
from model.protocols import Role

FAILS = Rejected("poison-item")
Make = Callable[[Path], Trial]


def of_mail(directory: Path) -> Trial:
    return Trial(directory, a_mailbox(), MemoryStore())


def of_events(directory: Path) -> Trial:
    return Trial(directory, a_calendar(), MemoryShelf())


def ids(trial: Trial) -> list[str]:
    return [id_ for folder in trial.mailbox.folders.values() if not folder.omit for id_ in folder.messages]


class Recovers:
    """The source recovers before its nth fetch."""

    def __init__(self, trial: Trial, nth: int) -> None:
        self.trial, self.left, self.asked = trial, nth, 0

    def __call__(self, name: str) -> None:
        if name == "source.fetch":
            self.asked += 1
            if self.asked == self.left:
                self.trial.mailbox.poison.clear()


@pytest.fixture(params=[of_mail, of_events])
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Trial:
    made: Trial = request.param(tmp_path)
    return made


def undisturbed(trial: Trial, tmp_path: Path) -> object:
    other = trial.copy(tmp_path / "other")
    other.mailbox.poison.clear()
    other.run()
    return other.states(), other.store.snapshot()


def test_what_the_source_gives_later_in_the_pass_arrives(trial: Trial, tmp_path: Path) -> None:
    wanted = undisturbed(trial, tmp_path)
    trial.mailbox.poison[ids(trial)[1]] = FAILS
    trial.run(Recovers(trial, 4))
    assert (trial.states(), trial.store.snapshot()) == wanted


def test_what_the_source_gives_a_pass_later_arrives(trial: Trial, tmp_path: Path) -> None:
    wanted = undisturbed(trial, tmp_path)
    trial.mailbox.poison[ids(trial)[1]] = FAILS
    rejected = trial.run()
    assert rejected.state is LegState.VERIFIED
    codes = [item.code for *_, item in trial.ledger.rejected()]
    assert codes.count("poison-item") == 1
    trial.mailbox.poison.clear()
    trial.run()
    assert (trial.states(), trial.store.snapshot()) == wanted


def test_a_source_that_fails_at_everything_is_waited_for(trial: Trial, tmp_path: Path) -> None:
    """Some arrived before; then only small looks are answered, until the source recovers."""
    trial.run()
    folder = next(one.id for one in trial.mailbox.folders.values() if one.role in {Role.INBOX, Role.CALENDAR})
    later = trial.copy(tmp_path / "later")
    made = [letter(number) for number in range(300, 303)]
    if later.kind.value == "mail":
        added = [later.mailbox.deliver(folder, raw, Marks(received=TODAY)) for raw in made]
    else:
        added = []
    later.mailbox.poison.update(dict.fromkeys(ids(later), FAILS))
    result = later.run(Recovers(later, 12))
    assert result.state is LegState.VERIFIED
    assert not later.states()[State.REJECTED] - trial.states()[State.REJECTED]
    assert later.states()[State.VERIFIED] == trial.states()[State.VERIFIED] + len(added)


def test_a_source_that_stays_away_rejects_nothing(tmp_path: Path) -> None:
    trial = of_mail(tmp_path)
    trial.run()
    inbox = next(one.id for one in trial.mailbox.folders.values() if one.role is Role.INBOX)
    trial.mailbox.deliver(inbox, letter(300), Marks(received=TODAY))
    trial.mailbox.poison.update(dict.fromkeys(ids(trial), FAILS))
    result = trial.run()
    assert (result.state, result.code) == (LegState.WAITING, "server-error")
    assert trial.states()[State.SEEN] == 1
    assert not trial.states()[State.REJECTED]


def test_an_item_at_which_the_source_always_fails_is_asked_for_a_few_times(tmp_path: Path) -> None:
    trial = of_mail(tmp_path)
    trial.mailbox.poison[ids(trial)[1]] = FAILS
    trial.run()
    asked = Recovers(trial, 0)
    result = trial.run(asked)
    assert result.state is LegState.VERIFIED
    assert trial.states()[State.REJECTED] == 1
    assert asked.asked == 3, "the item twice, and another to see how the source is"


def test_others_that_are_gone_show_that_the_source_answers(tmp_path: Path) -> None:
    trial = of_mail(tmp_path)
    trial.run()
    inbox = next(one.id for one in trial.mailbox.folders.values() if one.role is Role.INBOX)
    late = trial.mailbox.deliver(inbox, letter(300), Marks(received=TODAY))
    trial.mailbox.poison.update({**dict.fromkeys(ids(trial), Rejected("vanished")), late: FAILS})
    trial.run()
    assert trial.states()[State.REJECTED] == 1


def test_late_mail_of_a_live_mailbox_arrives_a_pass_later(tmp_path: Path) -> None:
    trial = of_mail(tmp_path)
    trial.run()
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    inbox = next(one.id for one in trial.mailbox.folders.values() if one.role is Role.INBOX)
    late = trial.mailbox.deliver(inbox, letter(300), Marks(received=TODAY))
    trial.mailbox.poison[late] = FAILS
    trial.run()
    assert trial.states()[State.REJECTED] == 1
    trial.mailbox.poison.clear()
    trial.run()
    assert not trial.states()[State.REJECTED]


def test_a_changed_event_that_could_not_be_read_is_changed_a_pass_later(tmp_path: Path) -> None:
    trial = of_events(tmp_path)
    trial.run()
    changed = ids(trial)[0]
    raw = next(f.messages[changed].raw for f in trial.mailbox.folders.values() if changed in f.messages)
    trial.mailbox.edit(changed, raw.replace(b"Termin", b"Treffen"))
    trial.mailbox.poison[changed] = FAILS
    trial.run()
    trial.mailbox.poison.clear()
    before = trial.store.snapshot()
    assert trial.run().tally.replaced == 1
    assert trial.store.snapshot() != before
