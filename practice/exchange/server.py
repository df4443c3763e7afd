"""The practice Exchange: an EWS server in a thread of this process, or in a process of its own.

with ExchangeServer(World(seed=1, people=5, items=100)) as server:
    server.url  # http://127.0.0.1:PORT/EWS/Exchange.asmx

python -m practice.exchange.server --port 8443 --people 5 --items 100
"""

from __future__ import annotations

from dataclasses import replace

from practice.exchange.app import EWS_PATH, Exchange
from practice.exchange.auth import Gatekeeper, Tokens
from practice.exchange.context import Limits
from practice.exchange.habits import Habits
from practice.exchange.soap import DIALECTS, DialectName
from practice.harness.faults import FaultPlan
from practice.harness.served import Served, Signalled, world_of, world_parser
from practice.world.world import World


class ExchangeServer(Served):
    """Serves a world over EWS on loopback. Change the world by its own methods while it runs, holding
    world.lock; faults may be replaced at any time.

    trickle   seconds between pieces of 512 bytes of every reply; None: no trickle
    requests  how often each operation was called ("unauthorized" and "token" included)
    tokens    issued bearer tokens; revoke_all() makes every client ask for a new one
    ca_file   what a client must trust, with https=True; else None

    habits: None: those of the dialect.
    """

    def __init__(
        self,
        world: World,
        *,
        faults: FaultPlan | None = None,
        dialect: DialectName = "exchange",
        port: int = 0,
        https: bool = False,
        token_seconds: int = 3600,
        limits: Limits | None = None,
        habits: Habits | None = None,
    ) -> None:
        self.world = world
        spoken = DIALECTS[dialect] if habits is None else replace(DIALECTS[dialect], habits=habits)
        self._exchange = Exchange(world, faults, spoken, limits or Limits(), token_seconds)
        super().__init__("Exchange" if dialect == "exchange" else dialect, self._exchange, port, https)

    @property
    def trickle(self) -> float | None:
        return self._exchange.trickle

    @trickle.setter
    def trickle(self, seconds: float | None) -> None:
        self._exchange.trickle = seconds

    @property
    def tokens(self) -> Tokens:
        return self._exchange.tokens

    @property
    def gatekeeper(self) -> Gatekeeper:
        return self._exchange.gatekeeper

    @property
    def url(self) -> str:
        return self._base + EWS_PATH

    @property
    def token_url(self) -> str:
        return self._base + "/token"


def main(arguments: list[str] | None = None) -> None:
    parser = world_parser("practice.exchange.server", __doc__)
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="exchange")
    given = parser.parse_args(arguments)
    world = world_of(given)
    done = Signalled()
    with ExchangeServer(world, dialect=given.dialect, port=given.port) as server:
        account = next(iter(world.service_accounts.values()))
        print(f"{server.url} {account.address} {account.password}", flush=True)  # noqa: T201
        done.wait()


if __name__ == "__main__":
    main()
