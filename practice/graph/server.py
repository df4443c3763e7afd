"""Serve the practice Microsoft 365: Graph v1.0 and its token endpoint, in a thread of this process.

with GraphServer(World(seed=1, people=5, items=100), https=True) as server:
    server.url  # https://127.0.0.1:PORT/v1.0
    server.authority, server.tenant, server.client_id, server.secret  # what MSAL needs, which asks for https
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from practice.graph.app import VERSION, Graph, Service
from practice.graph.limits import Gauge
from practice.graph.tokens import Entra, client_id_of, tenant_of, well_made
from practice.harness.dice import digest
from practice.harness.served import Served
from practice.world.messages import Message
from practice.world.world import World


def never_converted(item: Message) -> bool:
    """Return whether app-only $value fails for ever: opaque S/MIME, and some non-delivery reports."""
    if item.item_class == "REPORT.IPM.Note.NDR":
        return bool(digest(item.folder.mailbox.seed, item.folder.mailbox.address, item.seed, "ndr")[0] % 2)
    return item.item_class == "IPM.Note.SMIME"


class GraphServer(Served):
    """Serve a world over Graph on loopback.

    Change the world by its own methods while it runs, holding world.lock.

    Attributes:
        services: what else lies below /v1.0.
        strict_mime: True if some mails are never given as MIME; see never_converted.
        steps: True if some tasks of To Do have steps and links, of which Exchange knows nothing.
        lists_days: False if a series leaves out which of its days were changed and deleted, asked or not.
        requests: how often each operation was called ("unauthorized" and "token" included).
        entra: the apps and their tokens; entra.revoke_all() makes every client ask for a new one.
        gauge: the limits of a mailbox, and how far they were used.
        client_id, secret: of the app that may read everything, mailboxes by scope and not by consent.
        ca_file: what a client must trust, with https=True; else None.
    """

    answering: ClassVar[type[Graph]] = Graph

    def __init__(
        self,
        world: World,
        *,
        services: Sequence[Service] = (),
        port: int = 0,
        https: bool = False,
        token_seconds: int = 3599,
        gauge: Gauge | None = None,
        strict_mime: bool = True,
        steps: bool = False,
        lists_days: bool = True,
    ) -> None:
        self.world = world
        self.tenant = tenant_of(world.seed)
        self.client_id = client_id_of(world.seed, "migrator")
        self.secret = "practice-migrator"
        self.entra = Entra(self.tenant, (well_made(self.client_id, self.secret),), token_seconds)
        self.gauge = gauge or Gauge()
        convert = never_converted if strict_mime else (lambda _: False)
        self._graph = self.answering(world, self.entra, self.gauge, services, convert)
        self._graph.steps = steps
        self._graph.lists_days = lists_days
        super().__init__("Graph", self._graph, port, https)

    @property
    def agents(self) -> Counter[str]:
        """Return the number of requests by their User-Agent."""
        return self._graph.agents

    @property
    def on_premises(self) -> set[str]:
        """Return the addresses of users whose mailbox is not in this service."""
        return self._graph.on_premises

    @property
    def url(self) -> str:
        """Return the address of Graph."""
        return self._base + VERSION

    @property
    def authority(self) -> str:
        """Return the address of Entra ID without the tenant, which follows it."""
        return self._base

    def token(self) -> str:
        """Return an access token of the app that may read everything, without asking for it."""
        return self.entra.issue(self.client_id)
