"""Put Kogge's rules into a person's script, and take them out again: pure functions.

The person's own text stays as it is, byte for byte. Two pieces are added: a line of `require` above it, since
Sieve wants those first, and a block below it. A rule in the block carries a digest of its own lines, so that
one which a person changed is recognised.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.sieve.record import Took, digest_of, took_of
from model.sieve_rule import quoted

REQUIRES: Final = re.compile(r"\Arequire \[(?P<names>[^\]\r\n]*)\]; # kogge\r?\n")
END: Final = "# kogge end"
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_RULE = re.compile(r"# kogge rule ([0-9a-f]{32}) ([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Placed:
    """Hold a rule as it stands in the script that acts.

    Attributes:
        href: what names it.
        lines: its lines.
        digest: of the lines as they were written; "" for lines that are new.
    """

    href: str
    lines: tuple[str, ...]
    digest: str = ""

    @property
    def touched(self) -> bool:
        """True if somebody changed it."""
        return bool(self.digest) and self.digest != _digest(self.lines)

    def written(self) -> list[str]:
        """Return its lines, with the one that names it."""
        return [f"# kogge rule {self.href} {self.digest or _digest(self.lines)}", *self.lines]


@dataclass(frozen=True, slots=True)
class Merged:
    """Hold a script in its parts.

    Attributes:
        above: the person's own text above the rules.
        took: what the rules took over from; None where there are none.
        rules: the rules, in their order.
        requires: what the line at the head names.
        below: the person's own text below the rules: a web client may have moved them.
        end: how lines of the rules end; "" if there are none yet.
    """

    above: str
    took: Took | None = None
    rules: tuple[Placed, ...] = ()
    requires: frozenset[str] = frozenset()
    below: str = ""
    end: str = ""

    @property
    def own(self) -> str:
        """The person's own text."""
        return self.above + self.below

    def script(self) -> str:
        """Return the whole script."""
        if self.took is None:
            return self.own
        end = self.end or ("\n" if "\n" in self.above and "\r\n" not in self.above else "\r\n")
        above = self.above if not self.above or self.above.endswith("\n") else self.above + end
        lines = [self.took.line(), *(line for rule in self.rules for line in rule.written()), END]
        return _head(self.requires, end) + above + "".join(f"{line}{end}" for line in lines) + self.below


def taken_apart(script: str) -> Merged:
    """Return the parts of a script; one without Kogge's rules is the person's own.

    Raises:
        ValueError: the marks of Kogge's block do not match any more.
    """
    lines = _LINE.findall(script)
    begins = [(at, took) for at, line in enumerate(lines) if (took := took_of(_bare(line)))]
    ends = [at for at, line in enumerate(lines) if _bare(line) == END]
    if not begins and not ends:
        return Merged(script)
    if len(begins) != 1 or len(ends) != 1 or begins[0][0] > ends[0]:
        raise ValueError("the marks of the rules do not match")
    begin, took = begins[0]
    above, below = "".join(lines[:begin]), "".join(lines[ends[0] + 1 :])
    requires: frozenset[str] = frozenset()
    end = "\r\n" if lines[begin].endswith("\r\n") else "\n"
    if found := REQUIRES.match(above):
        names = frozenset(re.findall(r'"([^"\\]*)"', found["names"]))
        if found[0] == _head(names, end):
            above, requires = above[found.end() :], names
    if not below:
        above = _as_it_was(above, took.digest)
    rules = tuple(_rules(map(_bare, lines[begin + 1 : ends[0]])))
    merged = Merged(above, took, rules, requires, below, end)
    if merged.script() != (script if script.endswith("\n") or below else script + end):
        raise ValueError("somebody wrote it otherwise")
    return merged


def _head(requires: frozenset[str], end: str) -> str:
    """Return the line at the head of a script."""
    return f"require [{', '.join(map(quoted, sorted(requires)))}]; # kogge{end}" if requires else ""


def _as_it_was(text: str, digest: str) -> str:
    """Return the text without the line end that was added to its last line, where one was."""
    for end in ("\r\n", "\n"):
        shorter = text.removesuffix(end)
        if shorter != text and digest_of(shorter.encode()) == digest:
            return shorter
    return text


def _rules(lines: Iterable[str]) -> Iterable[Placed]:
    current: list[str] | None = None
    name = digest = ""
    for line in lines:
        found = _RULE.fullmatch(line)
        if found is None:
            if current is None:
                raise ValueError("a line before the first rule")
            current.append(line)
            continue
        if current is not None:
            yield Placed(name, tuple(current), digest)
        name, digest, current = found[1], found[2], []
    if current is not None:
        yield Placed(name, tuple(current), digest)


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


def _digest(lines: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()
