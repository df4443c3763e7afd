"""Describe the connector of ManageSieve: a target of rules for incoming mail, and of working hours beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, TargetRequest
from model.kinds import Kind

if TYPE_CHECKING:
    from connectors.sieve.settings import SieveSettings
    from connectors.sieve.target import SieveTarget


def _target(settings: SieveSettings, request: TargetRequest) -> SieveTarget:
    from connectors.sieve.target import SieveTarget

    return SieveTarget(
        settings,
        request.account,
        request.guard,
        kind=request.kind,
        digest=request.digest,
        live=request.live,
        hours=request.hours(),
    )


CONNECTORS = (
    Connector(
        kind="managesieve",
        settings="connectors.sieve.settings:SieveSettings",
        writes=frozenset({Kind.SETTINGS}),
        open_target=_target,
    ),
)
