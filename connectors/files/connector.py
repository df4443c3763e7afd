"""Describe the connectors of files: Nextcloud, eXo and any other server of WebDAV, all of them targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.catalogue.connector import Connector, TargetRequest
from model.kinds import Kind

if TYPE_CHECKING:
    from connectors.files.target import FilesTarget
    from connectors.webdav.settings import FilesSettings


def _target(settings: FilesSettings, request: TargetRequest) -> FilesTarget:
    from connectors.files.target import FilesTarget

    return FilesTarget(settings, request.account, request.guard, request.spool, live=request.live)


CONNECTORS = tuple(
    Connector(
        kind=kind,
        settings="connectors.webdav.settings:FilesSettings",
        writes=frozenset({Kind.FILES}),
        open_target=_target,
    )
    for kind in ("nextcloud", "webdav", "exo")
)
