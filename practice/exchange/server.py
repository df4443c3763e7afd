"""Serve the practice Exchange: EWS in a thread of this process.

with ExchangeServer(World(seed=1, people=5, items=100)) as server:
    server.url  # http://127.0.0.1:PORT/EWS/Exchange.asmx
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from practice.exchange.app import EWS_PATH, Exchange
from practice.exchange.auth import Gatekeeper, Tokens
from practice.exchange.context import Limits
from practice.exchange.habits import Habits
from practice.exchange.soap import DIALECTS, DialectName
from practice.harness.served import Served
from practice.world.world import World


class ExchangeServer(Served):
    """Serve a world over EWS on loopback.

    Change the world by its own methods while it runs, holding world.lock.

    Attributes:
        requests: how often each operation was called ("unauthorized" and "token" included).
        tokens: issued bearer tokens; revoke_all() makes every client ask for a new one.
        ca_file: what a client must trust, with https=True; else None.
    """

    answering: ClassVar[type[Exchange]] = Exchange

    def __init__(
        self,
        world: World,
        *,
        dialect: DialectName = "exchange",
        port: int = 0,
        https: bool = False,
        token_seconds: int = 3600,
        limits: Limits | None = None,
        habits: Habits | None = None,
    ) -> None:
        self.world = world
        spoken = DIALECTS[dialect] if habits is None else replace(DIALECTS[dialect], habits=habits)
        self._exchange = self.answering(world, spoken, limits or Limits(), token_seconds)
        super().__init__("Exchange" if dialect == "exchange" else dialect, self._exchange, port, https)

    @property
    def tokens(self) -> Tokens:
        """Return the issued tokens."""
        return self._exchange.tokens

    @property
    def gatekeeper(self) -> Gatekeeper:
        """Return what authenticates requests."""
        return self._exchange.gatekeeper

    @property
    def url(self) -> str:
        """Return the address of EWS."""
        return self._base + EWS_PATH

    @property
    def token_url(self) -> str:
        """Return the address of OAuth's tokens."""
        return self._base + "/token"
