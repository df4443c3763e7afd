"""Describe the connector that gives rights to folders, on the servers of the other targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, TargetRequest
from model.kinds import Kind

if TYPE_CHECKING:
    from connectors.folder_rights.settings import FolderRightsSettings
    from connectors.folder_rights.target import FolderRightsTarget


def _target(_settings: FolderRightsSettings, request: TargetRequest) -> FolderRightsTarget:
    from connectors.folder_rights.target import FolderRightsTarget

    return FolderRightsTarget(request.stores(), kind=request.kind, digest=request.digest, live=request.live)


CONNECTORS = (
    Connector(
        kind="folder-rights",
        settings="connectors.folder_rights.settings:FolderRightsSettings",
        writes=frozenset({Kind.PERMISSIONS}),
        open_target=_target,
    ),
)
