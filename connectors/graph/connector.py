"""Describe the connector of Microsoft Graph: a source of everything but notes, and of sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, SourceRequest
from model.kinds import Kind
from model.sites import Site

if TYPE_CHECKING:
    from connectors.graph.source import GraphSource
    from connectors.graph_api.settings import GraphSettings
    from connectors.settings import Account

MAILBOX_REQUESTS = 10_000 / 600
"""Requests a second for one mailbox: Microsoft allows an application 10,000 in ten minutes.

Source: https://learn.microsoft.com/en-us/graph/throttling-limits
"""


def _source(settings: GraphSettings, request: SourceRequest) -> GraphSource:
    from connectors.graph.source import GraphSource

    account = _as_graph_names(request.account)
    return GraphSource(settings, account, request.spool, request.kinds, listed=request.listed)


def _as_graph_names(account: Account) -> Account:
    """Return the account; a site is opened by its address in a browser."""
    site = Site.read(account.login)
    return account if site is None else account.model_copy(update={"login": site.url})


CONNECTORS = (
    Connector(
        kind="graph",
        settings="connectors.graph_api.settings:GraphSettings",
        reads=frozenset(
            {Kind.MAIL, Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS, Kind.FILES, Kind.SETTINGS, Kind.PERMISSIONS}
        ),
        open_source=_source,
        of_sites=True,
        scoped=True,
        links="OneDrive and SharePoint",
        mailbox_requests=MAILBOX_REQUESTS,
    ),
)
