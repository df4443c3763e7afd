"""What a pack holds of one mailbox, for those who have its key.

Nothing of a pack is looked into unless its statement names its SHA-256, by way of the manifest. Whether the
statement is signed, and anchored, is for the verifier to say.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm

from evidence import verifier
from evidence.bag_writer import INVENTORY, MANIFEST, RESULTS, ROOTS, STATEMENT, file_of
from evidence.dsse import payload_in, statement_in
from model.errors import Misconfigured

MALFORMED: tuple[type[Exception], ...] = (
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, MemoryError),
    *(EOFError, zlib.error, UnsupportedAlgorithm),
)
"""What a parser raises of a file that somebody made."""
_AT_ONCE = 4096
_HEADER = 1 << 25
_SECTIONS = 1 << 21


@dataclass(frozen=True, slots=True)
class MailboxKey:
    """Hold a mailbox's key as `kogge audit keys export` writes it."""

    mailbox: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """Hold a line of data/roots.jsonl.

    Attributes:
        index: its place in that file, from 0.
        begin: the place of its header in the mailbox's files.
        n: how many lines follow the header.
        inventory: the root of the tree over its listed lines, in hexadecimal digits.
        results: the root of the tree over its results, in hexadecimal digits.
    """

    line: bytes
    index: int
    begin: int
    section: str
    number: int
    n: int
    inventory: str
    results: str


class MailboxPack:
    """Read what a pack says about one mailbox.

    Making one, and reading from it, raise Misconfigured if the pack is not whole or not what was stated.

    Attributes:
        envelope: wave.dsse.json.
        about: the predicate in it.
        roots: all lines of data/roots.jsonl.
        rows: the mailbox's own lines of them.
    """

    def __init__(self, place: Path, mailbox: str) -> None:
        self.mailbox = mailbox
        self._place = place.resolve()
        refuse_no_pack(place)
        document = payload_in(self._place)
        self.envelope = statement_in(self._place)
        self.about: dict[str, Any] = document["predicate"]
        with readable():
            stated = {one["name"]: one["digest"]["sha256"] for one in document["subject"]}
            with verifier.open_file(self._place / MANIFEST, stated[MANIFEST]) as file:
                self._manifest = verifier.parse_manifest(file.read(), verifier.PAYLOAD_NAME)
            with verifier.open_file(self._place / ROOTS, stated[ROOTS]) as file:
                self.roots = verifier.read_lines(file, _SECTIONS)
            self.rows = tuple(self._rows())
        if not self.rows:
            raise Misconfigured("--keys", f"is of {mailbox}, of which this pack has nothing")

    def _rows(self) -> Iterator[Row]:
        begin = 0
        for index, line in enumerate(self.roots):
            ((mailbox, section, number, n, inventory, results, _),) = verifier.ROOTS_LINE.findall(line)
            if mailbox.decode() == self.mailbox:
                kind, *trees = (text.decode() for text in (section, inventory, results))
                yield Row(line, index, begin, kind, int(number), int(n), *trees)
                begin += int(n) + 1

    def inventory(self, row: Row) -> Iterator[bytes]:
        """Yield the stored lines of a section's inventory, the header first."""
        return self._lines(file_of(INVENTORY, self.mailbox), row)

    def results(self, row: Row) -> Iterator[bytes]:
        """Yield the stored lines of a section's results, the header first."""
        return self._lines(file_of(RESULTS, self.mailbox), row)

    def _lines(self, name: str, row: Row) -> Iterator[bytes]:
        with readable(), verifier.open_file(self._place / name, self._manifest[name]) as file:
            left = row.begin + row.n + 1
            while left:
                lines = verifier.read_lines(file, min(left, _AT_ONCE), _HEADER)
                if not lines:
                    raise EOFError
                skipped = max(0, left - row.n - 1)
                left -= len(lines)
                yield from lines[skipped:]


def refuse_no_pack(place: Path) -> None:
    """Raise Misconfigured if there is no directory, or if it is no pack."""
    if not place.is_dir():
        raise Misconfigured("PACK", f"there is no directory {place}")
    if not os.path.lexists(place / STATEMENT):
        raise Misconfigured("PACK", f"{place} is no pack, for it has no {STATEMENT}: give one like wave-NAME")


def read_key(path: Path) -> MailboxKey:
    """Read a mailbox's key. Raise Misconfigured, without a part of the key in its text."""
    try:
        told = json.loads(path.read_bytes())
        key = bytes.fromhex(told["key"])
        mailbox = told["mailbox"]
    except OSError as error:
        raise Misconfigured("--keys", f"cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Misconfigured("--keys", "is not what `kogge audit keys export` wrote") from None
    if len(key) != 32 or not isinstance(mailbox, str):
        raise Misconfigured("--keys", "is not what `kogge audit keys export` wrote")
    return MailboxKey(mailbox, key)


def signer_in(place: Path) -> str:
    """Return the line of the public key that a pack names as its signer; unchecked. Raise Misconfigured."""
    raw = statement_in(place)
    with readable():
        (signed,) = json.loads(raw.decode())["signatures"]
        return str(signed["keyid"])


@contextmanager
def readable() -> Iterator[None]:
    """Translate what reading a pack's content raises into Misconfigured."""
    try:
        yield
    except verifier.VerificationFailed as error:
        raise Misconfigured("PACK", f"{error.args[0]}; `kogge audit verify` tells all") from None
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise Misconfigured("PACK", f"{missing} is missing; `kogge audit verify` tells all") from None
    except OSError as error:
        raise Misconfigured("PACK", f"a file in it cannot be read ({error.strerror})") from None
    except MALFORMED:
        raise Misconfigured(
            "PACK",
            "is not what was sealed, or not all of it; `kogge audit verify` tells more",
        ) from None
