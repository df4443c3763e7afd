"""The ledger keeps which account was proven, and of what part of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.identity.account_binding import bind
from engine.identity.identity_gate import IdentityProof
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import KINDS, Kind
from model.protocols import Identity

OURS = Identity("graph", "1")


def proof(part: str) -> IdentityProof:
    return IdentityProof(OURS, Identity("dav:cloud.example:443", "2", part=part), "directory")


@pytest.mark.parametrize(
    ("kind", "code"), [(Kind.CALENDAR, "identity-changed"), (Kind.FILES, "folder-replaced")]
)
def test_what_was_made_anew_under_the_same_name(tmp_path: Path, kind: Kind, code: str) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    ledger.add_mailboxes([PlannedMailbox("a@old", "a@new", "w", Phase.STAGING, frozenset({kind}))])
    (leg,) = ledger.legs()
    held = ledger.claim(leg.id, "somebody", 60)
    assert held is not None
    work = SimpleNamespace(
        kind=kind,
        traits=KINDS[kind],
        approved=lambda _code: True,
        allowed_once=lambda _code, _items: False,
    )
    bind(ledger, held, work, proof(""), first=True)  # type: ignore[arg-type]
    bind(ledger, held, work, proof("17"), first=False)  # type: ignore[arg-type]
    bind(ledger, held, work, proof("17"), first=False)  # type: ignore[arg-type]
    for part in ("18", ""):
        with pytest.raises(Blocked) as raised:
            bind(ledger, held, work, proof(part), first=False)  # type: ignore[arg-type]
        assert raised.value.code == code
    ledger.close()
