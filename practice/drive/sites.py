"""Practice sites of SharePoint: each with document libraries, which are drives."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from urllib.parse import quote

from practice.drive.drive import Drive
from practice.harness.dice import digest

HOST = "practice.sharepoint.example"
MY_HOST = "practice-my.sharepoint.example"
LIBRARIES = ("Freigegebene Dokumente", "Bauakten")


@dataclass(frozen=True, slots=True)
class Site:
    """Hold a site. The first library is the default one.

    Attributes:
        path: below the host ("sites/bauamt").
    """

    id: str
    path: str
    title: str
    libraries: tuple[Drive, ...]

    @property
    def web(self) -> str:
        """Return the site's address in a browser."""
        return f"https://{HOST}/{self.path}"


def make_site(seed: int, path: str, title: str, lock: threading.RLock) -> Site:
    """Return a site with empty libraries."""
    ids = (uuid.UUID(bytes=digest(seed, path, part)) for part in ("site", "web"))
    id_ = ",".join((HOST, *map(str, ids)))
    libraries = tuple(
        Drive(seed, f"{path}/{name}", name, f"https://{HOST}/{path}/{quote(name)}", lock=lock)
        for name in LIBRARIES
    )
    return Site(id_, path, title, libraries)
