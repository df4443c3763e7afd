"""Describe Nextcloud, as measured with 32.0.1.

A PUT is first written to a part file. X-OC-MTime of the first day of 1970 is answered with 500, and the file
is there with today's date. A directory's date can be set by PROPPATCH only, and changes when a child is
added. Names have at most 250 bytes. Two writers are as fast as four. Single files: 15 to 23 a second; in bulk
37 to 46.
"""

from __future__ import annotations

from typing import Final

from connectors.webdav.product import FilesProfile
from model.file_names import FileNames

PROFILE: Final = FilesProfile(
    name="nextcloud",
    home="/remote.php/dav/files/{user}",
    ocs="/ocs/v2.php",
    editable="/cloud/user/fields",
    uploads="/remote.php/dav/uploads/{user}",
    versions="/remote.php/dav/versions/{user}/versions",
    bulk="/remote.php/dav/bulk",
    hashes=True,
    deep=True,
    dates="seconds",
    oldest=86_401,
    names=FileNames(
        bytes=250,
        path_bytes=3800,
        characters="\\",
        names=frozenset({".htaccess"}),
        endings=frozenset({".part", ".filepart"}),
    ),
    artefacts=(
        "Nextcloud",
        "Readme.md",
        "Reasons to use Nextcloud.pdf",
        "Templates credits.md",
        "Documents/Example.md",
        "Documents/Nextcloud flyer.",
        "Documents/Readme.md",
        "Documents/Welcome to Nextcloud Hub.",
        "Photos/Birdie.",
        "Photos/Frog.",
        "Photos/Gorilla.",
        "Photos/Library.",
        "Photos/Nextcloud community.",
        "Photos/Readme.md",
        "Photos/Steps.",
        "Photos/Toucan.",
        "Photos/Vineyard.",
        "Templates/",
    ),
)
