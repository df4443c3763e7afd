"""`kogge setup`: what has to be there in Prefect before workers can run anything. Looks first, then acts.

Each thing says whether Prefect has it as it is wanted, and can put it there. Putting twice is putting once,
and what a person switched on or off in Prefect stays so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from prefect import get_client, settings
from prefect.client.orchestration import PrefectClient

from flows import server
from flows.config import Config
from flows.launch import Api


class Found(StrEnum):
    """What a look at a thing found."""

    THERE = "there"
    MISSING = "missing"
    DIFFERENT = "different"


class Thing(Protocol):
    """Something that Prefect is to have."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    async def look(self, client: PrefectClient) -> Found: ...
    async def put(self, client: PrefectClient) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """found: before anything was done. done: whether it was put there."""

    kind: str
    name: str
    found: Found
    done: bool

    @property
    def open(self) -> bool:
        return self.found is not Found.THERE and not self.done

    def line(self) -> str:
        if self.found is Found.THERE:
            return f"{self.kind} {self.name}: is there"
        if not self.done:
            return f"{self.kind} {self.name}: is {self.found}"
        return f"{self.kind} {self.name}: {'created' if self.found is Found.MISSING else 'changed'}"


async def arrange(things: Iterable[Thing], *, check: bool) -> list[Outcome]:
    """Looks at each in turn and puts there what is not as wanted; with check it only looks."""
    outcomes = []
    async with get_client() as client:
        for thing in things:
            found = await thing.look(client)
            act = found is not Found.THERE and not check
            if act:
                await thing.put(client)
            outcomes.append(Outcome(thing.kind, thing.name, found, act))
    return outcomes


@contextmanager
def talking_to(api: Api, config: Config) -> Iterator[None]:
    """Prefect's client speaks to this API, and to no other that the machine knows."""
    os.environ["DO_NOT_TRACK"] = "1"
    updates = {settings.PREFECT_API_URL: api.url}
    if api.local:
        updates[settings.PREFECT_HOME] = str(server.home(config.state_directory))
    with settings.temporary_settings(updates):
        yield
