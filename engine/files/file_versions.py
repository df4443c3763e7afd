"""Handle older versions of files: which are asked of the source, and how many the target is to have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from engine.context.answers import refs_of
from engine.context.leg_context import LegContext, as_container
from ledger.db.rows import ContainerRow, Finding, ItemRow, Outcome, State
from model.optional_protocols import SupportsVersionHistory, SupportsVersionWrites
from model.protocols import Failed, Native, key_of

DETAIL = "versions"
HELD = (State.WRITTEN, State.VERIFIED)


def versions_at_target(leg: LegContext, row: ContainerRow, rows: Sequence[ItemRow]) -> Mapping[bytes, int]:
    """Return how many older versions the items that are at the target have there, by key."""
    asks = leg.context.target.versions and any(item.href is not None for item in rows)
    return leg.ledger.versions.of(row.id) if asks else {}


def fetch(
    leg: LegContext, row: ContainerRow, rows: Sequence[ItemRow], sizes: Mapping[bytes, int]
) -> Iterator[Native | Failed]:
    """Yield what the source returns for these rows.

    If the target keeps versions, new files come with theirs, except in the live phase. For other files only
    the number of versions that would be missing at the target is returned.

    Args:
        leg: the open leg.
        row: the container.
        rows: the items.
        sizes: see versions_at_target().
    """
    container, most, source = as_container(row), leg.context.target.versions, leg.source
    if not most or not isinstance(source, SupportsVersionHistory):
        yield from source.fetch(container, refs_of(rows))
        return
    new = [item for item in rows if item.href is None]
    yield from source.fetch_versions(container, refs_of(new), most if leg.mirror else 0)
    replaced = {item.key: item for item in rows if item.href is not None}
    for result in source.fetch_versions(container, refs_of(list(replaced.values())), 0):
        yield result if isinstance(result, Failed) else _with_missing(result, replaced, sizes)


def compare(leg: LegContext, container: ContainerRow, *, again: bool) -> Iterator[Finding]:
    """Yield DIFFERS if the target has fewer older versions of a file than were written.

    Targets drop versions by rules of their own. In the live phase the versions are the user's.

    Args:
        leg: the open leg.
        container: the container.
        again: True to also compare what was verified before.
    """
    if not leg.mirror or container.href is None or not isinstance(leg.target, SupportsVersionWrites):
        return
    for key, count in leg.ledger.versions.of(container.id).items():
        leg.check()
        item = leg.ledger.row(container.id, key)
        if item is None or item.href is None or item.state not in HELD:
            continue
        if item.state is State.VERIFIED and not again:
            continue
        versions_there = leg.target.versions(container.href, item.href)
        if versions_there is not None and versions_there < count:
            yield Finding(Outcome.DIFFERS, key, item.href, DETAIL)


def _with_missing(native: Native, rows: Mapping[bytes, ItemRow], known: Mapping[bytes, int]) -> Native:
    """Return the record with the number of missing versions.

    What is at the target now becomes one more version there when other bytes replace it.
    """
    count, key = native.properties.get("Versions"), key_of(native.ref.id)
    item = rows[key]
    if not isinstance(count, int):
        return native
    replaces = native.properties.get("Sha256") != (item.digest or b"").hex()
    missing = max(0, count - known.get(key, 0) - replaces)
    return replace(native, properties={**native.properties, "Versions": missing})
