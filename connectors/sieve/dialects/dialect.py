"""Define what a web client's way of writing rules is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.sieve_rule import SieveRule


@dataclass(frozen=True, slots=True)
class Dialect:
    """Describe how a web client writes rules.

    Attributes:
        script: the name of its script.
        fixed: True if it reads no script of another name; otherwise it reads the active one.
        lines: returns the lines of a rule with its number in the script. Where a server acts by them, they do
            what the rule says, or nothing.
        first: returns the number of a rule that is appended to a script; raises ValueError if nothing can be
            appended to it.
    """

    script: str
    fixed: bool
    lines: Callable[[SieveRule, int], tuple[str, ...]]
    first: Callable[[str], int]


def block(rule: SieveRule) -> tuple[str, ...]:
    """Return the lines of the rule itself, without its name."""
    actions = (line for action in rule.actions for line in f"\t{action}".split("\n"))
    return (f"if {rule.test}", "{", *actions, "}")


def notes(rule: SieveRule) -> tuple[str, ...]:
    """Return the comments that say what the rule lacks."""
    return tuple(f"# note: {note}" for note in rule.notes)


def one(_text: str) -> int:
    """Return 1: the client does not number rules."""
    return 1
