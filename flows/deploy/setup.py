"""`kogge setup`: what has to be there in Prefect before workers can run anything. Looks first, then acts.

Each thing says whether Prefect has it as it is wanted, and can put it there. Putting twice is putting once,
and what a person switched on or off in Prefect stays so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from prefect import get_client, settings
from prefect.client.orchestration import PrefectClient

from engine.config.load import Config
from flows.deploy import prefect_server
from flows.deploy.api import Api
from flows.process.refused_loads import refuse_loads


class Presence(StrEnum):
    """Name what a look at a thing found."""

    THERE = "there"
    MISSING = "missing"
    DIFFERENT = "different"
    UNWANTED = "unwanted"


@dataclass(frozen=True, slots=True)
class Inspection:
    """Hold what a look at a thing found, and what differs, in words, without anything of a secret."""

    found: Presence
    differs: tuple[str, ...] = ()

    @classmethod
    def at(cls, differs: Iterable[str]) -> Inspection:
        """Return the inspection of a thing that is there."""
        told = tuple(differs)
        return cls(Presence.DIFFERENT if told else Presence.THERE, told)


MISSING = Inspection(Presence.MISSING)
PUT = {
    Presence.MISSING: "created",
    Presence.DIFFERENT: "changed",
    Presence.UNWANTED: "removed",
}
"""What is done about it."""


class Thing(Protocol):
    """Describe something that Prefect is to have, or not to have any more."""

    @property
    def kind(self) -> str:
        """Return what it is, for people."""

    @property
    def name(self) -> str:
        """Return its name."""

    async def look(self, client: PrefectClient) -> Inspection:
        """Compare what Prefect has with what is wanted; change nothing."""

    async def put(self, client: PrefectClient) -> None:
        """Make it as wanted. Idempotent."""


@dataclass(frozen=True, slots=True)
class SetupOutcome:
    """Hold what became of one thing.

    Attributes:
        found: before anything was done.
        done: True if it was put there.
        differs: what was not as wanted.
    """

    kind: str
    name: str
    found: Presence
    done: bool
    differs: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Return True if the thing is still not as wanted."""
        return self.found is not Presence.THERE and not self.done

    def line(self) -> str:
        """Return a line for people."""
        if self.found is Presence.THERE:
            return f"{self.kind} {self.name}: is there"
        what = f" ({', '.join(self.differs)})" if self.differs else ""
        if not self.done:
            return f"{self.kind} {self.name}: is {self.found}{what}"
        return f"{self.kind} {self.name}: {PUT[self.found]}{what}"


async def arrange(things: Iterable[Thing], *, check: bool) -> list[SetupOutcome]:
    """Look at each thing in turn, and put there what is not as wanted; with `check` only look."""
    outcomes = []
    async with get_client() as client:
        for thing in things:
            look = await thing.look(client)
            act = look.found is not Presence.THERE and not check
            if act:
                await thing.put(client)
            outcomes.append(SetupOutcome(thing.kind, thing.name, look.found, act, look.differs))
    return outcomes


@contextmanager
def talking_to(api: Api, config: Config) -> Iterator[None]:
    """Let Prefect's client talk to this API, and to no other that the machine knows."""
    refuse_loads()
    updates = {settings.PREFECT_API_URL: api.url}
    if api.login:
        updates[settings.PREFECT_API_AUTH_STRING] = api.login
    if api.local:
        updates[settings.PREFECT_HOME] = str(prefect_server.home(config.state_directory))
    with settings.temporary_settings(updates):
        yield
