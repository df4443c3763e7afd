"""The gate where several people have one alias: it proves nobody, also where the row itself names it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.settings import Account
from engine.identity.identity_gate import GateRules, Pair, prove_identity
from engine.planning.mailbox_list import Directory
from model.errors import Blocked
from model.protocols import Identity

INFO_OLD, INFO_NEW = "info@old.example", "info@new.example"


@dataclass(frozen=True)
class System:
    """States who owns an account, honestly."""

    addresses: frozenset[str]
    primary: str = ""

    def identity(self) -> Identity:
        return Identity("memory", "7", self.addresses, primary=self.primary)

    def containers(self) -> tuple[()]:
        return ()


def old(number: int) -> str:
    return f"p{number}@old.example"


def new(number: int) -> str:
    return f"p{number}@new.example"


def proven(pair: Pair, source: System, target: System, directory: Directory) -> bool:
    """Whether the gate takes both for one person's without asking anybody."""
    try:
        found = prove_identity(pair, source, target, GateRules(directory))  # type: ignore[arg-type]
    except Blocked:
        return False
    return found.level != "asserted"


def account(address: str, login: str = "") -> Account:
    return Account(login=login or address, address=address)


@pytest.mark.parametrize("told", [True, False])
def test_an_alias_that_moved_to_somebody_else(told: bool) -> None:
    """The row names the alias; one person has it at the old server, another one at the new."""
    pair = Pair(account(INFO_OLD, "u0"), account(new(1)))
    source = System(frozenset({old(0), INFO_OLD}), old(0) if told else "")
    target = System(frozenset({new(1), INFO_OLD}), new(1) if told else "")
    assert not proven(pair, source, target, Directory())


def test_a_login_that_is_an_alias() -> None:
    """Exchange opens a mailbox under each of its addresses."""
    pair = Pair(account(INFO_OLD), account(new(1)))
    source = System(frozenset({old(0), INFO_OLD}), old(0))
    target = System(frozenset({new(1), INFO_OLD}), new(1))
    assert not proven(pair, source, target, Directory())
    mine = Directory({INFO_OLD: frozenset({1}), old(1): frozenset({1})}, {new(1): frozenset({1})})
    assert not proven(pair, source, target, mine)


def test_a_mailbox_that_is_called_so_is_that_mailbox() -> None:
    """A shared mailbox has the address as its main one; its person at the new server has it as an alias."""
    pair = Pair(account(INFO_OLD), account(new(1)))
    target = System(frozenset({new(1), INFO_OLD}), new(1))
    assert proven(pair, System(frozenset({INFO_OLD}), INFO_OLD), target, Directory())
    assert proven(pair, System(frozenset({INFO_OLD})), target, Directory())


def test_whom_the_directory_gives_all_aliases() -> None:
    """A row that names somebody by an alias stays proven where the directory knows the main address, too."""
    pair = Pair(account("a.mueller@old.example", "u1"), account(new(1)))
    source = System(frozenset({"a.mueller@old.example", old(1)}), old(1))
    names = {"a.mueller@old.example": frozenset({1}), old(1): frozenset({1})}
    directory = Directory(names, {new(1): frozenset({1})})
    assert proven(pair, source, System(frozenset({new(1)}), new(1)), directory)


PEOPLE = st.integers(0, 2)
ALIASES = st.frozensets(st.sampled_from([INFO_OLD, INFO_NEW]))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Pair, System, System, Directory]:
    """Two accounts of different people, whatever the row says; the servers and the directory are honest."""
    giver = draw(PEOPLE)
    taker = draw(PEOPLE.filter(lambda one: one != giver))
    sides = []
    for number, own in ((giver, old(giver)), (taker, new(taker))):
        further = draw(st.frozensets(st.sampled_from([old(number), new(number)])))
        stated = frozenset({own}) | further | draw(ALIASES)
        sides.append(System(stated, own if draw(st.booleans()) else ""))
    named = [
        draw(st.sampled_from([old(giver), INFO_OLD, INFO_NEW, old(taker)])),
        draw(st.sampled_from([new(taker), INFO_OLD, INFO_NEW, new(giver)])),
    ]
    logins = [
        draw(st.sampled_from([f"u{giver}", old(giver)])),
        draw(st.sampled_from([f"u{taker}", new(taker)])),
    ]
    known = draw(st.frozensets(PEOPLE))
    sources = {name: frozenset({n}) for n in known for name in (old(n), f"u{n}")}
    targets = {name: frozenset({n}) for n in known for name in (new(n), f"u{n}")}
    for alias in draw(ALIASES):
        having = known & {giver, taker}
        one_of_them = draw(
            st.sampled_from([having, frozenset(sorted(having)[:1]), frozenset(sorted(having)[1:])])
        )
        if one_of_them:
            sources[alias] = targets[alias] = frozenset(one_of_them)
    pair = Pair(account(named[0], logins[0]), account(named[1], logins[1]))
    return pair, sides[0], sides[1], Directory(sources, targets)


@given(worlds())
@example(
    (
        Pair(account(INFO_OLD, "u0"), account(new(1))),
        System(frozenset({old(0), INFO_OLD})),
        System(frozenset({new(1), INFO_OLD})),
        Directory(),
    )
)
def test_two_people_are_never_proven_to_be_one(world: tuple[Pair, System, System, Directory]) -> None:
    pair, source, target, directory = world
    assert not proven(pair, source, target, directory)
