"""Describe what a connector is: one description for each kind of system, which the catalogue names.

A connector's folder has a `connector.py` with its descriptions. They name its settings, and open its sides,
without a library of its own: that is imported when a side is opened.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from connectors.http.hrefs import Mine, anybody
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.settings import Account
from model.kinds import Kind
from model.listed_rights import ListedRight
from model.protocols import Guard, Loss, Source, Target
from model.rights_store import RightsStore
from model.working_hours import AvailabilityStore

Shared: TypeAlias = Callable[[BinaryIO, BinaryIO, frozenset[str]], tuple[Loss, ...] | None]


def no_store() -> None:
    """Return None: no server keeps it."""
    return


def named(reference: str) -> Any:
    """Return what a reference such as "package.module:Name" names; its module is imported now."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """Say how a source is to be opened.

    Attributes:
        account: whose items are read.
        kinds: what will be asked of it.
        spool: the directory in which large bodies wait.
        looking: True if a command only looks, and wants to know more of each folder.
        budget: asked before each request.
        listed: the rights to this mailbox that an administrator exported.
    """

    account: Account
    kinds: frozenset[Kind]
    spool: Path
    looking: bool = False
    budget: RequestBudget = NO_BUDGET
    listed: tuple[ListedRight, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """Say how a target is to be opened.

    Attributes:
        account: in whose account is written.
        kind: what is written.
        guard: raises LeaseLost if this worker may not write.
        spool: the directory in which large bodies wait.
        live: True if existing items must not be changed or removed.
        digest: returns what a body means; raises Rejected for one that it cannot read.
        mark: returns the mark of a message by its header; None if it has no Message-ID.
        shared: returns what is lost if somebody else's body stands for the first, whose owner has these
            addresses; None if it cannot.
        mine: returns True if this mailbox wrote the object with this key.
        budget: asked before each request.
        stores: opens the rights to folders on the servers of the other targets, by what the folders hold.
        hours: opens the working hours on the server of the calendars; None if it keeps none.
    """

    account: Account
    kind: Kind
    guard: Guard
    spool: Path
    live: bool
    digest: Callable[[BinaryIO], bytes]
    mark: Callable[[bytes], int | None]
    shared: Shared
    mine: Mine = anybody
    budget: RequestBudget = NO_BUDGET
    stores: Callable[[], Mapping[Kind, RightsStore]] = dict
    hours: Callable[[], AvailabilityStore | None] = no_store


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """Say how what lies beside the items of an account is to be opened: rights to folders, working hours.

    Attributes:
        account: whose folders they are.
        kind: what the folders hold.
        guard: raises LeaseLost if this worker may not write.
        spool: the directory in which large bodies wait.
        budget: asked before each request.
    """

    account: Account
    kind: Kind
    guard: Guard
    spool: Path
    budget: RequestBudget = NO_BUDGET


@dataclass(frozen=True, slots=True)
class Connector:
    """Describe one kind of system.

    Attributes:
        kind: what `kind` is in the configuration.
        settings: a reference to the model of its settings.
        reads: the kinds of items that it reads.
        writes: the kinds of items that it writes.
        open_source: opens it as a source; None if it is none.
        open_target: opens it as a target; None if it is none.
        rights: the kinds of items to whose folders it can give rights.
        open_rights: opens the rights to the folders of an account; None if it has none.
        open_hours: opens the working hours of an account; None if it keeps none.
        has_rights: returns whether a server of these settings has such rights; None if each has.
        of_sites: True if it reads sites, which are nobody's mailbox.
        scoped: True if it tells which mailboxes a credential may open, so that a person can accept too much.
        links: the systems of its vendor into which items of its mailboxes link, as people call them; "" for
            none.
        mailbox_requests: requests a second that its vendor allows for one mailbox; None if no rule is known.
        at_once: requests at once that its vendor allows one account; None if no rule is known.
    """

    kind: str
    settings: str
    reads: frozenset[Kind] = frozenset()
    writes: frozenset[Kind] = frozenset()
    open_source: Callable[[Any, SourceRequest], Source] | None = None
    open_target: Callable[[Any, TargetRequest], Target] | None = None
    rights: frozenset[Kind] = frozenset()
    open_rights: Callable[[Any, StoreRequest], RightsStore] | None = None
    open_hours: Callable[[Any, StoreRequest], AvailabilityStore] | None = None
    has_rights: Callable[[Any], bool] | None = None
    of_sites: bool = False
    scoped: bool = False
    links: str = ""
    mailbox_requests: float | None = None
    at_once: int | None = None

    def keeps_rights(self, settings: Any, kind: Kind) -> bool:
        """Return True if rights can be given to folders of a kind on a server of these settings."""
        known = kind in self.rights and self.open_rights is not None
        return known and (self.has_rights is None or self.has_rights(settings))
