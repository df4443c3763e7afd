"""Packs of evidence after the format's description, made without a line of Kogge's own writer or verifier.

So that both are held against a third: what is read here stands in the description. Every layer can be given
other lines than it should have, and is then hashed, summed up and signed as if they were right.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import re
import time
import unicodedata
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ANNA, BERT = "m-0000000a", "m-0000000b"
KEYS = {ANNA: b"a" * 32, BERT: b"b" * 32}
AT = float(int(time.time())) - 200 + 0.123456
SEALED = datetime.fromtimestamp(AT + 200, UTC)
"""Now: a time stamp is made soon after."""


def h(key: bytes, label: bytes, data: bytes) -> str:
    return hmac.new(key, label + b"\0" + data, hashlib.sha256).hexdigest()[:32]


def folder_name(key: bytes, path: str) -> str:
    return h(key, b"name", unicodedata.normalize("NFC", path).casefold().encode())


def mid(key: bytes, message_id: str) -> str:
    return h(key, b"mid", hashlib.sha256(message_id.encode()).digest()[:8])


def tree(leaves: Sequence[bytes]) -> bytes:
    """As RFC 9162, section 2.1.1, defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + tree(leaves[:half]) + tree(leaves[half:])).digest()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Thing:
    """An item, and what became of it. folder: a path; name: what its pseudonyms are made of."""

    name: str
    folder: str = "/Inbox"
    verdict: str = "match"
    rule: str | None = None
    size: int | None = 8192
    what: str = "new"
    message_id: str | None = None


@dataclass(frozen=True)
class Folder:
    path: str
    total: int | None
    omit: str | None = None
    kind: str = "mail"


@dataclass(frozen=True)
class Section:
    """Stored lines of both files, headers first."""

    kind: str
    number: int
    listed: tuple[bytes, ...]
    results: tuple[bytes, ...]

    @property
    def root(self) -> str:
        return tree(self.listed).hex()

    def row(self, mailbox: str) -> bytes:
        found = [re.search(rb'"verdict":"(\w+)"', line) for line in self.results[1:]]
        verdicts = Counter(match[1].decode() for match in found if match)
        return compact(
            {
                "mailbox": mailbox,
                "section": self.kind,
                "pass": self.number,
                "n": len(self.listed) - 1,
                "inventory": self.root,
                "results": tree(self.results).hex(),
                "verdicts": dict(sorted(verdicts.items())),
            }
        )


def section(
    key: bytes,
    things: Sequence[Thing],
    kind: str = "mail",
    number: int = 1,
    after: str | None = None,
    folders: Sequence[Folder] | None = None,
    earlier: int = 0,
) -> Section:
    if folders is None:
        folders = [Folder(path, None) for path in dict.fromkeys(thing.folder for thing in things)]
    count = Counter(thing.folder for thing in things)
    header = {
        "section": kind,
        "pass": number,
        "at": AT + number,
        "after": after,
        "earlier": earlier,
        "folders": [
            {
                "box": _box(key, kind, folder.path),
                "name": folder_name(key, folder.path),
                "kind": folder.kind,
                "total": folder.total,
                "listed": count[folder.path],
                "omit": folder.omit,
            }
            for folder in folders
        ],
    }
    listed = [compact(header)]
    for number_, thing in enumerate(things, 1):
        box = _box(key, kind, thing.folder)
        listed.append(
            compact(
                {"i": number_, "box": box, "src": _src(key, kind, thing), "n": thing.size, "what": thing.what}
            )
        )
    results = [
        compact(
            {
                "section": kind,
                "pass": number,
                "inventory": tree(listed).hex(),
                "n": len(things),
                "state": "verified",
                "verified": AT + 100,
                "sealed": AT + 200,
            }
        )
    ]
    results += [compact(_result(key, kind, number_, thing)) for number_, thing in enumerate(things, 1)]
    return Section(kind, number, tuple(listed), tuple(results))


def _box(key: bytes, kind: str, path: str) -> str:
    return h(key, b"box", hashlib.sha256(f"{kind}{path}".encode()).digest()[:16])


def _src(key: bytes, kind: str, thing: Thing) -> str:
    return h(key, b"src", hashlib.sha256(f"{kind}{thing.folder}{thing.name}".encode()).digest())


def _result(key: bytes, kind: str, number: int, thing: Thing) -> dict[str, object]:
    written = thing.verdict in ("match", "normalised", "converted")
    digest = h(key, b"h", thing.name.encode()) if written else None
    place = f"1700000000:{number}" if kind == "mail" else h(key, b"dst", thing.name.encode())
    return {
        "i": number,
        "src": _src(key, kind, thing),
        "verdict": thing.verdict,
        "rule": thing.rule,
        "dst": place if written else None,
        "h_src": digest,
        "h_dst": digest,
        "n_dst": 8200 if written else None,
        "mid": mid(key, thing.message_id) if thing.message_id is not None else None,
    }


def two_passes(key: bytes, count: int = 5) -> list[Section]:
    """Mail in two passes and two folders, with every verdict; and a calendar."""
    first = [Thing(f"mail {number}", message_id=f"<{number}@old.example>") for number in range(count)]
    first += [
        Thing("rebuilt", "/Sent", "normalised", "rebuilt", message_id="<r@old.example>"),
        Thing("lossy", "/Sent", "converted", "body:bare-lf,flags:unknown", None),
        Thing("draft", "/Drafts", "later", "pass 2"),
        Thing("large", verdict="failed", rule="too-large", message_id="<large@old.example>"),
        Thing("late", verdict="skipped", rule="late-mail"),
        Thing("gone", verdict="withdrawn"),
    ]
    one = section(key, first)
    second = [Thing("draft", "/Drafts", what="changed"), Thing("new", message_id="<0@old.example>")]
    two = section(key, second, number=2, after=one.root)
    three = section(key, [Thing("meeting", "/Calendar"), Thing("talk", "/Calendar")], kind="calendar")
    return [one, two, three]


def two_mailboxes() -> dict[str, list[Section]]:
    return {ANNA: two_passes(KEYS[ANNA]), BERT: two_passes(KEYS[BERT], 3)}


@dataclass(frozen=True)
class Pack:
    """A pack as it is written. change: of the statement, before it is signed."""

    boxes: Mapping[str, Sequence[Section]]
    wave: str = "pilot"
    number: int = 1
    previous: dict[str, object] | None = None
    corrects: dict[str, object] | None = None
    incomplete: Sequence[dict[str, str]] = ()
    change: Mapping[str, object] = field(default_factory=dict)
    sealed: datetime = SEALED
    form: str = "urn:kogge:evidence:wave:v1"

    def follow(self, sealed: Sealed, **other: Any) -> Pack:
        """The next one in the chain."""
        told = {
            "number": self.number,
            "wave": self.wave,
            "root": sealed.root,
            "statement": sealed.statement,
        }
        return replace(self, number=self.number + 1, previous=told, **other)

    def write(self, place: Path, key: Ed25519PrivateKey) -> Sealed:
        rows = [one.row(mailbox) for mailbox, sections in self.boxes.items() for one in sections]
        files = {"data/roots.jsonl": _lines(rows)}
        for mailbox, sections in self.boxes.items():
            for folder, name in (("inventory", "listed"), ("results", "results")):
                lines = [line for one in sections for line in getattr(one, name)]
                files[f"data/{folder}/{mailbox}.jsonl.gz"] = gzip.compress(_lines(lines), 6, mtime=0)
        return write_files(place, files, self.predicate(rows), key, self.form)

    def predicate(self, rows: Sequence[bytes]) -> dict[str, object]:
        verdicts: Counter[str] = Counter()
        for row in rows:
            verdicts.update(json.loads(row)["verdicts"])
        found: dict[str, object] = {
            "wave": self.wave,
            "number": self.number,
            "sealed": self.sealed.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "tool": {"name": "kogge", "version": "0"},
            "configuration": "0" * 64,
            "mailboxes": len(self.boxes),
            "sections": len(rows),
            "workloads": list(dict.fromkeys(json.loads(row)["section"] for row in rows)),
            "items": verdicts.total() - verdicts["later"],
            "verdicts": dict(sorted((+verdicts).items())),
            "root": tree(rows).hex(),
            "previous": self.previous,
            "corrects": self.corrects,
            "approvals": None,
            "decisions": {"count": 3, "head": "0" * 64},
            "score": None,
            "incomplete": list(self.incomplete),
        }
        return {**found, **self.change}


@dataclass(frozen=True)
class Sealed:
    path: Path
    root: str
    statement: str
    """SHA-256 of wave.dsse.json."""


def _lines(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def write_files(
    place: Path,
    files: Mapping[str, bytes],
    predicate: Mapping[str, Any],
    key: Ed25519PrivateKey,
    form: str = Pack.form,
) -> Sealed:
    """Manifests and the signed statement over a payload, whatever is in it."""
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    manifest = manifest_of(files)
    names = {"data/roots.jsonl": files["data/roots.jsonl"], "manifest-sha256.txt": manifest}
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": sha(data)}} for name, data in names.items()],
        "predicateType": form,
        "predicate": dict(predicate),
    }
    signed = envelope(compact(statement), key)
    write_tags(place, manifest, signed)
    return Sealed(place, str(predicate["root"]), sha(signed))


def write_tags(place: Path, manifest: bytes, signed: bytes) -> None:
    tags = {
        "bag-info.txt": b"Payload-Oxum: 0.0\n",
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "manifest-sha256.txt": manifest,
        "wave.dsse.json": signed,
    }
    for name, data in tags.items():
        (place / name).write_bytes(data)
    (place / "tagmanifest-sha256.txt").write_bytes(manifest_of(tags))


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{sha(data)}  {name}\n" for name, data in sorted(files.items())).encode()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


KIND = "application/vnd.in-toto+json"


def envelope(payload: bytes, key: Ed25519PrivateKey, kind: str = KIND) -> bytes:
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    signature = {"keyid": "", "sig": b64encode(key.sign(encoded)).decode()}
    return compact({"payload": b64encode(payload).decode(), "payloadType": kind, "signatures": [signature]})


def public_line(key: Ed25519PrivateKey) -> str:
    return "ed25519:" + b64encode(key.public_key().public_bytes_raw()).decode()
