"""Describe eXo Platform's two WebDAV servers, from their source code.

JCR (6 and 7.0): HTTP Basic; a user's files are below folders that share the beginnings of names. Drives (7.1
and later): HTTP Digest with a separate key; a drive is named by an id, which the portal gives. Both answer a
PUT with 201 whether there was a file or not, and make it a new version: therefore Kogge looks first. Depth:
infinity lists nothing. No date can be set.
"""

from __future__ import annotations

from typing import Final

from connectors.webdav.product import FilesProfile
from model.file_names import FileNames

NAMES: Final = FileNames(
    bytes=250,
    path_bytes=3000,
    characters="\\%;",
    names=frozenset({".ds_store", "thumbs.db", "desktop.ini"}),
)
JCR: Final = FilesProfile(
    name="exo-jcr",
    home="/rest/private/jcr/repository/collaboration/Users/{crowd}/Private",
    writers=1,
    conditional=False,
    dates="",
    names=NAMES,
)
DRIVES: Final = FilesProfile(
    name="exo-drives",
    home="/webdav/drives/d/{user}",
    drives="/portal/rest/v1/social/identities/organization/{user}",
    writers=1,
    conditional=False,
    dates="",
    names=NAMES,
)
