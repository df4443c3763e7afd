"""Did my message arrive? The line of a Message-ID in a pack, and a proof of it that stands alone.

A proof holds two stored lines (what was listed, what became of it), their ways up to the wave's root, and the
signed statement. It says of a line that it was sealed. Only the mailbox's key shows whose message that is.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from evidence import verifier
from evidence.pack_reader import MALFORMED, MailboxKey, MailboxPack, Row, readable
from ledger.inventory.lines import CONVERTED, LATER, MATCH, MESSAGE, NORMALISED, message_number, pseudonym
from ledger.inventory.merkle import InclusionProof, proof_of
from mappings.fields.message_id import plain
from model.errors import Misconfigured
from model.kinds import Kind

KIND = verifier.PROOF
ARRIVED = frozenset({MATCH, NORMALISED, CONVERTED})


@dataclass(frozen=True, slots=True)
class Proven:
    """Hold a stored line and its way up to a root."""

    line: bytes
    proof: InclusionProof

    def place(self) -> verifier.ProvenLine:
        """Return the line in the verifier's own type."""
        return verifier.ProvenLine(self.line, self.proof.index, self.proof.size, self.proof.path)

    def document(self) -> dict[str, object]:
        """Return the line and its way for the proof's JSON."""
        path = [step.hex() for step in self.proof.path]
        return {
            "line": self.line.decode(),
            "index": self.proof.index,
            "size": self.proof.size,
            "path": path,
        }


@dataclass(frozen=True, slots=True)
class ProofItem:
    """Hold what proves one item.

    Attributes:
        listed: its line of the inventory.
        result: its line of the results.
        section: the line of data/roots.jsonl.
    """

    listed: Proven
    result: Proven
    section: Proven

    @property
    def fate(self) -> Mapping[str, Any]:
        """Return the line of the results."""
        found: dict[str, Any] = json.loads(self.result.line)
        return found

    @property
    def place(self) -> Mapping[str, Any]:
        """Return the line of data/roots.jsonl."""
        found: dict[str, Any] = json.loads(self.section.line)
        return found

    @property
    def arrived(self) -> bool:
        """Return True if the item is at the target."""
        return self.fate["verdict"] in ARRIVED


@dataclass(frozen=True, slots=True)
class MailboxMails:
    """Hold the items of a mailbox that have one Message-ID.

    Attributes:
        envelope: wave.dsse.json.
        mails: how many mails of the mailbox the pack names, each once.
        nameless: how many of them have no Message-ID.
    """

    envelope: bytes
    items: tuple[ProofItem, ...]
    mails: int
    nameless: int

    def document(self) -> dict[str, object]:
        """Return the proof as JSON."""
        return {
            "kind": KIND,
            "statement": self.envelope.decode(),
            "items": [
                {
                    "inventory": item.listed.document(),
                    "results": item.result.document(),
                    "section": item.section.document(),
                }
                for item in self.items
            ],
        }


def find(place: Path, message_id: str, key: MailboxKey) -> MailboxMails:
    """Find all items with this Message-ID.

    Raises:
        Misconfigured: the pack is not whole, or one of the items is not what was stated.
    """
    names = [f'"mid":"{name}"}}'.encode() for name in _names(message_id, key)]
    pack = MailboxPack(place, key.mailbox)
    items: list[ProofItem] = []
    mails = nameless = 0
    for row in pack.rows:
        if row.section != Kind.MAIL.value:
            continue
        found: list[int] = []
        for index, line in enumerate(pack.results(row)):
            if index == 0 or f'"verdict":"{LATER}"'.encode() in line:
                continue
            mails += 1
            nameless += line.endswith(b'"mid":null}')
            if line.endswith(tuple(names)):
                found.append(index)
        items += (_item(pack, row, index) for index in found)
    with readable():
        for item in items:
            lines = [one.place() for one in (item.listed, item.result, item.section)]
            verifier.check_item(lines, pack.about)
    return MailboxMails(pack.envelope, tuple(items), mails, nameless)


def _names(message_id: str, key: MailboxKey) -> list[str]:
    bare = plain(message_id)
    if bare is None:
        raise Misconfigured("--message-id", "is empty; give what the message has in its header")
    forms = [bare] if bare.startswith("<") else [bare, f"<{bare}>"]
    return [pseudonym(key.key, MESSAGE, message_number(form)) for form in forms]


def _item(pack: MailboxPack, row: Row, index: int) -> ProofItem:
    return ProofItem(
        _proven(pack.inventory(row), index),
        _proven(pack.results(row), index),
        _proven(pack.roots, row.index),
    )


def _proven(lines: Iterable[bytes], index: int) -> Proven:
    kept = b""

    def watched() -> Iterable[bytes]:
        nonlocal kept
        for number, line in enumerate(lines):
            if number == index:
                kept = line
            yield line

    proof = proof_of(watched(), index)
    return Proven(kept, proof)


class Standing(StrEnum):
    """Name what a proof is worth."""

    ANCHORED = "anchored"
    UNANCHORED = "unanchored"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Checked:
    """Hold a proof as it was read, and what it is worth.

    Attributes:
        why: why it is broken, or "".
        about: the predicate of the statement.
        statement: the hash of the statement.
    """

    standing: Standing
    why: str = ""
    items: tuple[ProofItem, ...] = ()
    about: Mapping[str, Any] | None = None
    statement: str = ""


def check(document: bytes, keys: Sequence[object], roots: Collection[str] = ()) -> Checked:
    """Judge a proof, whatever is in it.

    Args:
        document: the proof's bytes.
        keys: public keys; one of them has signed.
        roots: roots of waves, or hashes of statements, that are known from elsewhere.

    Raises:
        Misconfigured: the document is no proof at all.
    """
    if not _is_proof(document):
        raise Misconfigured("--check", "is no proof, or a cut one: give what `kogge audit prove --out` wrote")
    try:
        return _checked(document, keys, roots)
    except verifier.VerificationFailed as error:
        return Checked(Standing.BROKEN, str(error.args[0]))
    except MALFORMED:
        return Checked(Standing.BROKEN, "it is not of the form that a proof has")


def _is_proof(document: bytes) -> bool:
    """Return True if the document claims to be a proof of this kind."""
    try:
        told = json.loads(document.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("kind") == KIND


def _checked(document: bytes, keys: Sequence[object], roots: Collection[str]) -> Checked:
    about, statement, found = verifier.check_proof(document, list(keys))
    items = tuple(ProofItem(*map(_proven_line, item)) for item in found)
    named = {about["root"], statement} & {root.lower() for root in roots}
    verifier.require(
        named or not roots, "it is of another wave than the one that is given, or of a changed one"
    )
    standing = Standing.ANCHORED if named else Standing.UNANCHORED
    return Checked(standing, items=items, about=about, statement=statement)


def _proven_line(one: verifier.ProvenLine) -> Proven:
    return Proven(one.line, InclusionProof(one.index, one.size, tuple(one.path)))


def is_about(item: ProofItem, message_id: str, key: MailboxKey) -> bool:
    """Return True if a proven line has this Message-ID, in the mailbox of the key."""
    if item.place["mailbox"] != key.mailbox:
        return False
    return any(hmac.compare_digest(name, item.fate["mid"] or "") for name in _names(message_id, key))
