"""Every golden card and task is taken by a real server, and means there what it means here."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import requests
from golden_records import NOT_AFTER, context, golden, names
from server_fixtures import radicale_fixture

from mappings.compare.semantic_digest import calendar_differing, card_differing
from mappings.fields.context import Context
from mappings.registry import map_contact, map_task
from model.protocols import Mapped, Native
from practice.dav.radicale import RadicaleServer

KINDS: dict[str, tuple[Callable[[Native, Context], Mapped], str, str]] = {
    "contact": (map_contact, "contacts", "text/vcard"),
    "task": (map_task, "calendar", "text/calendar"),
}
DIFFERING = {"contact": card_differing, "task": calendar_differing}


server = radicale_fixture(["wiebke"], provisioned=True)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in names(kind)], ids=lambda value: str(value)
)
def test_a_server_takes_it_and_gives_it_back(server: RadicaleServer, kind: str, name: str) -> None:
    mapping, collection, media = KINDS[kind]
    body = mapping(golden(kind, name), context()).item.body().read()
    url = f"{server.url.rstrip('/')}/wiebke/{collection}/{name}"
    login = ("wiebke", server.user_password)
    put = requests.put(url, data=body, headers={"Content-Type": media}, auth=login, timeout=10)
    assert put.status_code == 201
    got = requests.get(url, auth=login, timeout=10)
    assert got.status_code == 200
    assert DIFFERING[kind](io.BytesIO(body), io.BytesIO(got.content), NOT_AFTER) == ()
