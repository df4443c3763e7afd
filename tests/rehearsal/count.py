"""The count at the end of a rehearsal, without Kogge's own eyes: what Dovecot's tool reads from its store,
against what the practice world says that the source holds.

Both are multisets of (folder, SHA-256 of the message), mailbox by mailbox. The ledger is asked for nothing
but the items that it says did not move.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from practice.world.folders import Folder
from practice.world.mailbox import Mailbox
from practice.world.world import World

CHUNK = 100
READERS = 3
HEAD_MOST = 10_000
FIELDS = "mailbox size.physical text"
END = b"\x0c\n"
FOLDERS = {
    "inbox": "INBOX",
    "sentitems": "Sent",
    "drafts": "Drafts",
    "deleteditems": "Trash",
    "junkemail": "Junk",
    "archive": "Archive",
}
"""Where Dovecot has the folders whose role it knows."""

Copy = tuple[str, bytes]
"""Folder and digest."""
Stored = dict[str, list[tuple[str, bytes]]]
"""By address: folder and message."""


@dataclass(slots=True)
class Count:
    """lost: at the source and not at the target, nor told to be left behind. duplicated: more often at the
    target. foreign: at the target and not at the source. bytes: of the copies."""

    mailboxes: int = 0
    items: int = 0
    found: int = 0
    bytes: int = 0
    lost: int = 0
    duplicated: int = 0
    foreign: int = 0
    left_behind: int = 0

    def compare(self, expected: Counter[Copy], found: Counter[Copy], left_behind: int) -> None:
        missing = (expected - found).total()
        more = found - expected
        self.mailboxes += 1
        self.items += expected.total()
        self.found += found.total()
        self.lost += max(0, missing - left_behind)
        self.left_behind += left_behind
        self.duplicated += sum(count for copy, count in more.items() if copy in expected)
        self.foreign += sum(count for copy, count in more.items() if copy not in expected)


def count(
    world: World,
    configuration: Path,
    left_behind: Callable[[Sequence[str]], Mapping[str, int]],
    told: Callable[[int], None],
) -> Count:
    """Of all mailboxes. left_behind: address -> items the ledger says did not move, of these; told: called
    with the number of mailboxes that are done."""
    result = Count()
    addresses = world.addresses()
    chunks = [list(addresses[start : start + CHUNK]) for start in range(0, len(addresses), CHUNK)]
    for some, stored in _ahead(chunks, lambda chunk: held(configuration, chunk)):
        behind = left_behind(some)
        for address in some:
            known = source(world.mailbox(address))
            copies: Counter[Copy] = Counter()
            for folder, text in stored.get(address, ()):
                digest = _digest(text)
                copies[folder, known.rebuilt.get(digest, digest)] += 1
                result.bytes += len(text)
            result.compare(known.copies, copies, behind.get(address, 0))
        told(result.mailboxes)
    return result


def _ahead(
    chunks: Iterable[list[str]], read: Callable[[list[str]], Stored]
) -> Iterator[tuple[list[str], Stored]]:
    """Each chunk with what was read of it, while the next READERS are being read."""
    with ThreadPoolExecutor(READERS) as readers:
        waiting = deque[tuple[list[str], Future[Stored]]]()
        for chunk in chunks:
            waiting.append((chunk, readers.submit(read, chunk)))
            if len(waiting) > READERS:
                done, stored = waiting.popleft()
                yield done, stored.result()
        for done, stored in waiting:
            yield done, stored.result()


@dataclass(frozen=True, slots=True)
class Known:
    """What a mailbox of the source holds. rebuilt: digest of a mail as it may be read as well -> its own."""

    copies: Counter[Copy]
    rebuilt: Mapping[bytes, bytes]


def source(mailbox: Mailbox) -> Known:
    copies: Counter[Copy] = Counter()
    rebuilt: dict[bytes, bytes] = {}
    for item in mailbox.messages():
        digest = _digest(item.mime())
        copies[place(item.folder), digest] += 1
        rebuilt[_digest(item.mime(1))] = digest
    return Known(copies, rebuilt)


def place(folder: Folder) -> str:
    """Where a folder is to be found at the target."""
    if folder.role in FOLDERS:
        return FOLDERS[folder.role]
    above = folder.parent
    top = above is None or above.role == "msgfolderroot"
    return folder.name if top or above is None else f"{place(above)}/{folder.name}"


def held(configuration: Path, addresses: Sequence[str]) -> Stored:
    """address -> (folder, message) of everything in Dovecot's store, by Dovecot's administrators' tool."""
    found: Stored = {}
    for address, folder, message in parsed(_told(configuration, addresses)):
        found.setdefault(address, []).append((folder, message))
    return found


def _told(configuration: Path, addresses: Sequence[str]) -> bytes:
    """Of its formats this one gives messages as they are: JSON breaks off in some (2.4.1), and that with tabs
    puts one into a message every 8,192 bytes."""
    with tempfile.NamedTemporaryFile("w", suffix=".users") as users:
        users.write("".join(f"{address}\n" for address in addresses))
        users.flush()
        command = ["doveadm", "-f", "pager", "-c", str(configuration), "fetch", "-F", users.name]
        done = subprocess.run([*command, FIELDS, "all"], capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"doveadm: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout


def parsed(told: bytes) -> Iterator[tuple[str, str, bytes]]:
    """(user, mailbox, message) of what was told: a line each for the user and the fields, the last of which
    is the message, as long as was said before it; between two messages a form feed."""
    at = 0
    while at < len(told):
        head, found, _ = told[at : at + HEAD_MOST].partition(b"\ntext:\n")
        user, mailbox, size = head.split(b"\n")
        start = at + len(head) + len(found)
        end = start + int(size.removeprefix(b"size.physical: "))
        if not found or end > len(told) or told[end : end + len(END)] not in (END, b""):
            raise RuntimeError("doveadm: a message is not as long as it was said to be")
        yield user.decode(), mailbox.removeprefix(b"mailbox: ").decode(), told[start:end]
        at = end + len(END)


def _digest(message: bytes) -> bytes:
    """The same whatever the line ends: Dovecot's tool shows none of the carriage returns."""
    return hashlib.sha256(message.replace(b"\r\n", b"\n")).digest()
