"""Hold one rule in the words of Sieve, and its text, in which a rule travels as an item.

The text is a script that any server takes by itself: lines of comments that say what Sieve has no words for
(name, place, whether it is active, what could not be said), `require`, and the rule. A target's dialect
(connectors/sieve) puts the same parts together as its own web client reads them.

Source:
    RFC 5228 (Sieve), 2.3 (comments), 3.1 (if), 3.2 (require)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

HEAD = "# kogge-rule 1"
_FIELDS = ("# name: ", "# place: ", "# active: ")


@dataclass(frozen=True, slots=True)
class SieveRule:
    """Describe one rule.

    Attributes:
        name: what its owner calls it; one line, printable.
        place: its place among the owner's rules; the lowest is tried first.
        active: False if it must not act: it was switched off, or a part of it cannot be said.
        test: the test in Sieve, in one line; "true" for a rule without conditions.
        actions: the commands in Sieve, each with its semicolon, in their order; in one line, but for strings
            of several lines, of which none begins with a tab.
        extensions: what `require` must name for the test and the actions.
        notes: what could not be said, each in one line, for people who read the script.
    """

    name: str
    place: int
    active: bool
    test: str
    actions: tuple[str, ...]
    extensions: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the rule as a script of its own, with lines that end in LF."""
        lines = [HEAD, f"# name: {self.name}", f"# place: {self.place}"]
        lines += [f"# active: {'yes' if self.active else 'no'}", *(f"# note: {note}" for note in self.notes)]
        if self.extensions:
            lines.append(f"require [{', '.join(quoted(one) for one in sorted(self.extensions))}];")
        lines += [f"if {self.test}", "{", *(f"\t{action}" for action in self.actions), "}"]
        return "\n".join(lines) + "\n"

    def digest(self) -> bytes:
        """Return the SHA-256 of the text: 32 bytes."""
        return hashlib.sha256(self.text().encode()).digest()


def quoted(text: str) -> str:
    """Return a text as a quoted string of Sieve (RFC 5228, 2.4.2)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def rule_of(text: str) -> SieveRule:
    """Read what `SieveRule.text` wrote.

    Raises:
        ValueError: the text is not one that `SieveRule.text` writes.
    """
    lines = text.split("\n")
    if lines[0] != HEAD or lines[-1] != "" or len(lines) < 5:
        raise ValueError("not the text of a rule")
    name, place, active = (_after(*each) for each in zip(lines[1:4], _FIELDS, strict=True))
    rest = lines[4:-1]
    notes = []
    while rest and rest[0].startswith("# note: "):
        notes.append(_after(rest.pop(0), "# note: "))
    extensions = frozenset(_listed(rest.pop(0))) if rest and rest[0].startswith("require [") else frozenset()
    if len(rest) < 3 or rest[1] != "{" or rest[-1] != "}":
        raise ValueError("the rule has no block")
    rule = SieveRule(
        name,
        int(place),
        active == "yes",
        _after(rest[0], "if "),
        tuple(_actions(rest[2:-1])),
        extensions,
        tuple(notes),
    )
    if rule.text() != text:
        raise ValueError("the rule is written otherwise")
    return rule


def _actions(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line.startswith("\t"):
            found.append(line[1:])
        elif found:
            found[-1] += f"\n{line}"
        else:
            raise ValueError("no line begins with a tab")
    return found


def _after(line: str, start: str) -> str:
    if not line.startswith(start):
        raise ValueError(f"no line begins with {start!r}")
    return line[len(start) :]


def _listed(line: str) -> list[str]:
    return [part.strip().strip('"') for part in line.removeprefix("require [").removesuffix("];").split(",")]
