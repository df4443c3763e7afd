"""List what needs a person: items that could not move, and differences that a verification found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from kogge.terminal.output import Column, Output
from ledger.db.rows import ContainerRow, ItemRow, MailboxRow
from ledger.views.reports import Differing, Located, Rejection
from model.date_text import date_of
from model.kinds import Kind
from reports.facts import finding_code

NAMED_MOST = 1000
"""How many findings a document names at most; `kogge failures --json` names all."""

DIFFERING: Output[Failure] = Output(
    (
        Column("mailbox", lambda one: one.box.id),
        Column("workload", lambda one: str(one.kind)),
        Column("container", lambda one: one.container and one.container.id),
        Column("item", lambda one: one.key),
        Column("code"),
        Column("detail"),
    )
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Describe an item that failed, or a workload that did not get further.

    Attributes:
        box: the mailbox.
        kind: of the workload.
        code: why it failed.
        detail: what is known with the code.
        container: where the item is; None for a workload.
        item: None for a workload, and for an item that has no row in the ledger.
        key: of the item, in hexadecimal; "" if it has none, None for a workload.
    """

    box: MailboxRow
    kind: Kind
    code: str
    detail: str | None = ""
    container: ContainerRow | None = None
    item: ItemRow | None = None
    key: str | None = None

    @property
    def coded(self) -> str:
        """Return the code, with its detail in brackets if that says more."""
        detail = str(self.detail).rpartition(":")[2]
        return f"{self.code} ({detail})" if detail and detail != self.code else self.code

    @property
    def place(self) -> Located | None:
        """Return where the source has the item; None if the ledger has no row of it."""
        return None if self.container is None or self.item is None else (self.box, self.container, self.item)

    @property
    def folder(self) -> str | None:
        """Return the path of the container for people; None for a workload."""
        return None if self.container is None else " > ".join(self.container.path)

    @property
    def bytes(self) -> int | None:
        """Return the size of the item; None if it is not known."""
        return None if self.item is None else self.item.size

    @property
    def date(self) -> str | None:
        """Return the date of the item in UTC; "-" if it is not known, None for a workload."""
        return None if self.container is None else date_of(None if self.item is None else self.item.date)


def rejected(found: Iterable[Rejection]) -> Iterator[Failure]:
    """Yield a failure for each rejected item."""
    for box, container, item in found:
        yield Failure(box, container.kind, item.code or "", "", container, item, item.key.hex())


def differing(found: Iterable[Differing]) -> Iterator[Failure]:
    """Yield a failure for each difference that a verification found."""
    for box, container, item, one in found:
        key = "" if one.key is None else one.key.hex()
        yield Failure(box, container.kind, finding_code(one) or "", one.detail, container, item, key)


def document(
    found: Iterable[Differing], mailboxes: frozenset[str], kinds: frozenset[Kind]
) -> dict[str, object]:
    """Return what verifications found to be wrong, as plain data, for --json.

    It has random ids and codes only, which anyone may see.

    Args:
        found: all findings.
        mailboxes: only findings in mailboxes with these ids count.
        kinds: only findings in these workloads count.

    Returns:
        The first NAMED_MOST findings, and how many more there are.
    """
    wanted = (one for one in found if one[0].id in mailboxes and one[1].kind in kinds)
    every = differing(wanted)
    rows = DIFFERING.documents(islice(every, NAMED_MOST))
    return {"differing": rows, "differing_left_out": sum(1 for _ in every)}
