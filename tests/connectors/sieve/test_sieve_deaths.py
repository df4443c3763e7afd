"""A worker dies or loses its answer at each command that lasts, in longer runs (soak) at every command, and
another one goes on: the account ends the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import count

import pytest
from servers.pigeonhole import Pigeonhole
from sieve_desk import LASTING, PERSONS, Died, Fate, OpenTarget, item, reset, rule, world, written

from connectors.sieve.record import NAME
from connectors.sieve.session import Session
from connectors.sieve.target import SieveTarget
from model.errors import Transient

Before = Callable[[Session, OpenTarget], None]
DIALECTS = ("roundcube", "open-xchange")
ITEMS = (item(rule()), item(rule("Other", 2)), item(rule("Third", 3, active=False)))
REPEATS = 3
"""So many attempts an engine would make at least after a lost connection."""

EACH = pytest.mark.parametrize(
    "verbs", [LASTING, pytest.param((), marks=pytest.mark.soak)], ids=["what-lasts", "every-command"]
)


def empty(session: Session, _opened: OpenTarget) -> None:
    reset(session, {})


def with_own(session: Session, _opened: OpenTarget) -> None:
    reset(session, {"own": PERSONS, "older": b"keep;\r\n"}, "own")


def ready(session: Session, opened: OpenTarget) -> None:
    with_own(session, opened)
    written(opened(), *ITEMS)


def ready_alone(session: Session, opened: OpenTarget) -> None:
    empty(session, opened)
    written(opened(), *ITEMS)


def acting(dialect: str, first: Before) -> Before:
    def prepare(session: Session, opened: OpenTarget) -> None:
        first(session, opened)
        opened(dialect=dialect).take_effect()

    return prepare


def write(target: SieveTarget) -> None:
    written(target, *ITEMS)


def remove(target: SieveTarget) -> None:
    list(target.remove("rules", written(target, *ITEMS)))


STEPS: dict[str, tuple[Before, Callable[[SieveTarget], object], str]] = {
    "write": (with_own, write, "plain"),
    "remove": (with_own, remove, "plain"),
    **{f"take-{name}": (ready, SieveTarget.take_effect, name) for name in DIALECTS},
    "take-alone": (ready_alone, SieveTarget.take_effect, "open-xchange"),
    **{f"back-{name}": (acting(name, ready), SieveTarget.give_back, name) for name in DIALECTS},
    "back-alone": (acting("open-xchange", ready_alone), SieveTarget.give_back, "open-xchange"),
}


@EACH
@pytest.mark.parametrize("step", STEPS)
def test_a_death_after_any_command_changes_nothing_of_the_end(
    step: str, verbs: tuple[str, ...], target: OpenTarget, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, act, dialect = STEPS[step]
    fate = Fate(monkeypatch)
    before(session, target)
    old = world(session)
    act(target(dialect=dialect))
    wanted = world(session)
    for number in count(1):
        before(session, target)
        assert world(session) == old
        fate.comes(number, *verbs, after=True)
        with contextlib.suppress(Died):
            act(target(dialect=dialect))
        if fate.is_over():
            break
        half = world(session)
        assert half.get("own", old.get("own")) in (old.get("own"), wanted.get("own"))
        acts = [name for name, (active, _) in half.items() if active]
        assert acts in ([name for name in old if old[name][0]], [name for name in wanted if wanted[name][0]])
        act(target(dialect=dialect))
        assert world(session) == wanted
    assert number > (1 if verbs else 5)


@EACH
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_lost_connection_changes_nothing_of_the_end(
    step: str,
    after: bool,
    verbs: tuple[str, ...],
    target: OpenTarget,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, act, dialect = STEPS[step]
    fate = Fate(monkeypatch)
    before(session, target)
    act(target(dialect=dialect))
    wanted = world(session)
    for number in count(1):
        before(session, target)
        fate.comes(number, *verbs, after=after, error=Transient("connection-lost"))
        opened = target(dialect=dialect)
        for _ in range(REPEATS):
            try:
                act(opened)
            except Transient:
                continue
            break
        if fate.is_over():
            break
        assert world(session) == wanted
    assert wanted == {} or NAME in wanted or step == "remove"


@pytest.mark.parametrize(("verb", "number"), [("PUTSCRIPT", 1), ("PUTSCRIPT", 2), ("SETACTIVE", 2)])
def test_a_change_whose_answer_was_lost_is_looked_for(
    verb: str, number: int, target: OpenTarget, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = target()
    fate = Fate(monkeypatch)
    fate.comes(number, verb, after=True, error=Transient("connection-lost"))
    written(opened, *ITEMS)
    opened.take_effect()
    assert not fate.is_over()
    assert [name for name, (active, _) in world(session).items() if active] == ["rules"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_script_that_is_not_listed_survives_a_lost_connection(
    number: int,
    after: bool,
    target: OpenTarget,
    session: Session,
    pigeonhole: Pigeonhole,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = target()
    written(opened, *ITEMS)
    pigeonhole.put_file(pigeonhole.home(session.account.login) / ".dovecot.sieve", PERSONS)
    fate = Fate(monkeypatch)
    fate.comes(number, "SETACTIVE", after=after, error=Transient("connection-lost"))
    for _ in range(REPEATS):
        with contextlib.suppress(Transient):
            opened.take_effect()
    assert not fate.is_over()
    active, text = world(session)["dovecot.orig"]
    assert active
    assert text is not None
    assert PERSONS in text
    assert b"# kogge end" in text
