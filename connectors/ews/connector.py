"""Describe the connector of Exchange Web Services: a source of everything but files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, SourceRequest
from model.kinds import Kind

if TYPE_CHECKING:
    from connectors.ews.settings import EwsSettings
    from connectors.ews.source import EwsSource

AT_ONCE = 27
"""EWSMaxConcurrency of Exchange's default throttling policy, for the one service account.

Source:
https://learn.microsoft.com/en-us/exchange/client-developer/exchange-web-services/ews-throttling-in-exchange
"""


def _source(settings: EwsSettings, request: SourceRequest) -> EwsSource:
    from connectors.ews.source import EwsSource

    return EwsSource(
        settings,
        request.account,
        request.spool,
        request.kinds,
        classes=request.looking,
        listed=request.listed,
    )


CONNECTORS = (
    Connector(
        kind="ews",
        settings="connectors.ews.settings:EwsSettings",
        reads=frozenset({*Kind} - {Kind.FILES}),
        open_source=_source,
        links="OneDrive and SharePoint",
        at_once=AT_ONCE,
    ),
)
