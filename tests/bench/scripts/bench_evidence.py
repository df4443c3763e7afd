"""A wave of any size, moved in an instant: its rows go straight into the ledger."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from configurations import NO_APPROVAL, SILENT, imap_sides
from sqlalchemy import Connection, insert

from engine.config.load import load
from evidence.seal import Sealed, SealRequest, outlook, write
from ledger.db.rows import LegState, Phase, State
from ledger.db.schema import item, listed, loss
from ledger.inventory.inventory import InventoryEntry, packed
from ledger.inventory.lines import NEW
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Container
from model.signing_keys import line_of, new_key, read_key, write_key

WAVE, FOLDERS, PAGE = "bench", 20, 500
KEK = bytes(32)
TOML = NO_APPROVAL + imap_sides("localhost", "localhost", SILENT)


@dataclass(frozen=True, slots=True)
class Wave:
    """A directory with a configuration, a ledger and an operator's key (operator.pem, operator.pub)."""

    place: Path

    def ledger(self) -> Ledger:
        return Ledger(f"sqlite:///{self.place}/kogge-state/ledger.db")

    @property
    def public(self) -> Path:
        return self.place / "operator.pub"

    def seal(self) -> Sealed:
        """The pack, as the command writes it."""
        ledger = self.ledger()
        key = read_key(self.place / "operator.pem")
        found = outlook(ledger, WAVE)
        assert found.complete, found.loose
        config = load(self.place / "kogge.toml")
        made = write(config, ledger, SealRequest(WAVE, key, self.place), found, lambda: None)
        ledger.close()
        return made


def wave_of(place: Path, mailboxes: int, items: int) -> Wave:
    """So many mailboxes of so many mails each: of ten one lost something, of a hundred one is skipped."""
    (place / "kogge-state").mkdir(mode=0o700, parents=True)
    (place / "kogge.toml").write_text(TOML)
    pem, line = new_key()
    write_key(place / "operator.pem", pem)
    write_key(place / "evidence.key", b64encode(KEK).decode())
    wave = Wave(place)
    wave.public.write_text(line + "\n")
    assert line == line_of(read_key(place / "operator.pem"))
    ledger = wave.ledger()
    ledger.migrate()
    ledger.add_mailboxes(
        PlannedMailbox(f"{n}@old.example", f"{n}@new.example", WAVE, Phase.STAGING, frozenset({Kind.MAIL}))
        for n in range(mailboxes)
    )
    for leg in ledger.legs():
        lease = ledger.claim(leg.id, "bench", 3600)
        assert lease is not None
        with ledger.session(lease, mirror=True) as session:
            folders = [
                session.record_container(Container(Kind.MAIL, f"folder {n}", (f"Ordner {n}",))).id
                for n in range(FOLDERS)
            ]
            with ledger.engine.begin() as connection:
                _fill(connection, leg.id, folders, items)
            assert session.close_inventory(KEK) == 1
        assert ledger.release(lease, LegState.VERIFIED)
    ledger.close()
    return wave


def _fill(connection: Connection, leg_id: int, folders: list[int], items: int) -> None:
    numbers = iter(range(items))
    part = 0
    while page := list(islice(numbers, PAGE)):
        part += 1
        folder = folders[part % FOLDERS]
        found = list(_rows(leg_id, folder, page))
        connection.execute(insert(item), found)
        losses = [
            {"container": folder, "key": row["key"], "field": "body", "reason": "bare-lf"}
            for row, number in zip(found, page, strict=True)
            if number % 10 == 1
        ]
        connection.execute(insert(loss), losses)
        body = packed(InventoryEntry(row["key"], NEW, row["size"]) for row in found)
        values = {"leg": leg_id, "number": 1, "part": part, "container": folder, "n": len(page), "body": body}
        connection.execute(insert(listed).values(values))


def _rows(leg_id: int, folder: int, page: list[int]) -> Iterator[dict[str, Any]]:
    for number in page:
        digest = hashlib.sha256(f"{leg_id}.{number}".encode()).digest()
        skipped = number % 100 == 99
        state = State.SKIPPED if skipped else State.VERIFIED
        yield {
            "container": folder,
            "key": digest[:16],
            "state": state.value,
            "version": number,
            "attempts": 1,
            "size": 8192 + number,
            "source_id": digest,
            "digest": None if skipped else digest,
            "href": None if skipped else f"1700000000:{number + 1}",
            "code": "empty" if skipped else None,
            "mid": int.from_bytes(digest[:8], "big", signed=True),
            "inventory": 1,
        }
