"""Every odd event of the practice Exchange, mapped for eXo's agenda and written there: what is read is what
was meant, and nobody is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from agenda_desk import HREF, NOW, Desk, read
from results import stored

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from mappings.calendar.event import skip_event
from mappings.fields.context import Context
from mappings.registry import map_event
from model.errors import Rejected
from model.protocols import Mapped, Native, Role
from practice.calendar.events import ODDITIES
from practice.exchange.server import ExchangeServer
from practice.world.desk import Desk as Maker
from practice.world.world import World


def test_every_odd_event_is_read_as_it_was_meant(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = desk.target()
    mapped = [one for one in _natives(tmp_path, monkeypatch) if skip_event(one) is None]
    found, refused = _mapped(
        mapped, Context(target.capabilities, NOW, NOW, frozenset({"owner@practice.example"}))
    )
    hrefs = {one.key: one.href for one in stored(target.write(HREF, [one.item for one in found]))}
    assert len(found) > 100
    assert refused == {"recurrence-not-kept"}
    assert {one.href for one in target.listing(HREF)} == set(hrefs.values())
    for one in found:
        assert read(target, hrefs[one.item.key]) == one.item.digest
    assert desk.exo.agenda.mails == []


def _mapped(natives: list[Native], context: Context) -> tuple[list[Mapped], set[str]]:
    found, refused = [], set()
    for one in natives:
        try:
            found.append(map_event(one, context))
        except Rejected as error:
            refused.add(error.code)
    return found, refused


def _natives(spool: Path, patch: pytest.MonkeyPatch) -> list[Native]:
    world = World(seed=7, people=5, items=0, large=())
    address = world.addresses()[0]
    mailbox = world.mailbox(address)
    for name, make in ODDITIES.items():
        mailbox.put(mailbox.distinguished("calendar"), make(Maker(7, 0, f"event/{name}")))
    user = next(iter(world.service_accounts))
    patch.setenv("EWS_PASSWORD", world.service_accounts[user].password)
    with ExchangeServer(world) as server:
        settings = EwsSettings(url=server.url, username=user, password=Secret(env="EWS_PASSWORD"))
        source = EwsSource(settings, Account(login=address, address=address), spool)
        box = next(one for one in source.containers() if one.role is Role.CALENDAR)
        refs = [ref for page in source.changes(box, None) for ref in page.refs]
        found = [one for one in source.fetch(box, refs) if isinstance(one, Native)]
        source.close()
    return found
