"""What a server said of an item or of a whole workload is kept beside the ledger, and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from memory.doubles import MemoryStore
from walking import Failing, Trial, a_mailbox, letter

from engine.context.leg_context import Opener
from engine.control.server_words_file import FOLDER, FailureLine, Words
from ledger.db.rows import LegState
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.protocols import Failed, Guard, Item, Role, Stored
from model.server_words import ServerWords

SAID = "Letter to Anna Angst is not taken"


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    return Trial(quick_path, a_mailbox(6), MemoryStore(), words=Words(quick_path / "state"))


def lines(trial: Trial) -> list[FailureLine]:
    return trial.words.of(trial.id)


def elsewhere(trial: Trial) -> list[Path]:
    """Which files but those in words/ hold it."""
    trial.ledger.close()
    every = [path for path in trial.directory.rglob("*") if path.is_file() and path.parent.name != FOLDER]
    assert every
    return [path for path in every if b"Anna Angst" in path.read_bytes()]


class Refusing:
    """A target that does not take what is larger than 1,000 bytes."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        taken = []
        for item in items:
            if item.size > 1000:
                yield Failed(item.key, Rejected("refused-by-target").quoting(ServerWords(SAID)))
            else:
                taken.append(item)
        yield from self._target.write(href, taken)


def refusing(opener: Opener) -> Opener:
    def target(guard: Guard, moment: datetime) -> Any:
        return Refusing(opener.target(guard, moment))

    return replace(opener, target=target)


def inbox_of(trial: Trial) -> str:
    return next(folder.id for folder in trial.mailbox.folders.values() if folder.role is Role.INBOX)


def test_of_an_item_that_the_target_refuses(trial: Trial, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    trial.mailbox.deliver(inbox_of(trial), letter(200, "x" * 3000))
    trial.run(through=refusing)
    ((_, _, item),) = trial.ledger.rejected()
    (line,) = lines(trial)
    assert (line.workload, line.code, line.item, line.words) == (
        "mail",
        "refused-by-target",
        item.key.hex(),
        SAID,
    )
    assert elsewhere(trial) == []
    assert "Anna" not in caplog.text


def test_of_an_item_that_the_source_does_not_give(trial: Trial) -> None:
    error = Rejected("corrupt-at-source").quoting(ServerWords(SAID))
    trial.mailbox.poison[trial.mailbox.deliver(inbox_of(trial), letter(203))] = error
    trial.run()
    assert [(line.code, line.words) for line in lines(trial)] == [("corrupt-at-source", SAID)]
    assert elsewhere(trial) == []


@pytest.mark.parametrize(
    ("error", "state"),
    [(Blocked("no-permission"), LegState.BLOCKED), (Transient("server-busy"), LegState.WAITING)],
)
def test_of_a_workload_that_ends(
    trial: Trial, caplog: pytest.LogCaptureFixture, error: MigrationError, state: LegState
) -> None:
    caplog.set_level(logging.DEBUG)
    result = trial.run(Failing("target.write", error.quoting(ServerWords(SAID)), times=99))
    assert (result.state, result.code) == (state, error.code)
    assert [(line.code, line.item, line.words) for line in lines(trial)] == [(error.code, "", SAID)]
    assert "Anna" not in f"{result!r}{caplog.text}"
    assert elsewhere(trial) == []


def test_a_pass_does_not_need_them(trial: Trial) -> None:
    """The directory cannot be made: the pass ends as it would."""
    (trial.directory / "state").write_text("a file in its place")
    trial.mailbox.deliver(inbox_of(trial), letter(200, "x" * 3000))
    result = trial.run(through=refusing)
    assert result.state is LegState.VERIFIED
    assert lines(trial) == []


def test_who_says_nothing_leaves_nothing(trial: Trial) -> None:
    trial.store.max_bytes = 2000
    trial.mailbox.deliver(inbox_of(trial), letter(200, "x" * 3000))
    trial.run()
    assert len(list(trial.ledger.rejected())) == 1
    assert not (trial.directory / "state").exists()
