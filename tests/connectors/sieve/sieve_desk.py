"""Rules to write, as items."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import BinaryIO

from connectors.sieve.target import SieveTarget
from model.kinds import Kind
from model.protocols import Failed, Item, Stored, key_of
from model.sieve_rule import SieveRule

OpenTarget = Callable[..., SieveTarget]
PERSONS = (
    b'# my own rules\r\nrequire ["fileinto"];\r\n'
    b'if header :contains "Subject" "mine" { fileinto "Archive"; }\r\n'
)
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
