"""Describe any WebDAV server (RFC 4918).

Some write a PUT straight to its place (WsgiDAV), so that an interrupted one leaves half a file there; a MOVE
is complete or does not happen. Dates are set by PROPPATCH, if at all.
"""

from __future__ import annotations

from typing import Final

from connectors.webdav.product import FilesProfile
from model.file_names import FileNames

PROFILE: Final = FilesProfile(
    name="webdav",
    atomic=False,
    names=FileNames(bytes=255, path_bytes=3800, characters="\\", composed=True),
)
