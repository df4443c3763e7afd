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
    """What a look at a thing found."""

    THERE = "there"
    MISSING = "missing"
    DIFFERENT = "different"
    UNWANTED = "unwanted"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look at a thing found, and what of it differs, in words; nothing of a secret."""

    found: Presence
    differs: tuple[str, ...] = ()

    @classmethod
    def at(cls, differs: Iterable[str]) -> Inspection:
        """Of a thing that is there."""
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
    """Something that Prefect is to have, or not to have any more."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    async def look(self, client: PrefectClient) -> Inspection: ...
    async def put(self, client: PrefectClient) -> None: ...


@dataclass(frozen=True, slots=True)
class SetupOutcome:
    """found: before anything was done. done: whether it was put there. differs: what was not as wanted."""

    kind: str
    name: str
    found: Presence
    done: bool
    differs: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        return self.found is not Presence.THERE and not self.done

    def line(self) -> str:
        if self.found is Presence.THERE:
            return f"{self.kind} {self.name}: is there"
        what = f" ({', '.join(self.differs)})" if self.differs else ""
        if not self.done:
            return f"{self.kind} {self.name}: is {self.found}{what}"
        return f"{self.kind} {self.name}: {PUT[self.found]}{what}"


async def arrange(things: Iterable[Thing], *, check: bool) -> list[SetupOutcome]:
    """Looks at each in turn and puts there what is not as wanted; with check it only looks."""
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
    """Prefect's client speaks to this API, and to no other that the machine knows."""
    refuse_loads()
    updates = {settings.PREFECT_API_URL: api.url}
    if api.login:
        updates[settings.PREFECT_API_AUTH_STRING] = api.login
    if api.local:
        updates[settings.PREFECT_HOME] = str(prefect_server.home(config.state_directory))
    with settings.temporary_settings(updates):
        yield
