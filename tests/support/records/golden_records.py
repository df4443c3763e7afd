"""Golden records of EWS: XML, with the attachments that stand inside of it beside it, as a source gives
them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from lxml import etree

from mappings.fields.context import Context
from model.kinds import Kind
from model.protocols import Capabilities, Native, Ref

GOLDENS = Path(__file__).parents[2] / "mappings" / "goldens"
NOT_AFTER = datetime(2026, 11, 25, tzinfo=UTC)
SPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
KARLA = "/o=land/ou=nord/cn=recipients/cn=karla"
T = "{http://schemas.microsoft.com/exchange/services/2006/types}"


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (GOLDENS / kind).glob("*.xml"))


def golden(kind: str, name: str) -> Native:
    """The record goldens/KIND/NAME.xml. Its own id is that of its first ItemId."""
    raw = (GOLDENS / kind / f"{name}.xml").read_bytes()
    root = etree.fromstring(raw, etree.XMLParser(recover=True))
    attached = {
        str(one.find(f"{T}AttachmentId").get("Id")): _reopenable(
            base64.b64decode(one.findtext(f"{T}Content", ""))
        )
        for one in root.iter(f"{T}FileAttachment", f"{T}ItemAttachment")
        if one.findtext(f"{T}Content")
    }
    first = root.find(f".//{T}ItemId")
    properties = {"ItemClass": root.findtext(f".//{T}ItemClass", ""), "Attachments": attached}
    return Native(Ref(first.get("Id", ""), "v1"), f"ews-{kind}", properties, _reopenable(raw))


def record(
    kind: str, xml: str, item_class: str = "", attachments: Mapping[str, bytes] | None = None
) -> Native:
    """A record of one element, written without its namespaces' declarations."""
    raw = f"<m:Items {SPACES}>{xml}</m:Items>".encode()
    attached = {name: _reopenable(data) for name, data in (attachments or {}).items()}
    properties = {"ItemClass": item_class, "Attachments": attached}
    return Native(Ref("id-1", "v1"), f"ews-{kind}", properties, _reopenable(raw))


def context(target: Capabilities | None = None, owner: frozenset[str] = frozenset()) -> Context:
    target = target or Capabilities(frozenset({Kind.CONTACTS, Kind.TASKS}))
    return Context(target, NOT_AFTER, NOT_AFTER, owner, {KARLA: "karla.kolumna@land.example"})


def _reopenable(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)
