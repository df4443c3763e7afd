"""A pack as files: a BagIt bag (RFC 8493), written as a stream, its payload mailbox by mailbox.

    data/inventory/MAILBOX.jsonl.gz   what each pass listed, a header and lines for each section and pass
    data/results/MAILBOX.jsonl.gz     what became of it, line by line
    data/roots.jsonl                  a line for each section and pass, with the roots of both trees
    manifest-sha256.txt               all of these by their SHA-256
    wave.dsse.json                    the signed statement, over the two files above
    wave.tsq, wave.tsr                a request for a time stamp, and its reply: in no manifest

What is not finished is written again; what is finished is on the disk when its writer returns. The same lines
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
    """Describe a finished file of a bag; its name is relative to the bag."""

    name: str
    sha256: str
    size: int


class AnsweredLine(NamedTuple):
    """Hold a line of an inventory, the line that answers it, and the verdict of the answer."""

    listed: bytes
    result: bytes
    verdict: str


@dataclass(frozen=True, slots=True)
class PackSection:
    """Hold what one pass listed of a workload, and what became of it.

    Attributes:
        n: how many lines the closed inventory has.
        root: of its hash tree.
        listed: the header in the file of inventories.
        answered: the header in the file of results.
    """

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
    """Describe what is finished of a mailbox; `roots` are its lines of data/roots.jsonl."""

    mailbox: str
    files: tuple[Written, ...]
    roots: tuple[str, ...]
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Payload:
    """Describe the whole payload of a bag.

    Attributes:
        root: of the hash tree over the lines of data/roots.jsonl.
        oxum: bytes and files, as BagIt writes them.
        workloads: those that have a section.
        verdicts: of all lines, with those that are LATER.
    """

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
        """Count the items: each has exactly one line that is not LATER."""
        return sum(self.verdicts.values()) - self.verdicts.get(LATER, 0)


class LineFile:
    """Write a gzip file of lines, as a context manager.

    The file counts only after `finish`. Without it the part that was written is worth nothing.
    """

    def __init__(self, bag: Path, name: str) -> None:
        self._name = name
        self._file = open_new(bag / name)
        self._zip = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        self._hash = sha256()
        self._size = 0
        self._held: list[bytes] = []
        self._held_bytes = 0

    def add(self, line: bytes) -> None:
        """Add a line; it may stay in memory for a while."""
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
        """Put the whole file on the disk and describe it."""
        self._flush()
        self._put(self._zip.flush())
        make_durable(self._file)
        return Written(self._name, self._hash.hexdigest(), self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()


def file_of(folder: str, mailbox: str) -> str:
    """Return the name of a mailbox's file in one of the bag's folders."""
    return f"{folder}/{mailbox}.jsonl.gz"


def write_mailbox(bag: Path, mailbox: str, sections: Iterable[PackSection]) -> WrittenMailbox:
    """Write both files of a mailbox, with all its sections in the order given.

    Raises:
        Misconfigured: the place cannot be written.
        Corrupt: the lines are not those that an inventory was closed over; neither file is left there.
    """
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
    """Write what follows from all mailboxes together: the roots and the manifest."""
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
    """Write the files that describe the bag, and its statement, which `sign` writes later."""
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
    """Write the signed statement. It comes last, because the bag is worth nothing without it."""
    write_file(bag, STATEMENT, statement)
    make_folder_durable(bag)


def _manifest(files: Iterable[Written]) -> bytes:
    return "".join(f"{file.sha256}  {file.name}\n" for file in sorted(files)).encode()


def is_whole(bag: Path, stated: Mapping[str, str]) -> bool:
    """Return True if a finished bag is what was sealed, and nothing else lies below data/.

    Every file but the signed statement is hashed.

    Args:
        bag: the folder of the bag.
        stated: SHA-256 by name, as the statement has them, and of the statement itself.
    """
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
    """Return SHA-256 by name, as `_manifest` wrote it. Raise OSError or ValueError."""
    lines = (bag / name).read_text(encoding="utf-8").splitlines()
    return {file: digest for digest, file in (line.split("  ", 1) for line in lines)}


def is_kept(bag: Path, name: str, digest: str) -> bool:
    """Return True if a file of the bag has this SHA-256, and no link leads to it."""
    path = bag / name
    try:
        if path.resolve() != bag.resolve() / name or not path.is_file():
            return False
        with path.open("rb") as data:
            return file_digest(data, "sha256").hexdigest() == digest
    except OSError:
        return False


def write_file(bag: Path, name: str, data: bytes) -> Written:
    """Write a small file at once, and return when it is on the disk. Raise Misconfigured."""
    with writable(), open_new(bag / name) as file:
        file.write(data)
        make_durable(file)
    return Written(name, sha256(data).hexdigest(), len(data))


def open_new(path: Path) -> BinaryIO:
    """Open a file for writing, in place of an earlier one. Raise OSError for a link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o644), "wb")


def make_durable(file: BinaryIO) -> None:
    """Return when the content of the file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def make_folder_durable(folder: Path) -> None:
    """Return when the names in the folder are on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def writable() -> Iterator[None]:
    """Translate a full disk, or a folder of another account, into Misconfigured."""
    try:
        yield
    except OSError as error:
        raise Misconfigured("--out", f"cannot be written ({error.strerror})") from None
