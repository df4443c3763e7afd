"""Count the items of a leg by their fate, for the totals that its row shows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select

from ledger.db.rows import State
from ledger.db.schema import container, item, leg

AT_TARGET = (State.CHANGED, State.LEAVING, State.WRITTEN, State.VERIFIED)
SETTLED = (State.WRITTEN, State.VERIFIED, State.SKIPPED, State.REJECTED)
Causes = Mapping[str, Mapping[str, int]]
"""Items by code, of each fate that has codes ("skipped", "rejected")."""
WITH_CAUSE = (State.SKIPPED, State.REJECTED)
TOTALS = ("items", "done", "bytes", "verified", "skipped", "rejected", "causes")
"""The columns of a leg's row that count() gives."""


def count(connection: Connection, leg_id: int) -> dict[str, Any]:
    """Return the totals of a leg's row, counted from its items.

    It reads every item of the leg once, and those that were skipped or rejected once more.
    """
    row = connection.execute(_TOTALS, {"of": leg_id}).one()
    totals: dict[str, Any] = {name: int(number) for name, number in row._mapping.items()}
    has_causes = totals["skipped"] or totals["rejected"]
    return {**totals, "causes": _written(_causes(connection, leg_id)) if has_causes else None}


def without_rejected(connection: Connection, leg_id: int) -> dict[str, Any]:
    """Return the totals of a leg's row once all its rejected items are open again."""
    text = connection.execute(select(leg.c.causes).where(leg.c.id == leg_id)).scalar_one()
    left = {fate: codes for fate, codes in read_causes(text).items() if fate != State.REJECTED.name.lower()}
    return {"rejected": 0, "causes": _written(left)}


def read_causes(text: str | None) -> Causes:
    """Return the items by fate and code that the column `causes` of a leg states."""
    return {} if text is None else dict(json.loads(text))


def _written(causes: Causes) -> str | None:
    return json.dumps(causes, sort_keys=True, separators=(",", ":")) if causes else None


def _total(name: str, states: Collection[State], value: Any = 1) -> Any:
    chosen = item.c.state.in_([state.value for state in states])
    return func.coalesce(func.sum(case((chosen, value), else_=0)), 0).label(name)


_TOTALS = (
    select(
        _total("items", [state for state in State if state is not State.GONE]),
        _total("done", SETTLED),
        _total("bytes", AT_TARGET, func.coalesce(item.c.size, 0)),
        _total("verified", [State.VERIFIED]),
        _total("skipped", [State.SKIPPED]),
        _total("rejected", [State.REJECTED]),
    )
    .select_from(item.join(container))
    .where(container.c.leg == bindparam("of"))
)


def _causes(connection: Connection, leg_id: int) -> Causes:
    query = select(item.c.state, item.c.code, func.count()).select_from(item.join(container))
    query = query.where(container.c.leg == leg_id, item.c.state.in_([state.value for state in WITH_CAUSE]))
    causes: dict[str, dict[str, int]] = {}
    for state, code, number in connection.execute(query.group_by(item.c.state, item.c.code)):
        causes.setdefault(State(state).name.lower(), {})[str(code)] = number
    return causes
