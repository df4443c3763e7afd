"""The golden events: one folder a case, with record.xml, what is told beside it (case.json), and event.ics.

Run as a script it writes event.ics and the losses anew: read what changed before it is committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from event_native import context, native

from mappings.registry import map_event
from model.kinds import Kind
from model.protocols import Capabilities, Mapped

FOLDER = Path(__file__).parents[2] / "mappings" / "goldens" / "event"


def cases() -> list[str]:
    return sorted(folder.name for folder in FOLDER.iterdir())


def told(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name / "case.json").read_text())
    return found


def mapped(name: str) -> Mapped:
    case = told(name)
    record = native(
        (FOLDER / name / "record.xml").read_bytes(),
        {id_: data.encode() for id_, data in case.get("attachments", {}).items()},
    )
    target = Capabilities(frozenset({Kind.CALENDAR}), **case.get("target", {}))
    return map_event(record, context(case.get("owner", ()), case.get("addresses", {}), target))


def losses(found: Mapped) -> list[str]:
    return sorted(f"{loss.field}/{loss.reason}" for loss in found.losses)


def write(name: str) -> None:
    found = mapped(name)
    (FOLDER / name / "event.ics").write_bytes(found.item.body().read())
    case = told(name) | {"losses": losses(found)}
    (FOLDER / name / "case.json").write_text(json.dumps(case, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    for each in cases():
        write(each)
