"""Describe the connectors of CalDAV and CardDAV: targets of calendars and tasks, and of contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, StoreRequest, TargetRequest, named
from model.kinds import Kind

if TYPE_CHECKING:
    from connectors.caldav.availability import DavAvailability
    from connectors.caldav.rights import DavRights
    from connectors.caldav.settings import DavSettings
    from connectors.caldav.target import DavTarget

SETTINGS = "connectors.caldav.settings:DavSettings"
PLAIN = "connectors.caldav.target:DavTarget"
RIGHTS = "connectors.caldav.rights:DavRights"
HOURS = "connectors.caldav.availability:DavAvailability"
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


def _rights(settings: DavSettings, request: StoreRequest) -> DavRights:
    opened: type[DavRights] = named(RIGHTS)
    return opened(settings, request.account, request.guard, kind=request.kind, budget=request.budget)


def _hours(settings: DavSettings, request: StoreRequest) -> DavAvailability:
    opened: type[DavAvailability] = named(HOURS)
    return opened(settings, request.account, request.guard, budget=request.budget)


def _keeps_rights(settings: DavSettings) -> bool:
    return settings.shares


CONNECTORS = (
    Connector(
        kind="caldav",
        settings=SETTINGS,
        writes=frozenset({Kind.CALENDAR, Kind.TASKS}),
        open_target=_target,
        rights=frozenset({Kind.CALENDAR, Kind.TASKS}),
        open_rights=_rights,
        open_hours=_hours,
        has_rights=_keeps_rights,
    ),
    Connector(
        kind="carddav",
        settings=SETTINGS,
        writes=frozenset({Kind.CONTACTS}),
        open_target=_target,
        rights=frozenset({Kind.CONTACTS}),
        open_rights=_rights,
        has_rights=_keeps_rights,
    ),
)
