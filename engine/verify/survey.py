"""Hold what a look at the target asks for, expects and finds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ledger.db.rows import ContainerRow, Finding
from model.protocols import Listed


@dataclass(frozen=True, slots=True)
class Asked:
    """Say which bodies are read.

    Attributes:
        share: the share of bodies to read, from 0 to 1.
        again: True to read again also what an earlier pass read back.
        doubtful: by container, the keys of items that are read in any case.
    """

    share: float
    again: bool
    doubtful: Mapping[int, Collection[bytes]]


@dataclass(frozen=True, slots=True)
class Expected:
    """Hold how a row says that its item looks at the target.

    Attributes:
        container: the id of the container.
        key: the key of the item.
        digest: its digest.
        size: its size in bytes.
        flags: its flags, separated by spaces.
        date: its date, in seconds since 1970; None if it has none.
        verified: True if it was read back before.
        mid: of a mail, ledger.db.rows.ItemRow.mid.
    """

    container: int
    key: bytes
    digest: bytes
    size: int
    flags: str
    date: int | None
    verified: bool
    mid: int | None = None


@dataclass(slots=True)
class Survey:
    """Hold what was found at the target.

    Attributes:
        findings: by container.
        read: the keys whose bodies were read back and agree, by container.
        receiving: the hrefs of folders into which somebody moved an item of another folder. The finding is
            with that other one.
        empty: the hrefs of folders that the target has just opened and found empty.
        lost: the keys of items that the last verification found lost with a restore of the target.
    """

    findings: dict[int, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    read: dict[int, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    receiving: set[str] = field(default_factory=set)
    empty: frozenset[str] = frozenset()
    lost: set[bytes | None] = field(default_factory=set)


@dataclass(slots=True)
class Leftover:
    """Hold a folder's rows that were not where the ledger says, and its items that belong to no row.

    Attributes:
        href: the folder.
        containers: the containers that share it.
        absent: the rows that were not found, by href.
        strangers: the items that belong to no row.
        position: the position above all that was listed, see ledger.db.rows.ContainerRow.surveyed; None if
            the folder is missing.
        rejected: the containers and keys of rejected rows whose older copies were not listed, by href.
    """

    href: str
    containers: list[ContainerRow]
    absent: dict[str, Expected]
    strangers: list[Listed]
    position: str | None = ""
    rejected: dict[str, tuple[int, bytes]] = field(default_factory=dict)
