"""Describe the connectors of CalDAV and CardDAV: targets of calendars and tasks, and of contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, TargetRequest, named
from model.kinds import Kind

if TYPE_CHECKING:
    from connectors.caldav.settings import DavSettings
    from connectors.caldav.target import DavTarget

SETTINGS = "connectors.caldav.settings:DavSettings"
PLAIN = "connectors.caldav.target:DavTarget"
WITH_API = "connectors.open_xchange.target:OpenXchangeTarget"


def _target(settings: DavSettings, request: TargetRequest) -> DavTarget:
    opened: type[DavTarget] = named(PLAIN if settings.api is None else WITH_API)
    return opened(
        settings,
        request.account,
        request.guard,
        request.spool,
        kind=request.kind,
        digest=request.digest,
        shared=request.shared,
        mine=request.mine,
        live=request.live,
        budget=request.budget,
    )


CONNECTORS = (
    Connector(
        kind="caldav",
        settings=SETTINGS,
        writes=frozenset({Kind.CALENDAR, Kind.TASKS}),
        open_target=_target,
    ),
    Connector(
        kind="carddav",
        settings=SETTINGS,
        writes=frozenset({Kind.CONTACTS}),
        open_target=_target,
    ),
)
