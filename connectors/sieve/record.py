"""Keep the rules that Kogge brings in a script of their own, which never acts.

The script consists of comments only: whoever activates it by mistake makes nothing happen. It holds the text
of each rule as it was written, whether the rule has taken effect, and what was there before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from connectors.sieve.session import Session, whole
from model.errors import Blocked
from model.sieve_rule import SieveRule, rule_of

NAME: Final = "kogge"
HEAD: Final = "# kogge rules 1"
LOOKING: Final = "# kogge looks for a script that is not listed"
WAITING, TAKEN = "waiting", "taken"
LINE_END: Final = "\r\n"
_TOOK = re.compile(r'# kogge took over ([0-9a-f]{32}) from (nothing|"[^\r\n]*") into ("[^\r\n]*")')
_RULE = re.compile(rf"# kogge rule ([0-9a-f]{{32}}) ({WAITING}|{TAKEN})")


def digest_of(text: bytes) -> str:
    """Return what tells a text from any other one."""
    return hashlib.blake2b(text, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Took:
    """Say what the rules took over from.

    Attributes:
        digest: of the person's script, as it was.
        source: its name; None if no script acted.
        into: the script that acts since.
    """

    digest: str
    source: str | None
    into: str

    def line(self) -> str:
        """Return the line that says so."""
        named = "nothing" if self.source is None else _named(self.source)
        return f"# kogge took over {self.digest} from {named} into {_named(self.into)}"


def took_of(line: str) -> Took | None:
    """Return what Took.line wrote; None for any other line."""
    found = _TOOK.fullmatch(line)
    if found is None:
        return None
    return Took(found[1], None if found[2] == "nothing" else _name(found[2]), _name(found[3]))


def _named(name: str) -> str:
    """Return a name in one line, in quotes."""
    return json.dumps(name, ensure_ascii=False)


def _name(named: str) -> str:
    return str(json.loads(named))


@dataclass(frozen=True, slots=True)
class Kept:
    """Hold one rule.

    Attributes:
        href: what names it.
        text: as it was written.
        taken: True once it is a part of the script that acts.
    """

    href: str
    text: str
    taken: bool = False

    @property
    def rule(self) -> SieveRule:
        """The rule."""
        return rule_of(self.text)


@dataclass(frozen=True, slots=True)
class Record:
    """Hold all of them, by their hrefs.

    Attributes:
        rules: the rules.
        took: set once they took effect.
        exists: True if the server has the script.
        looking: True while a script that is not listed may come to light; see take_effect.
    """

    rules: dict[str, Kept] = field(default_factory=dict)
    took: Took | None = None
    exists: bool = False
    looking: bool = False

    def ordered(self) -> list[Kept]:
        """Return the rules in the order in which they are tried."""
        return sorted(self.rules.values(), key=lambda kept: (kept.rule.place, kept.href))

    def with_rules(self, rules: Iterable[Kept]) -> Record:
        """Return a record with these rules in place of its own."""
        return replace(self, rules={kept.href: kept for kept in rules})

    def script(self) -> bytes:
        """Return the script."""
        lines = [HEAD, *([LOOKING] if self.looking else []), *([self.took.line()] if self.took else [])]
        for kept in self.ordered():
            lines.append(f"# kogge rule {kept.href} {TAKEN if kept.taken else WAITING}")
            lines += [f"#|{line}" for line in kept.text.removesuffix("\n").split("\n")]
        return "".join(f"{line}{LINE_END}" for line in lines).encode()


def record_of(script: bytes) -> Record:
    """Read what Record.script wrote.

    Raises:
        ValueError: it is not that.
    """
    lines = script.decode().removesuffix(LINE_END).split(LINE_END)
    if lines.pop(0) != HEAD:
        raise ValueError("not the script of Kogge's rules")
    looking = lines[:1] == [LOOKING]
    if looking:
        lines.pop(0)
    took = took_of(lines[0]) if lines else None
    texts: dict[str, tuple[bool, list[str]]] = {}
    current: list[str] = []
    for line in lines[1 if took else 0 :]:
        if found := _RULE.fullmatch(line):
            current = []
            texts[found[1]] = (found[2] == TAKEN, current)
        else:
            current.append(line.removeprefix("#|"))
    rules = {href: Kept(href, "\n".join([*text, ""]), taken) for href, (taken, text) in texts.items()}
    record = Record(rules, took, exists=True, looking=looking)
    if record.script() != script:
        raise ValueError("somebody changed it")
    return record


def load(session: Session) -> Record:
    """Read the record; an empty one if the server has none.

    Raises:
        Blocked: "script-unreadable": somebody changed it.
    """
    script = session.read(NAME)
    if script is None:
        return Record()
    try:
        return record_of(script)
    except ValueError:
        raise Blocked("script-unreadable", "somebody changed the script of Kogge's rules") from None


def save(session: Session, record: Record) -> None:
    """Keep a record; delete the script of one without rules. Idempotent; see `whole`.

    Raises:
        Blocked: "sieve-quota", "scripts-refused".
    """
    if not record.rules and record.took is None:
        whole(session, lambda: session.delete(NAME), lambda: session.read(NAME) is None)
        return
    store(session, NAME, record.script())


def store(session: Session, name: str, script: bytes) -> None:
    """Keep a script, and read it back. Idempotent; see `whole`.

    Raises:
        Blocked: "sieve-quota", "scripts-refused".
    """
    session.room(name, len(script))
    whole(session, lambda: session.put(name, script), lambda: session.read(name) == script)
