"""What needs a person: items that could not move, and what a verification found to be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from engine.steps.settling.accepted_differences import code_of
from ledger.db.rows import ContainerRow, Finding, ItemRow, MailboxRow, Outcome
from ledger.views.reports import Differing, Rejection
from model.kinds import Kind

CODES = {
    Outcome.MISSING: "verification-missing",
    Outcome.EXTRA: "verification-extra",
    Outcome.DIFFERS: "verification-differs",
    Outcome.ERROR: "verification-error",
}
NAMED_MOST = 1000
"""So many findings a document names; `kogge failures --json` names all."""


@dataclass(frozen=True, slots=True)
class Failure:
    """item: None for what the ledger has no row of. key: of the item, in hexadecimal, or ""."""

    box: MailboxRow
    container: ContainerRow
    item: ItemRow | None
    code: str
    detail: str = ""
    key: str = ""


def rejected(found: Iterable[Rejection]) -> Iterator[Failure]:
    for box, container, item in found:
        yield Failure(box, container, item, item.code or "", key=item.key.hex())


def differing(found: Iterable[Differing]) -> Iterator[Failure]:
    for box, container, item, one in found:
        key = "" if one.key is None else one.key.hex()
        yield Failure(box, container, item, _code(one), one.detail, key)


def _code(found: Finding) -> str:
    return code_of(found) or CODES[found.outcome]


def document(
    found: Iterable[Differing], mailboxes: frozenset[str], kinds: frozenset[Kind]
) -> dict[str, object]:
    """The first NAMED_MOST of what is wrong with these, by random ids and codes: safe for anyone to see."""
    wanted = (one for one in found if one[0].id in mailboxes and one[1].kind in kinds)
    every = differing(wanted)
    rows = [
        {
            "mailbox": one.box.id,
            "workload": str(one.container.kind),
            "container": one.container.id,
            "item": one.key,
            "code": one.code,
            "detail": one.detail,
        }
        for one in islice(every, NAMED_MOST)
    ]
    return {"differing": rows, "differing_left_out": sum(1 for _ in every)}
