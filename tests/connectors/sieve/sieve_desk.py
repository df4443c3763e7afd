"""Rules to write, as items; the scripts of an account; and workers that die at a command."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any, BinaryIO

import pytest

from connectors.sieve.session import Session
from connectors.sieve.target import SieveTarget
from connectors.sieve.wire import Answer, Wire
from model.kinds import Kind
from model.protocols import Failed, Item, Stored, key_of
from model.sieve_rule import SieveRule

OpenTarget = Callable[..., SieveTarget]
PERSONS = (
    b'# my own rules\r\nrequire ["fileinto"];\r\n'
    b'if header :contains "Subject" "mine" { fileinto "Archive"; }\r\n'
)
LASTING = ("PUTSCRIPT", "SETACTIVE", "DELETESCRIPT")
"""The commands that change an account."""
MAIL = "From: a@old.example\r\nTo: b@new.example\r\nSubject: {}\r\n\r\ntext\r\n"


def rule(name: str = "Bills", place: int = 1, **more: object) -> SieveRule:
    """A rule that files mail by its subject."""
    given: dict[str, object] = {
        "active": True,
        "test": f'header :contains "Subject" "{name}"',
        "actions": ('fileinto "Archive";', "stop;"),
        "extensions": frozenset({"fileinto"}),
    }
    return SieveRule(name, place, **(given | more))  # type: ignore[arg-type]


def meaning(stream: BinaryIO) -> bytes:
    """The digest of a body."""
    return hashlib.blake2b(stream.read(), digest_size=16).digest()


def item(one: SieveRule, source_id: str = "") -> Item:
    """The item of a rule; its key is made of its name, or of source_id."""
    return of_text(one.text(), source_id or one.name)


def of_text(text: str, source_id: str) -> Item:
    """An item with this body."""
    body = text.encode()
    digest = meaning(io.BytesIO(body))
    return Item(Kind.MAIL, key_of(source_id), digest, len(body), lambda: io.BytesIO(body))


def written(target: SieveTarget, *items: Item) -> list[Stored]:
    """Writes items, and has all of them taken."""
    results = list(target.write("rules", items))
    assert not [each for each in results if isinstance(each, Failed)]
    return [each for each in results if isinstance(each, Stored)]


def codes(results: list[Stored | Failed]) -> list[str]:
    """The codes of what failed."""
    return [each.error.code for each in results if isinstance(each, Failed)]


class Died(BaseException):
    """A worker was killed: nothing catches it."""


class Fate:
    """Lets the n-th command of this process fail, before it is sent or after it was answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left, self._after = -1, False
        self._error: BaseException = Died()
        self._verbs: tuple[str, ...] = ()
        self.met = False
        whole = Wire.run

        def run(wire: Wire, *given: Any, **named: Any) -> Answer:
            self._left -= given[0] in self._verbs or not self._verbs
            strikes = self._left == 0 and not self.met
            if strikes and not self._after:
                self._strike(wire)
            answer = whole(wire, *given, **named)
            if strikes:
                self._strike(wire)
            return answer

        monkeypatch.setattr(Wire, "run", run)

    def _strike(self, wire: Wire) -> None:
        wire.broken, self.met = True, True
        raise self._error

    def comes(self, number: int, *verbs: str, after: bool, error: BaseException | None = None) -> None:
        """Strike at this command from now on, once. verbs: count only these commands; none for all."""
        self._verbs = verbs
        self._left, self._after, self.met = number, after, False
        self._error = error or Died()

    def is_over(self) -> bool:
        """Do not strike any more; return True if there was no such command."""
        self._left = -1
        return not self.met


def world(session: Session) -> dict[str, tuple[bool, bytes | None]]:
    """All scripts of an account: whether each acts, and its text."""
    return {each.name: (each.active, session.read(each.name)) for each in session.scripts()}


def reset(session: Session, scripts: dict[str, bytes], active: str = "") -> None:
    """Give an account these scripts and no others."""
    session.activate("")
    for each in session.scripts():
        session.delete(each.name)
    for name, text in scripts.items():
        session.put(name, text)
    session.activate(active)
