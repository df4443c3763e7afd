"""What needs a person: items that could not move, and what a verification found to be wrong."""

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
"""So many findings a document names; `kogge failures --json` names all."""

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
        code: why.
        detail: what is known beside the code.
        container: where the item is; None for a workload.
        item: None for a workload, and for what the ledger has no row of.
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
        """The code, with what is known beside it."""
        detail = str(self.detail).rpartition(":")[2]
        return f"{self.code} ({detail})" if detail and detail != self.code else self.code

    @property
    def place(self) -> Located | None:
        """Where the source has the item; None if the ledger has no row of it."""
        return None if self.container is None or self.item is None else (self.box, self.container, self.item)

    @property
    def folder(self) -> str | None:
        return None if self.container is None else " > ".join(self.container.path)

    @property
    def bytes(self) -> int | None:
        return None if self.item is None else self.item.size

    @property
    def date(self) -> str | None:
        return None if self.container is None else date_of(None if self.item is None else self.item.date)


def rejected(found: Iterable[Rejection]) -> Iterator[Failure]:
    for box, container, item in found:
        yield Failure(box, container.kind, item.code or "", "", container, item, item.key.hex())


def differing(found: Iterable[Differing]) -> Iterator[Failure]:
    for box, container, item, one in found:
        key = "" if one.key is None else one.key.hex()
        yield Failure(box, container.kind, finding_code(one) or "", one.detail, container, item, key)


def document(
    found: Iterable[Differing], mailboxes: frozenset[str], kinds: frozenset[Kind]
) -> dict[str, object]:
    """The first NAMED_MOST of what is wrong with these, by random ids and codes: safe for anyone to see."""
    wanted = (one for one in found if one[0].id in mailboxes and one[1].kind in kinds)
    every = differing(wanted)
    rows = DIFFERING.documents(islice(every, NAMED_MOST))
    return {"differing": rows, "differing_left_out": sum(1 for _ in every)}
