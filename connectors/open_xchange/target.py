"""Write to an account of Open-Xchange over DAV, with its HTTP API as a second way.

DAV carries everything that it can. The API tells what DAV's listings leave out, and carries distribution
lists, which CardDAV drops, and recurring tasks, which CalDAV refuses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from connectors.caldav.principal import Principal
from connectors.caldav.products import PROFILES
from connectors.caldav.read import Shared
from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.http.hrefs import Mine, anybody
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.http.suspects import PutAside, suspects_last
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.distribution_lists import DistributionLists
from connectors.open_xchange.folders import default_book, folder_of, item_name
from connectors.open_xchange.recurring_tasks import RecurringTasks
from connectors.open_xchange.side_items import SideItems, SideStore
from connectors.open_xchange.whole_listing import own_events
from connectors.settings import Account
from model.errors import Rejected
from model.kept_fields import TaskLimits
from model.kinds import Kind
from model.protocols import Amendment, Capabilities, Failed, Guard, Item, Listed, Native, Stored

STORES: Final[Mapping[Kind, Callable[[ApiClient], SideStore]]] = {
    Kind.CONTACTS: DistributionLists,
    Kind.TASKS: RecurringTasks,
}


class OpenXchangeTarget(DavTarget):
    """Write one kind of items to one account; see DavTarget.

    Implements in addition ListsWhole of `model.optional_protocols`. It is a DavTarget, because whatever DAV
    can do is done by DAV.
    """

    def __init__(
        self,
        settings: DavSettings,
        account: Account,
        guard: Guard,
        spool: Path,
        *,
        kind: Kind,
        digest: Callable[[BinaryIO], bytes],
        shared: Shared | None = None,
        mine: Mine = anybody,
        live: bool = False,
        budget: RequestBudget = NO_BUDGET,
    ) -> None:
        """Prepare the target; the server is not asked before the first call.

        Args:
            settings: the server's settings, with `api`.
            account: the account to log in as.
            guard: see DavTarget; likewise for the other arguments.
            spool: see DavTarget.
            kind: see DavTarget.
            digest: see DavTarget.
            shared: see DavTarget.
            mine: see DavTarget.
            live: see DavTarget.
            budget: asked before each request, of the API too.

        Raises:
            Misconfigured: the settings name no API, or the server's kind does not hold such items.
        """
        super().__init__(
            settings,
            account,
            guard,
            spool,
            kind=kind,
            digest=digest,
            shared=shared,
            mine=mine,
            live=live,
            budget=budget,
        )
        self._api = ApiClient(settings, account, PROFILES[settings.profile], self._principal, budget)
        self._store = STORES[kind](self._api) if kind in STORES else None
        self._kept: dict[str, SideItems] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Return what the server can do; asks once."""
        capabilities = super().capabilities
        if self._kind is Kind.CONTACTS:
            return replace(capabilities, groups=True, plain_lists=True)
        if self._kind is Kind.TASKS:
            return replace(capabilities, recurring_tasks=True, tasks=_with_rules(capabilities.tasks))
        return capabilities

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Write items; see `model.protocols.Target.write`. May have written any of them even if it raises.

        Those that DAV does not hold are written one after the other, between those that it does. The folder
        is listed anew before the first of them: one may have landed since.

        Raises:
            Blocked: see `DavTarget.write` and `connectors.open_xchange.answers.content`.
        """
        if self._store is None:
            yield from super().write(href, items)
            return
        done: deque[Stored | Failed] = deque()
        by_api, store = _Batch(self._known_beside(href, self._store)), self._store
        try:
            for_dav = _for_dav(items, store, by_api, lambda: self._beside(href, store), done)
            for result in super().write(href, for_dav):
                yield result
                yield from _taken(done)
            yield from _taken(done)
            yield from suspects_last(by_api.aside, lambda some: map(by_api.beside.write, some))
        except BaseException:
            by_api.changed = True
            raise
        finally:
            if by_api.changed:
                self._kept.pop(href, None)

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """List all objects, with those that DAV does not show; see `model.protocols.Target.listing`."""
        yield from super().listing(href, since)
        if self._store is not None:
            yield from (Listed(href=name, size=0) for name in self._beside(href, self._store).names)

    def look_up(self, href: str, names: Iterable[str]) -> Iterator[Listed]:
        """Yield those of these objects that exist; see `model.optional_protocols.LooksUp`."""
        if self._store is None:
            yield from super().look_up(href, names)
            return
        beside, others = self._known_beside(href, self._store), list[str]()
        for name in names:
            if beside.has(name):
                yield Listed(href=name, size=0)
            else:
                others.append(name)
        yield from super().look_up(href, others)

    def whole(self, href: str) -> Iterator[Listed]:
        """List what the owner has, of any time; see `model.optional_protocols.ListsWhole`.

        Meetings of colleagues do not count.
        """
        if self._kind is not Kind.CALENDAR:
            yield from self.listing(href)
            return
        for name in own_events(self._api, folder_of(self._kind, href)):
            yield Listed(href=name, size=0)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read objects back; see `model.protocols.Target.read`."""
        if self._store is None:
            yield from super().read(href, hrefs)
            return
        beside, others = self._known_beside(href, self._store), list[str]()
        for name in hrefs:
            if beside.has(name):
                yield name, beside.read(name)
            else:
                others.append(name)
        yield from super().read(href, others)

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Check that the items exist; see `DavTarget.amend`."""
        self._refuse_when_live()
        if self._store is None:
            return super().amend(href, changes)
        return self._amended(href, changes, self._beside(href, self._store))

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Remove objects; see `DavTarget.remove`."""
        self._refuse_when_live()
        if self._store is None:
            return super().remove(href, stored)
        return self._removed(href, stored, self._beside(href, self._store))

    def close(self) -> None:
        """Close every socket, then end the session; safe from any thread and more than once."""
        super().close()
        self._api.close()

    # -- internals

    def _placed_principal(self) -> Principal:
        """Return the principal; the default address book is where the API says, since DAV says nothing."""
        owner = self._principal()
        number = default_book(self._api) if self._kind is Kind.CONTACTS else None
        return owner if number is None else replace(owner, default=f"{owner.homes[0]}{number}/")

    def _beside(self, href: str, store: SideStore) -> SideItems:
        """Look up what is in a folder beside DAV."""
        self._kept.pop(href, None)
        folder = folder_of(self._kind, href)
        found = SideItems(
            self._api,
            store,
            folder,
            self._guard,
            self._digest,
            self._mine,
            self._suspects,
            live=self._live,
        )
        self._kept[href] = found
        return found

    def _known_beside(self, href: str, store: SideStore) -> SideItems:
        """Return what was in a folder beside DAV when it was listed last; list it if it was not.

        A listing holds the whole folder, so that one for each batch would grow with its square.
        """
        return self._kept.get(href) or self._beside(href, store)

    def _amended(
        self, href: str, changes: Iterable[Amendment], beside: SideItems
    ) -> Iterator[Stored | Failed]:
        for change in changes:
            if not beside.has(change.stored.href):
                yield from super().amend(href, [change])
                continue
            self._guard()
            refused = Failed(change.stored.key, Rejected("flag-not-allowed", "objects have no flags"))
            yield refused if change.flags else change.stored

    def _removed(self, href: str, stored: Iterable[Stored], beside: SideItems) -> Iterator[Stored | Failed]:
        others: list[Stored] = []
        for one in stored:
            if beside.has(one.href):
                yield beside.remove(one)
            else:
                others.append(one)
        yield from super().remove(href, others)


@dataclass(slots=True)
class _Batch:
    """Hold what is beside DAV during one write.

    Attributes:
        beside: as it was listed last.
        changed: True if it may have changed since.
        aside: the items that are written again after the others.
    """

    beside: SideItems
    changed: bool = False
    aside: list[Item] = field(default_factory=list)


def _for_dav(
    items: Iterable[Item],
    store: SideStore,
    batch: _Batch,
    listed_anew: Callable[[], SideItems],
    done: deque[Stored | Failed],
) -> Iterator[Item]:
    """Yield the items that DAV holds; write the others, and add their results to `done`.

    What is beside DAV under the name of one that DAV holds is its older form: it makes way.
    """
    for item in items:
        with item.body() as stream:
            is_for_dav = not store.takes(stream)
        if not is_for_dav:
            if not batch.changed:
                batch.beside, batch.changed = listed_anew(), True
            result = batch.beside.write(item)
            if isinstance(result, PutAside):
                batch.aside.append(result.item)
            else:
                done.append(result)
            continue
        try:
            if item.uid is not None and batch.beside.make_way(item_name(store.kind, item.uid)):
                batch.changed = True
        except Rejected as error:
            done.append(Failed(item.key, error))
        else:
            yield item


def _taken(done: deque[Stored | Failed]) -> Iterator[Stored | Failed]:
    """Yield the results and take them out."""
    while done:
        yield done.popleft()


def _with_rules(limits: TaskLimits) -> TaskLimits:
    """Return what the server keeps of tasks when the API takes those that come back."""
    kept = None if limits.properties is None else limits.properties | {"RRULE"}
    return replace(limits, properties=kept, confidential=False, plain_series=True)
