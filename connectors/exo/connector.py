"""Describe the connector of eXo's agenda: a target of calendars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, TargetRequest
from model.kinds import Kind

if TYPE_CHECKING:
    from connectors.exo.settings import AgendaSettings
    from connectors.exo.target import AgendaTarget


def _target(settings: AgendaSettings, request: TargetRequest) -> AgendaTarget:
    from connectors.exo.target import AgendaTarget

    return AgendaTarget(settings, request.account, request.guard, digest=request.digest, live=request.live)


CONNECTORS = (
    Connector(
        kind="exo-agenda",
        settings="connectors.exo.settings:AgendaSettings",
        writes=frozenset({Kind.CALENDAR}),
        open_target=_target,
    ),
)
