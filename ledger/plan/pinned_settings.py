"""Pin the settings of approvals: how many approvals a wave takes, whose, and who is denied.

A pinned setting is changed by a recorded event alone. Events about it have a chain of their own, which
belongs to no wave.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from ledger.db.audit_log import Event, append_event
from ledger.db.engine import reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.schema import meta
from ledger.db.upsert import upsert

CHAIN = "approval settings"
"""No wave has this name, because it holds a blank."""
PINNED, AGREED = "settings-pinned", "settings-agreed"
"""The kinds of its events: settings hold from now on; an approver agreed to a change."""
_NAME = "pinned"


@dataclass(frozen=True, slots=True)
class Pin:
    """Hold the pinned settings.

    Attributes:
        required: approvals that a wave takes.
        keys: the approvers' names, by public key.
        deny: fingerprints of the deny list's entries.
        configuration: the name of the file that asked for it; "" if it is not known. It is no part of what is
            agreed to.
    """

    required: int
    keys: Mapping[str, str]
    deny: frozenset[str]
    configuration: str = field(default="", compare=False)

    def document(self) -> dict[str, object]:
        """Return the part that approvers agree to, as JSON takes it."""
        return {"required": self.required, "keys": dict(self.keys), "deny": sorted(self.deny)}


def read_pin(ledger: LedgerHandle) -> Pin | None:
    """Return the pinned settings; None if nothing is pinned yet."""
    with reading(ledger.engine) as connection:
        return _read(connection)


def put_pin(
    ledger: LedgerHandle, expected: Pin | None, pin: Pin, detail: Mapping[str, str | int]
) -> Event | None:
    """Pin anew, and record it with this detail.

    Args:
        ledger: an open ledger.
        expected: the settings that the caller read; None if it read none.
        pin: the new settings.
        detail: of the event.

    Returns:
        None if the pinned settings are not what the caller read; then nothing was changed.
    """
    with writing(ledger.engine) as connection:
        text = json.dumps({**pin.document(), "configuration": pin.configuration}, sort_keys=True)
        row = {"name": _NAME, "value": text}
        if expected is None:
            first = upsert(connection, meta).values(row).on_conflict_do_nothing()
            if connection.execute(first).rowcount != 1:
                return None
        elif _read(connection, lock=True) != expected:
            return None
        again = upsert(connection, meta).values(row)
        connection.execute(again.on_conflict_do_update(index_elements=["name"], set_={"value": text}))
        counts = {"required": pin.required, "approvers": len(pin.keys), "denied": len(pin.deny)}
        return append_event(connection, CHAIN, PINNED, {**counts, **detail}, subject=CHAIN)


def agree(ledger: LedgerHandle, detail: Mapping[str, str | int], signature: bytes) -> Event:
    """Record that an approver signed a change of the pinned settings. Not idempotent."""
    with writing(ledger.engine) as connection:
        return append_event(connection, CHAIN, AGREED, detail, subject=CHAIN, signature=signature)


def _read(connection: Connection, *, lock: bool = False) -> Pin | None:
    query = select(meta.c.value).where(meta.c.name == _NAME)
    text = connection.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    if text is None:
        return None
    document = json.loads(text)
    by = str(document.get("configuration", ""))
    return Pin(int(document["required"]), dict(document["keys"]), frozenset(document["deny"]), by)
