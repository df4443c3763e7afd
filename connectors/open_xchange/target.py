"""Write to an account of Open-Xchange over DAV, with its HTTP API as a second way.

DAV carries everything that it can. The API tells what DAV's listings leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from connectors.caldav.products import PROFILES
from connectors.caldav.read import Shared
from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.http.hrefs import Mine, anybody
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.folders import folder_of
from connectors.open_xchange.whole_listing import own_names
from connectors.settings import Account
from model.protocols import Guard, Kind, Listed


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
        self._api = ApiClient(settings, account, PROFILES[settings.profile], budget)

    def whole(self, href: str) -> Iterator[Listed]:
        """List what the owner has, of any time; see `model.optional_protocols.ListsWhole`.

        Meetings of colleagues do not count.
        """
        if self._kind is not Kind.CALENDAR:
            yield from self.listing(href)
        for name in own_names(self._api, self._kind, folder_of(self._kind, href)):
            yield Listed(href=name, size=0)

    def close(self) -> None:
        """Close every socket, and end the session; safe from any thread and more than once."""
        super().close()
        self._api.close()
