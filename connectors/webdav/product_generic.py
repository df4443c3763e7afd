"""Any WebDAV server (RFC 4918). Some write a PUT straight into its place (WsgiDAV), so that one which is
cut off leaves half a file there; a MOVE is whole or not at all. Dates go by PROPPATCH, if at all."""

from __future__ import annotations

from typing import Final

from connectors.webdav.product import FilesProfile
from model.file_names import FileNames

PROFILE: Final = FilesProfile(
    name="webdav",
    atomic=False,
    names=FileNames(bytes=255, path_bytes=3800, characters="\\", composed=True),
)
