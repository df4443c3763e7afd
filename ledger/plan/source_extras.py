"""Keep what mailboxes have at their source beside their folders: an online archive, rules, delegates.

None of it moves, and no inventory of a leg names it. `kogge discover` finds it; a report tells of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, insert, select

from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.schema import source_extra

ASKED = ""
"""Stands in place of a code for a source that was asked."""
Extras = Mapping[str, int | None]
"""Counts by code; None if the source does not say."""


def keep_extras(ledger: LedgerHandle, found: Mapping[str, Extras]) -> None:
    """Replace what is kept of these mailboxes, by their source. Idempotent."""
    with writing(ledger.engine) as connection:
        for source, extras in found.items():
            connection.execute(delete(source_extra).where(source_extra.c.source == source))
            counts = {ASKED: 0, **{code: count for code, count in extras.items() if count != 0}}
            for code, count in counts.items():
                row = {"source": source, "code": code, "items": count}
                connection.execute(insert(source_extra).values(at=now(), **row))


def extras_of(ledger: LedgerHandle, sources: Iterable[str]) -> dict[str, dict[str, int | None]]:
    """Return what is kept of these mailboxes, by their source; those that were never asked are left out."""
    found: dict[str, dict[str, int | None]] = {}
    columns = (source_extra.c.source, source_extra.c.code, source_extra.c["items"])
    with reading(ledger.engine) as connection:
        for chunk in chunked(sorted(set(sources))):
            query = select(*columns).where(source_extra.c.source.in_(chunk)).order_by(*columns[:2])
            for source, code, items in connection.execute(query):
                own = found.setdefault(source, {})
                if code != ASKED:
                    own[code] = items
    return found
