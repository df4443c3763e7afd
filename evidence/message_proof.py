"""Did my message arrive? The line of a Message-ID in a pack, and a proof of it that stands alone.

A proof holds two stored lines (what was listed, what became of it), their ways up to the wave's root, and the
signed statement. It says of a line that it was sealed. Whose message that is, only the mailbox's key tells.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence import verifier
from evidence.pack_reader import MALFORMED, MailboxKey, MailboxPack, Row, readable
from ledger.inventory.lines import CONVERTED, LATER, MATCH, MESSAGE, NORMALISED, message_number, pseudonym
from ledger.inventory.merkle import InclusionProof, is_included, proof_of
from mappings.fields.message_id import plain
from model.errors import Misconfigured
from model.protocols import Kind

KIND = "urn:kogge:evidence:proof:v1"
ARRIVED = frozenset({MATCH, NORMALISED, CONVERTED})
_COUNTS = re.compile(rb'\{(?:"[a-z]+":[1-9][0-9]{0,17}(?:,"[a-z]+":[1-9][0-9]{0,17})*)?\}')


@dataclass(frozen=True, slots=True)
class Proven:
    """A stored line, and its way up to a root."""

    line: bytes
    proof: InclusionProof

    def holds(self, root: bytes) -> bool:
        return is_included(self.line, self.proof, root)

    def document(self) -> dict[str, object]:
        path = [step.hex() for step in self.proof.path]
        return {
            "line": self.line.decode(),
            "index": self.proof.index,
            "size": self.proof.size,
            "path": path,
        }


@dataclass(frozen=True, slots=True)
class ProofItem:
    """One item: listed and result are lines of its section, section a line of data/roots.jsonl."""

    listed: Proven
    result: Proven
    section: Proven

    @property
    def fate(self) -> Mapping[str, Any]:
        """The line of results."""
        found: dict[str, Any] = json.loads(self.result.line)
        return found

    @property
    def place(self) -> Mapping[str, Any]:
        """The line of data/roots.jsonl."""
        found: dict[str, Any] = json.loads(self.section.line)
        return found

    @property
    def arrived(self) -> bool:
        return self.fate["verdict"] in ARRIVED


@dataclass(frozen=True, slots=True)
class MailboxMails:
    """envelope: wave.dsse.json. mails: of the mailbox, each once. nameless: those without a Message-ID."""

    envelope: bytes
    items: tuple[ProofItem, ...]
    mails: int
    nameless: int

    def document(self) -> dict[str, object]:
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
    """All items with this Message-ID. Raises Misconfigured, also where one of them is not what was stated."""
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
            _refuse_broken(item, pack.about)
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
    """What a proof is worth."""

    ANCHORED = "anchored"
    UNANCHORED = "unanchored"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Checked:
    """A proof as it was read. why: it is broken. whole: the anchor is one of all that is stated. about: the
    statement's predicate."""

    standing: Standing
    why: str = ""
    items: tuple[ProofItem, ...] = ()
    about: Mapping[str, Any] | None = None
    statement: str = ""


def check(document: bytes, keys: Sequence[object], roots: Collection[str] = ()) -> Checked:
    """Says what a proof is worth, whatever is in it. keys: public ones, one of which has signed. roots: known
    from elsewhere, of waves, or hashes of statements. Raises Misconfigured for what is no proof at all."""
    if not _is_proof(document):
        raise Misconfigured("--check", "is no proof, or a cut one: give what `kogge audit prove --out` wrote")
    try:
        return _checked(document, keys, roots)
    except verifier.VerificationFailed as error:
        return Checked(Standing.BROKEN, str(error.args[0]))
    except MALFORMED:
        return Checked(Standing.BROKEN, "it is not of the form that a proof has")


def _is_proof(document: bytes) -> bool:
    """Whether it says that it is one, of this kind."""
    try:
        told = json.loads(document.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("kind") == KIND


def _checked(document: bytes, keys: Sequence[object], roots: Collection[str]) -> Checked:
    told = json.loads(document.decode(), object_pairs_hook=verifier.unique_keys)
    envelope = told["statement"].encode()
    about, _ = verifier.check_statement(envelope, list(keys))
    items = tuple(_read(item) for item in told["items"])
    verifier.require(items, "it proves nothing")
    for item in items:
        _refuse_broken(item, about)
    statement = sha256(envelope).hexdigest()
    named = {about["root"], statement} & {root.lower() for root in roots}
    verifier.require(
        named or not roots, "it is of another wave than the one that is given, or of a changed one"
    )
    standing = Standing.ANCHORED if named else Standing.UNANCHORED
    return Checked(standing, items=items, about=about, statement=statement)


def _read(told: Mapping[str, Any]) -> ProofItem:
    return ProofItem(*(_read_proven(told[name]) for name in ("inventory", "results", "section")))


def _read_proven(told: Mapping[str, Any]) -> Proven:
    index, size, path = told["index"], told["size"], tuple(bytes.fromhex(step) for step in told["path"])
    verifier.require(type(index) is int and type(size) is int, "a place in it is no number")
    verifier.require("\n" not in told["line"], "a line in it is several")
    verifier.require(all(len(step) == 32 for step in path) and len(path) < 64, "a way in it is none")
    return Proven(told["line"].encode(), InclusionProof(index, size, path))


def _refuse_broken(item: ProofItem, about: Mapping[str, Any]) -> None:
    """about: the statement's predicate. Raises Failed, or one of MALFORMED: its lines can be parsed then."""
    ((_, _, _, n, *roots, counts),) = verifier.ROOTS_LINE.findall(item.section.line)
    verifier.require(_COUNTS.fullmatch(counts), "what its section counts is malformed")
    ((number, _, source),) = verifier.INVENTORY_LINE.findall(item.listed.line)
    ((answered, target, *_),) = verifier.RESULTS_LINE.findall(item.result.line)
    verifier.require((number, source) == (answered, target), "its two lines are of different items")
    for one, root in zip((item.listed, item.result), roots, strict=True):
        verifier.require(
            (one.proof.index, one.proof.size) == (int(number), int(n) + 1), "a line has another place"
        )
        verifier.require(one.holds(bytes.fromhex(root.decode())), "a line is not in its section's tree")
    verifier.require(item.section.proof.size == about["sections"], "the wave has another number of sections")
    verifier.require(
        item.section.holds(bytes.fromhex(about["root"])), "its section is not in the wave's tree"
    )


def is_about(item: ProofItem, message_id: str, key: MailboxKey) -> bool:
    """Whether a proven line is that of this Message-ID, in the mailbox of the key."""
    if item.place["mailbox"] != key.mailbox:
        return False
    return any(hmac.compare_digest(name, item.fate["mid"] or "") for name in _names(message_id, key))
