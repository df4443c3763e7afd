"""An auditor's desk: packs in a folder, the operator's public key, and the verifier."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from packs import ANNA, KEYS, Pack, Sealed, Section, Thing, public_line, section, two_mailboxes, two_passes

from evidence import verifier
from evidence.message_proof import Proven
from ledger.inventory.merkle import proof_of

KEY = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\2" * 32)
FILES = (
    "bagit.txt",
    "bag-info.txt",
    "manifest-sha256.txt",
    "tagmanifest-sha256.txt",
    "wave.dsse.json",
    "data/roots.jsonl",
    f"data/inventory/{ANNA}.jsonl.gz",
    f"data/results/{ANNA}.jsonl.gz",
)
"""Of a pack with Anna's mailbox alone."""


@dataclass(frozen=True)
class Verdict:
    code: int
    text: str


class Desk:
    def __init__(self, place: Path) -> None:
        self.packs = place / "packs"
        self.packs.mkdir()
        self.key = place / "operator.pub"
        self.key.write_text(public_line(KEY) + "\n")

    def seal(self, pack: Pack | None = None, name: str = "", key: Ed25519PrivateKey = KEY) -> Sealed:
        pack = Pack(two_mailboxes()) if pack is None else pack
        return pack.write(self.packs / (name or f"wave-{pack.number}"), key)

    def seal_small(self) -> Sealed:
        things = [Thing("a", message_id="<a@old.example>"), Thing("b", verdict="failed", rule="too-large")]
        return self.seal(Pack({ANNA: [section(KEYS[ANNA], things)]}))

    def seal_chain(self, count: int) -> list[Sealed]:
        """Waves of a single small mailbox each, one after the other."""
        pack, sealed = one_small("wave 1"), list[Sealed]()
        for number in range(1, count + 1):
            sealed.append(self.seal(pack))
            boxes = {ANNA: two_passes(KEYS[ANNA], number)}
            pack = pack.follow(sealed[-1], wave=f"wave {number + 1}", boxes=boxes)
        return sealed

    def audit(self, *places: Path, **options: object) -> Verdict:
        """The verdict on the packs there, or on all of the desk. options: without their dashes."""
        arguments = [str(place) for place in places or (self.packs,)]
        for name, value in {"pubkey": self.key, **options}.items():
            for one in value if isinstance(value, list) else [value]:
                arguments += [f"--{name.replace('_', '-')}", *([] if one is True else [str(one)])]
        return self.audit_with(arguments)

    def audit_with(self, arguments: Sequence[str]) -> Verdict:
        """The verdict with these arguments and no other."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = verifier.main([*arguments])
        return Verdict(code, out.getvalue() + err.getvalue())

    def copy(self, sealed: Sealed, name: str) -> Path:
        place = self.packs.parent / name
        shutil.copytree(sealed.path, place)
        return place


def one_small(wave: str = "pilot") -> Pack:
    return Pack({ANNA: two_passes(KEYS[ANNA])}, wave=wave)


def rewritten(pack: Pack, change: Callable[[dict[str, list[Section]]], None]) -> Pack:
    """The same with other sections: its operator signs whatever it is."""
    boxes = {name: list(sections) for name, sections in pack.boxes.items()}
    change(boxes)
    return replace(pack, boxes=boxes)


def with_line(
    section: Section, file: str, number: int, change: Callable[[bytes], Sequence[bytes]]
) -> Section:
    """file: listed or results; number: of the line, 0 is the header. Results answer what is listed then."""
    lines = list(getattr(section, file))
    lines[number : number + 1] = change(lines[number])
    found = replace(section, **{file: tuple(lines)})
    return answering(found) if file == "listed" else found


def answering(section: Section, **other: Any) -> Section:
    """With a results header that names the inventory as it is."""
    header = {**json.loads(section.results[0]), "inventory": section.root, "n": len(section.listed) - 1}
    head = compacted({**header, **other})
    return replace(section, results=(head, *section.results[1:]))


def edited(line: bytes, **fields: object) -> bytes:
    """A line with other values, as compact as it was."""
    return compacted({**json.loads(line), **fields})


def compacted(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def files_of(pack: Pack) -> dict[str, bytes]:
    """What a pack's payload is before anybody changes it."""
    rows = [one.row(mailbox) for mailbox, sections in pack.boxes.items() for one in sections]
    files = {"data/roots.jsonl": b"".join(row + b"\n" for row in rows)}
    for mailbox, sections in pack.boxes.items():
        for name, attribute in (("inventory", "listed"), ("results", "results")):
            lines = [line + b"\n" for one in sections for line in getattr(one, attribute)]
            files[f"data/{name}/{mailbox}.jsonl.gz"] = gzip.compress(b"".join(lines))
    return files


def predicate_of(pack: Pack) -> dict[str, object]:
    return pack.predicate([one.row(name) for name, sections in pack.boxes.items() for one in sections])


def proof_in(sealed: Sealed, one: Section, row: bytes) -> bytes:
    """A proof of the first line of a section, which is the only one of its pack. row: its line of roots."""
    parts = {
        "inventory": Proven(one.listed[1], proof_of(one.listed, 1)),
        "results": Proven(one.results[1], proof_of(one.results, 1)),
        "section": Proven(row, proof_of([row], 0)),
    }
    items = [{name: part.document() for name, part in parts.items()}]
    statement = (sealed.path / "wave.dsse.json").read_text()
    return compacted({"kind": "urn:kogge:evidence:proof:v1", "statement": statement, "items": items})
