"""Take the inventory of a source mailbox.

Containers, items, bytes, the largest item, oddities, and what stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from engine.config.load import Config
from engine.control.error_log import contain_defects
from engine.control.ledger_access import opened_ledger
from engine.opening.open_sides import open_source
from engine.pacing.login_breaker import LoginBreaker
from engine.planning.load_plan import planned_mailbox
from engine.planning.mailbox_list import Person
from engine.preflight.parallel_checks import map_mailboxes
from engine.preflight.side_settings import login_place
from ledger.plan.source_extras import keep_extras
from mappings.registry import ITEM_FORMS
from model.errors import Corrupt, MigrationError, Misconfigured, Transient
from model.kinds import KINDS, Kind
from model.optional_protocols import SupportsDelegates, SupportsExtras
from model.protocols import Container, Native, Ref, Source

LISTABLE = frozenset({"hidden", "shared", "system-folder", "flagged-emails"})
"""Codes of containers that stay, but can be listed if their size is not reported."""

LARGE_BYTES = 25_000_000
MANY_ITEMS = 100_000
LONG_NAME = 120
DEEP = 10


@dataclass(slots=True)
class Inventory:
    """Hold the inventory of one mailbox.

    Attributes:
        person: the row of the list.
        containers: containers that move.
        items: items that move.
        bytes: their bytes; None if the source reports no sizes.
        largest: bytes of the largest; None if the source reports no sizes.
        kinds: items by kind.
        sizes: bytes by kind.
        stays: items (or folders, rules, delegates) that will not move, by code; items that a rule leaves out
            are among them.
        unknown: codes about which the source does not answer.
        extras: of what stays, what lies outside of all containers; None for a count that the source does not
            tell. Empty if the source has no such things.
        oddities: counts by fixed words.
        delegates: the addresses of those who may act for its owner; none unless they were asked for.
        delegates_unknown: True if they were asked for, and the source does not say.
        code: why the look ended early; None if it did not.
        passing: True if that may be different next time.
        cause: what this machine found of it (MigrationError.local), for the terminal only.
    """

    person: Person
    containers: int = 0
    items: int = 0
    bytes: int | None = None
    largest: int | None = None
    kinds: Counter[Kind] = field(default_factory=Counter)
    sizes: Counter[Kind] = field(default_factory=Counter)
    stays: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)
    extras: dict[str, int | None] = field(default_factory=dict)
    oddities: Counter[str] = field(default_factory=Counter)
    delegates: tuple[str, ...] = ()
    delegates_unknown: bool = False
    code: str | None = None
    passing: bool = False
    cause: str = ""


def take_all(
    config: Config, people: Sequence[Person], progress: Callable[[], None], *, delegates: bool = False
) -> list[Inventory]:
    """Take every mailbox's inventory, several at once, and return them in the order given.

    Args:
        config: the configuration.
        people: the mailboxes.
        progress: called after each mailbox.
        delegates: True to ask also who may act for each owner.

    Raises:
        Misconfigured: if several logins in a row are refused.
    """
    breaker = LoginBreaker(describe=partial(login_place, config))
    return map_mailboxes(
        people,
        config.run.mailboxes_at_once,
        lambda person: take_inventory(config, person, breaker, delegates=delegates),
        progress,
    )


def keep(config: Config, inventories: Sequence[Inventory]) -> None:
    """Keep in the ledger what lies outside of all containers, for reports; a ledger is made if there is none.

    Args:
        config: the configuration.
        inventories: of those that ended early, nothing is kept.
    """
    found = {
        planned_mailbox(config, one.person).source: one.extras for one in inventories if one.code is None
    }
    if found:
        with opened_ledger(config) as ledger:
            keep_extras(ledger, found)


def take_inventory(
    config: Config, person: Person, breaker: LoginBreaker | None = None, *, delegates: bool = False
) -> Inventory:
    """List the whole mailbox without reading a body.

    Args:
        config: the configuration.
        person: the mailbox.
        breaker: counts refused logins; None for a new one.
        delegates: see take_all.

    Raises:
        Misconfigured: if the configuration cannot be used. This concerns all mailboxes.
        Corrupt: if an invariant of the ledger is broken. This concerns all mailboxes.
    """
    inventory = Inventory(person)
    try:
        with contain_defects(f"line {person.line}"):
            workloads, known = person.moves(config.workloads), False
            for side, kinds in config.source.asked(workloads).items():
                with closing(open_source(config, person.source_account, kinds, looking=True)) as source:
                    with (breaker or LoginBreaker()).login(side, person.source):
                        source.identity()
                    _count(inventory, source, kinds, frozenset(workloads) - kinds)
                    known |= delegates and _ask_delegates(inventory, source)
            inventory.delegates_unknown = delegates and not known
    except (Misconfigured, Corrupt):
        raise
    except MigrationError as error:
        inventory.code = error.code
        inventory.passing = isinstance(error, Transient)
        inventory.cause = error.local
    return inventory


def _count(
    inventory: Inventory, source: Source, workloads: frozenset[Kind], elsewhere: frozenset[Kind]
) -> None:
    """Count what one source has.

    Args:
        inventory: to which it is added.
        source: the open source.
        workloads: what is read from it.
        elsewhere: what is read from another source: what this one has of that is not counted.
    """
    for container in source.containers():
        if container.kind in elsewhere:
            continue
        stays = container.omit or (None if container.kind in workloads else f"no-target-{container.kind}")
        if stays is not None:
            _leave(inventory, stays, _total(source, container))
            continue
        inventory.containers += 1
        _look(inventory, container)
        _enumerate(inventory, source, container)
    if isinstance(source, SupportsExtras):
        moving = {KINDS[kind].extra for kind in workloads | elsewhere}
        for code, count in dict(source.extras()).items():
            if code in moving:
                continue
            more = inventory.extras.get(code, 0)
            inventory.extras[code] = None if count is None or more is None else count + more
            if count is None:
                inventory.unknown.append(code)
            elif count:
                inventory.stays[code] += count


def _ask_delegates(inventory: Inventory, source: Source) -> bool:
    """Note who may act for the owner; return False if this source does not say."""
    found = source.delegates() if isinstance(source, SupportsDelegates) else None
    inventory.delegates += tuple(one for one in found or () if one not in inventory.delegates)
    return found is not None


def _total(source: Source, container: Container) -> int | None:
    """Return how many items are in a container that stays; None if that is neither reported nor readable."""
    if container.total is not None or container.omit not in LISTABLE:
        return container.total
    try:
        return sum(not ref.deleted for page in source.changes(container, None) for ref in page.refs)
    except (Misconfigured, Corrupt):
        raise
    except MigrationError:
        return None


def _leave(inventory: Inventory, code: str, total: int | None) -> None:
    """Note what stays: empty folders are not mentioned, folders of unknown size are."""
    if total is None:
        inventory.unknown.append(code)
    elif total:
        inventory.stays[code] += total


def _look(inventory: Inventory, container: Container) -> None:
    name = container.path[-1] if container.path else ""
    facts = {
        "long folder name": len(name.encode()) > LONG_NAME,
        "separator in folder name": "/" in name or "\\" in name,
        "deep folder": len(container.path) > DEEP,
        "folder of more than 100,000 items": (container.total or 0) > MANY_ITEMS,
    }
    inventory.oddities.update(fact for fact, holds in facts.items() if holds)


def _enumerate(inventory: Inventory, source: Source, container: Container) -> None:
    count = whole = 0
    for page in source.changes(container, None):
        listed = [ref for ref in page.refs if not ref.deleted]
        left_out = _left_out(source, container, [ref for ref in listed if ref.foreign])
        inventory.stays.update(left_out.values())
        refs = [ref for ref in listed if ref.id not in left_out]
        whole += len(listed)
        count += len(refs)
        sizes = [ref.size for ref in refs if ref.size is not None]
        if sizes:
            inventory.bytes = (inventory.bytes or 0) + sum(sizes)
            inventory.sizes[container.kind] += sum(sizes)
            inventory.largest = max(inventory.largest or 0, *sizes)
            inventory.oddities["item over 25 MB"] += sum(size > LARGE_BYTES for size in sizes)
            inventory.oddities["empty item"] += sizes.count(0)
    if container.total is not None and container.total != whole:
        inventory.oddities["folder whose own count differs"] += 1
    inventory.items += count
    inventory.kinds[container.kind] += count


def _left_out(source: Source, container: Container, refs: Sequence[Ref]) -> dict[str, str]:
    """Return the code of the rule that leaves an item out, by the item's id, for those that do not move."""
    if not refs:
        return {}
    skip = ITEM_FORMS[container.kind].skip
    answers = source.fetch(container, refs, bodies=False)
    return {
        answer.ref.id: code for answer in answers if isinstance(answer, Native) and (code := skip(answer))
    }
