"""A pack as files: a BagIt bag (RFC 8493), written as a stream, its payload mailbox by mailbox.

    data/inventory/MAILBOX.jsonl.gz   what each pass listed, a header and lines for each section and pass
    data/results/MAILBOX.jsonl.gz     what became of it, line by line
    data/roots.jsonl                  a line for each section and pass, with the roots of both trees
    manifest-sha256.txt               all of these by their SHA-256
    wave.dsse.json                    the signed statement, over the two files above
    wave.tsq, wave.tsr                a request for a time stamp, and its reply: in no manifest

What is not finished is written anew; what is finished is on the disk when its writer returns. The same lines
give the same bytes.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, Self

from ledger.inventory.lines import LATER, SECTIONS, roots_line
from ledger.inventory.merkle import MerkleTree
from model.errors import Corrupt, Misconfigured
from model.kinds import Kind

INVENTORY, RESULTS = "data/inventory", "data/results"
ROOTS = "data/roots.jsonl"
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
STATEMENT, REQUEST, REPLY = "wave.dsse.json", "wave.tsq", "wave.tsr"
DECLARATION, INFO = "bagit.txt", "bag-info.txt"
BUFFER = 65_536
LEVEL = 6
_GZIP = 31  # of zlib: a gzip header without a name, its time 0


class Written(NamedTuple):
    """A finished file of a bag. name: below the bag."""

    name: str
    sha256: str
    size: int


class AnsweredLine(NamedTuple):
    """An inventory's line and the one that answers it; verdict: of the answer."""

    listed: bytes
    result: bytes
    verdict: str


@dataclass(frozen=True, slots=True)
class PackSection:
    """What a pass listed of a workload, and what became of it. n, root: of its closed inventory. listed,
    answered: the headers of both files."""

    kind: Kind
    number: int
    n: int
    root: bytes
    listed: bytes
    answered: bytes
    lines: Iterable[AnsweredLine]
    """Read once, while they are written."""


@dataclass(frozen=True, slots=True)
class WrittenMailbox:
    """What is finished of a mailbox. roots: its lines of data/roots.jsonl."""

    mailbox: str
    files: tuple[Written, ...]
    roots: tuple[str, ...]
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Payload:
    """All of a bag's payload. root: over the lines of data/roots.jsonl. oxum: how much it is, as BagIt says.
    workloads: those that have a section. verdicts: of all lines, LATER ones too."""

    root: bytes
    roots: Written
    manifest: Written
    oxum: str
    mailboxes: int
    sections: int
    workloads: Sequence[str]
    verdicts: Mapping[str, int]

    @property
    def items(self) -> int:
        """Each has one line that is not LATER."""
        return sum(self.verdicts.values()) - self.verdicts.get(LATER, 0)


class LineFile:
    """A gzip file of lines; a context manager. Nothing of it counts before finish."""

    def __init__(self, bag: Path, name: str) -> None:
        self._name = name
        self._file = open_new(bag / name)
        self._zip = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        self._hash = sha256()
        self._size = 0
        self._held: list[bytes] = []
        self._held_bytes = 0

    def add(self, line: bytes) -> None:
        self._held.append(line)
        self._held_bytes += len(line)
        if self._held_bytes >= BUFFER:
            self._flush()

    def _flush(self) -> None:
        self._held.append(b"")
        self._put(self._zip.compress(b"\n".join(self._held)))
        self._held.clear()
        self._held_bytes = 0

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def finish(self) -> Written:
        """On the disk from here on."""
        self._flush()
        self._put(self._zip.flush())
        make_durable(self._file)
        return Written(self._name, self._hash.hexdigest(), self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()


def file_of(folder: str, mailbox: str) -> str:
    return f"{folder}/{mailbox}.jsonl.gz"


def write_mailbox(bag: Path, mailbox: str, sections: Iterable[PackSection]) -> WrittenMailbox:
    """Writes both files of a mailbox, with all its sections in the order given. Raises Misconfigured, and
    Corrupt where lines are not those that an inventory was closed over: then neither file is there."""
    try:
        return _write_files(bag, mailbox, sections)
    except Corrupt:
        # What is in no manifest would be found by a verifier, should the others be sealed.
        for folder in (INVENTORY, RESULTS):
            (bag / file_of(folder, mailbox)).unlink(missing_ok=True)
        raise


def _write_files(bag: Path, mailbox: str, sections: Iterable[PackSection]) -> WrittenMailbox:
    verdicts: Counter[str] = Counter()
    roots = []
    with writable(), ExitStack() as stack:
        listed = stack.enter_context(LineFile(bag, file_of(INVENTORY, mailbox)))
        answered = stack.enter_context(LineFile(bag, file_of(RESULTS, mailbox)))
        for section in sections:
            line, counts = _write_section(mailbox, section, listed, answered)
            roots.append(line.decode())
            verdicts += counts
        return WrittenMailbox(mailbox, (listed.finish(), answered.finish()), tuple(roots), dict(verdicts))


def _write_section(
    mailbox: str, section: PackSection, listed: LineFile, answered: LineFile
) -> tuple[bytes, Counter[str]]:
    inventory, results = MerkleTree(), MerkleTree()
    verdicts = Counter[str]()
    for file, tree, header in ((listed, inventory, section.listed), (answered, results, section.answered)):
        file.add(header)
        tree.add(header)
    for before, after, verdict in section.lines:
        listed.add(before)
        inventory.add(before)
        answered.add(after)
        results.add(after)
        verdicts[verdict] += 1
    if inventory.size != section.n + 1 or inventory.root() != section.root:
        raise Corrupt("evidence-damaged", f"an inventory of {mailbox} is not the one that was closed")
    line = roots_line(
        mailbox, section.kind, section.number, section.n, section.root, results.root(), verdicts
    )
    return line, verdicts


def write_payload(bag: Path, mailboxes: Iterable[WrittenMailbox]) -> Payload:
    """What follows from all mailboxes together: roots and manifest."""
    tree, verdicts = MerkleTree(), Counter[str]()
    files: list[Written] = []
    lines: list[bytes] = []
    for one in mailboxes:
        verdicts.update(one.verdicts)
        files += one.files
        for line in map(str.encode, one.roots):
            tree.add(line)
            lines.append(line + b"\n")
    count = len(files) // 2
    files.append(write_file(bag, ROOTS, b"".join(lines)))
    manifest = write_file(bag, MANIFEST, _manifest(files))
    size = sum(file.size for file in files)
    sums = dict(sorted(verdicts.items()))
    there = {json.loads(line)["section"] for line in lines}
    workloads = [kind.value for kind in SECTIONS if kind.value in there]
    return Payload(
        tree.root(), files[-1], manifest, f"{size}.{len(files)}", count, tree.size, workloads, sums
    )


def finish(bag: Path, payload: Payload, told: Mapping[str, str], statement: bytes, request: bytes) -> None:
    """All that is told about the bag, and about a statement that sign() has yet to write."""
    info = "".join(f"{name}: {text}\n" for name, text in {**told, "Payload-Oxum": payload.oxum}.items())
    tags = [
        write_file(bag, INFO, info.encode()),
        write_file(bag, DECLARATION, b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
        payload.manifest,
        Written(STATEMENT, sha256(statement).hexdigest(), len(statement)),
    ]
    write_file(bag, TAG_MANIFEST, _manifest(tags))
    write_file(bag, REQUEST, request)
    for folder in (INVENTORY, RESULTS, "data"):
        if (bag / folder).is_dir():
            make_folder_durable(bag / folder)


def sign(bag: Path, statement: bytes) -> None:
    """Writes the signed statement, last of all: until then nothing of the bag is worth anything."""
    write_file(bag, STATEMENT, statement)
    make_folder_durable(bag)


def _manifest(files: Iterable[Written]) -> bytes:
    return "".join(f"{file.sha256}  {file.name}\n" for file in sorted(files)).encode()


def is_whole(bag: Path, stated: Mapping[str, str]) -> bool:
    """Whether a finished bag is what was sealed, and nothing else lies below data/: every file is hashed, but
    for the signed statement. stated: the SHA-256 of that one, roots and manifest, by name."""
    try:
        payload, tags = _manifest_in(bag, MANIFEST), _manifest_in(bag, TAG_MANIFEST)
        there = {path.relative_to(bag).as_posix() for path in (bag / "data").rglob("*")}
    except (OSError, ValueError):
        return False
    known = tags | payload
    wanted = {*payload, *(PurePosixPath(name).parent.as_posix() for name in payload)} - {"data"}
    return (
        there == wanted
        and set(tags) == {INFO, DECLARATION, MANIFEST, STATEMENT}
        and all(known.get(name) == digest for name, digest in stated.items())
        and all(is_kept(bag, name, digest) for name, digest in known.items() if name != STATEMENT)
    )


def _manifest_in(bag: Path, name: str) -> dict[str, str]:
    """SHA-256 by name, as _manifest wrote it. Raises OSError, ValueError."""
    lines = (bag / name).read_text(encoding="utf-8").splitlines()
    return {file: digest for digest, file in (line.split("  ", 1) for line in lines)}


def is_kept(bag: Path, name: str, digest: str) -> bool:
    """Whether a file of a bag, behind no link, has this SHA-256."""
    path = bag / name
    try:
        if path.resolve() != bag.resolve() / name or not path.is_file():
            return False
        with path.open("rb") as data:
            return file_digest(data, "sha256").hexdigest() == digest
    except OSError:
        return False


def write_file(bag: Path, name: str, data: bytes) -> Written:
    """A small file, as a whole; on the disk when this returns. Raises Misconfigured."""
    with writable(), open_new(bag / name) as file:
        file.write(data)
        make_durable(file)
    return Written(name, sha256(data).hexdigest(), len(data))


def open_new(path: Path) -> BinaryIO:
    """For writing, in place of what is there; a link is an OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o644), "wb")


def make_durable(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def make_folder_durable(folder: Path) -> None:
    """The names in it, that is."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def writable() -> Iterator[None]:
    """A full disk, or a folder of somebody else, as Misconfigured."""
    try:
        yield
    except OSError as error:
        raise Misconfigured("--out", f"cannot be written ({error.strerror})") from None
