"""Define the section of the configuration that has rights to folders move along."""

from __future__ import annotations

from typing import Literal

from connectors.server_settings import ServerSettings


class FolderRightsSettings(ServerSettings):
    """Give rights where the folders lie: on the servers of the other targets, as these are configured.

    Attributes:
        export: a CSV of rights that an administrator exported; None without one.
    """

    kind: Literal["folder-rights"] = "folder-rights"
    export: str | None = None
