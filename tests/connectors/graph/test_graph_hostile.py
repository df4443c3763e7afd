"""A practice Microsoft 365 where much goes wrong: every mail arrives all the same, each once."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from graph_script import Open
from servers.faulty.graph import FaultyGraph
from servers.faulty.plan import FaultPlan, Kind, Poison, mime_conversion_failed, poison_item

from connectors.graph.source import GraphSource
from connectors.settings import Account
from mappings.mail.digest import canonical
from model.errors import CursorLost
from model.protocols import Failed, Native, key_of
from practice.world.world import World

Read = dict[tuple[tuple[str, ...], bytes], bytes | str]


def digest(result: Native | Failed) -> bytes | str:
    if isinstance(result, Failed):
        return result.error.code
    assert result.body is not None
    with result.body() as stream:
        return canonical(stream).digest


def read(source: GraphSource) -> Read:
    """Everything, by folder and key; a listing whose state is lost is begun anew."""
    found: Read = {}
    for folder in list(source.containers()):
        refs = {} if folder.omit else listed(source, folder)
        results = list(source.fetch(folder, refs.values()))
        assert len(results) == len(refs), "one result for each ref"
        for one in results:
            key = one.key if isinstance(one, Failed) else key_of(one.ref.id)
            assert (folder.path, key) not in found
            found[(folder.path, key)] = digest(one)
    return found


def listed(source: GraphSource, folder: object) -> dict[str, object]:
    for _ in range(10):
        try:
            return {ref.id: ref for page in source.changes(folder, None) for ref in page.refs}  # type: ignore[arg-type]
        except CursorLost:
            continue
    raise AssertionError("never listed")


@pytest.mark.parametrize("seed", range(2))
def test_every_mail_arrives_through_every_passing_fault(source: Open, seed: int) -> None:
    world = World(seed=21, people=1, items=60, nasty=False)
    account = Account(login=world.addresses()[0])
    with FaultyGraph(world) as server:
        whole = read(source(server, account))
        rates = {
            Kind.HTTP_503: 0.02, Kind.SOAP_SERVER_BUSY: 0.02, Kind.ITEM_SERVER_BUSY: 0.02,
            Kind.INNER_BUSY: 0.05, Kind.CUT_MID_BODY: 0.1, Kind.EXPIRED_TOKEN: 0.05,
            Kind.INVALID_SYNC_STATE: 0.1, Kind.ERROR_PAGE: 0.05,
        }  # fmt: skip
        server.faults = plan = FaultPlan(seed=seed, rates=rates, budget=1)
        assert read(source(server, account, patience_seconds=60, page_items=5)) == whole
        assert sum(plan.struck.values()) > 8
        assert len(plan.struck) >= 5


def test_what_never_passes_is_rejected_alone_and_not_tried_for_ever(source: Open) -> None:
    world = World(seed=21, people=1, items=60, nasty=False)
    account = Account(login=world.addresses()[0])
    mailbox = world.mailbox(world.addresses()[0])
    items = [item for folder in mailbox.folders() for item in folder.items if folder.kind == "normal"]
    with FaultyGraph(world) as server:
        whole = read(source(server, account))
        server.faults = plan = FaultPlan.none()
        plan.afflict(poison_item(items[3].id))
        plan.afflict(mime_conversion_failed(items[9].id))
        started = time.monotonic()
        found = read(source(server, account))
        assert time.monotonic() - started < 20
        assert found.keys() == whole.keys()
        differing = Counter(found[key] if isinstance(found[key], str) else "" for key in whole
                            if found[key] != whole[key])  # fmt: skip
        assert differing["poison-item"] == 1
        assert sum(differing.values()) == 2, "the other one was rebuilt"


def test_a_mail_on_which_the_server_hangs_is_found_among_the_others(source: Open) -> None:
    world = World(seed=21, people=1, items=30, nasty=False)
    mailbox = world.mailbox(world.addresses()[0])
    folder = max((one for one in mailbox.folders() if one.kind == "normal"), key=lambda one: one.total)
    with FaultyGraph(world) as server:
        opened = source(server, Account(login=world.addresses()[0]), timeout_seconds=0.5)
        server.faults = plan = FaultPlan.none()
        plan.afflict(poison_item(folder.items[1].id, Poison.HANG))
        container = next(one for one in opened.containers() if one.path[-1] == folder.name)
        refs = list(listed(opened, container).values())
        results = list(opened.fetch(container, refs))  # type: ignore[arg-type]
        failed = [one.error.code for one in results if isinstance(one, Failed)]
        assert failed == ["poison-item"]
        assert len(results) == len(refs) > 3
