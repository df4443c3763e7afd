"""A server that names one thing twice, answers what nobody asked, or does not answer: nothing is lost by it,
nothing written twice, and nobody's item taken for another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from calendars import calendar_trial
from memory.doubles import MemoryDav, MemoryShelf, MemoryStore, MemoryTarget
from walking import Failing, Trial, a_mailbox

from ledger.db.rows import LegState, State
from model.errors import Transient
from model.protocols import Failed, Listed, Native

OWN = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:own\r\nDTSTART:20260301T090000Z\r\n"
    b"DTEND:20260301T100000Z\r\nSUMMARY:Eigenes\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
Answers = Iterator[tuple[str, Native | Failed]]
Read = Callable[[str, Iterable[str]], Answers]
Sloppy = Callable[[Read, MemoryDav | MemoryTarget, str, list[str]], Answers]


@pytest.fixture(params=["mail", "calendar"])
def trial(request: pytest.FixtureRequest, quick_path: Path) -> Trial:
    return (
        calendar_trial(quick_path)
        if request.param == "calendar"
        else Trial(quick_path, a_mailbox(6), MemoryStore())
    )


def server(trial: Trial) -> type[MemoryDav | MemoryTarget]:
    return MemoryDav if isinstance(trial.store, MemoryShelf) else MemoryTarget


def stammer(monkeypatch: pytest.MonkeyPatch, trial: Trial) -> None:
    """It lists everything twice."""
    listing = server(trial).listing

    def twice(self: MemoryDav, href: str, since: str | None = None) -> Iterator[Listed]:
        for one in listing(self, href, since):
            yield one
            yield one

    monkeypatch.setattr(server(trial), "listing", twice)


def reads(monkeypatch: pytest.MonkeyPatch, trial: Trial, manner: Sloppy) -> None:
    read = server(trial).read

    def sloppy(self: MemoryDav, href: str, hrefs: Iterable[str]) -> Answers:
        yield from manner(lambda where, names: read(self, where, names), self, href, list(hrefs))

    monkeypatch.setattr(server(trial), "read", sloppy)


def chatter(read: Read, target: MemoryDav | MemoryTarget, href: str, hrefs: list[str]) -> Answers:
    """Everything there is, and twice what was asked for."""
    everything = [one.href for one in target.listing(href)]
    yield from read(href, everything)
    yield from read(href, hrefs)
    yield from read(href, hrefs)


def add_strangers(trial: Trial) -> None:
    """Somebody's own item lies in every container."""
    if isinstance(trial.store, MemoryShelf):
        for href in trial.store.collections:
            trial.store.place(href, "own.ics", OWN)
    else:
        for path in trial.store.folders:
            trial.store.append(path, b"Subject: own\r\n\r\nmine\r\n", frozenset(), None)


def test_a_listing_that_names_everything_twice(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    stammer(monkeypatch, trial)
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    add_strangers(trial)
    containers = {href for href, *_ in trial.store.snapshot()}
    trial.run()
    assert trial.findings() == [("-", "unknown")] * len(containers)


def test_answers_that_nobody_asked_for(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    reads(monkeypatch, trial, chatter)
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()


def test_what_nobody_asked_for_is_not_removed(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write's outcome is unknown, and where it may have landed somebody put an item of theirs."""
    reads(monkeypatch, trial, chatter)
    cut = Failing("target.write done", Transient("connection-cut"))

    def step(name: str) -> None:
        if name == "target.write":
            add_strangers(trial)
        cut(name)

    trial.run(step)
    assert cut.raised
    assert "zombies-removed" not in {event.kind for event in trial.ledger.events("w")}
    assert "target.remove" not in cut.steps


def test_silence_is_no_word(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written before a cut connection is looked for; that it is not answered does not mean that it
    is not there."""
    trial = Trial(quick_path, a_mailbox(6), MemoryStore())
    silences = 2

    def silent(read: Read, target: MemoryDav | MemoryTarget, href: str, hrefs: list[str]) -> Answers:
        nonlocal silences
        silences -= 1
        yield from read(href, hrefs[1:] if silences >= 0 else hrefs)

    reads(monkeypatch, trial, silent)
    result = trial.run(Failing("target.write done", Transient("connection-cut")))
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert silences < 0
    assert all(one.uidnext == 1 + len(one.messages) for one in trial.store.folders.values())
    assert set(trial.states()) == {State.VERIFIED}
