"""Record by which addresses the meetings of the plan's people are known: see ledger.leg.meetings."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select, update

from ledger.db.engine import writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.schema import caller, meta
from ledger.db.upsert import upsert

_LIST = "callers:"
"""The beginning of the name of a list's mark in meta."""


def name_caller(connection: Connection, source: str, target: str) -> None:
    """Record the addresses of a mailbox. Idempotent.

    A source's own address is its own; of another one whoever had it first keeps it.
    """
    _own_addresses(connection, [source])
    other = upsert(connection, caller).values(address=target, source=source)
    connection.execute(other.on_conflict_do_nothing())


def _own_addresses(connection: Connection, sources: Collection[str]) -> None:
    statement = upsert(connection, caller)
    own = {"source": statement.excluded.source}
    statement = statement.on_conflict_do_update(
        index_elements=["address"], set_=own, where=caller.c.source != statement.excluded.source
    )
    for chunk in chunked(sources):
        connection.execute(statement, [{"address": source, "source": source} for source in chunk])


def name_listed(ledger: LedgerHandle, list_name: str, people: Mapping[str, Collection[str]]) -> None:
    """Record whom a mailbox list names, in all its waves. Idempotent.

    The mailboxes of a wave come into the ledger when the wave is run; its meetings are waited for before.

    Args:
        ledger: an open ledger.
        list_name: the list.
        people: their addresses by source.
    """
    rows = [
        {"address": address, "source": source, "list": list_name}
        for source, addresses in sorted(people.items())
        for address in dict.fromkeys((source, *sorted(addresses)))
    ]
    lines = "\n".join(f"{row['address']} {row['source']}" for row in rows)
    value = hashlib.sha256(lines.encode()).hexdigest()
    with writing(ledger.engine) as connection:
        before = select(meta.c.value).where(meta.c.name == f"{_LIST}{list_name}")
        if connection.execute(before).scalar_one_or_none() == value:
            return
        connection.execute(update(caller).where(caller.c.list == list_name).values(list=None))
        _own_addresses(connection, sorted(people))
        for chunk in chunked(rows):
            listed = upsert(connection, caller)
            statement = listed.on_conflict_do_update(
                index_elements=["address"],
                set_={"list": list_name},
                where=caller.c.source == listed.excluded.source,
            )
            connection.execute(statement, chunk)
        marked = upsert(connection, meta).values(name=f"{_LIST}{list_name}", value=value)
        connection.execute(
            marked.on_conflict_do_update(index_elements=["name"], set_={"value": marked.excluded.value})
        )
