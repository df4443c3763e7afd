"""Sites of SharePoint as sources: rows of mailboxes.csv that are nobody's mailbox and have files alone.

site:HOST:/sites/NAME           a site with all its libraries
site:HOST:/sites/NAME:LIBRARY   one library, by its name or as its address spells it
site:HOST:/                     the root site

They are written into the ledger in one spelling: lower case, NFC, a blank as %20 and a percent sign as %25.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

PREFIX = "site:"
SHAPE = "site:HOST:/sites/NAME or site:HOST:/sites/NAME:LIBRARY"
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_PATH = re.compile(r"/((sites|teams|portals)/[^/]+/?)?")
"""Below /personal/ lies a person's OneDrive, which moves with its owner's mailbox."""


@dataclass(frozen=True, slots=True)
class Site:
    """host and path as in its address; library "": all of them."""

    host: str
    path: str
    library: str = ""

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None for what is not spelled like one."""
        plain = unicodedata.normalize("NFC", unquote(text)).lower()
        host, _, rest = plain.removeprefix(PREFIX).partition(":")
        path, colon, library = rest.partition(":")
        library = library.strip()
        good = (
            plain.startswith(PREFIX)
            and plain.isprintable()
            and _HOST.fullmatch(host)
            and _PATH.fullmatch(path)
            and bool(colon) == bool(library)
            and not any(mark in library for mark in '/\\:|"')
        )
        return cls(host, path.rstrip("/") or "/", library) if good else None

    def __str__(self) -> str:
        text = f"{PREFIX}{self.host}:{self.path}" + (f":{self.library}" if self.library else "")
        return text.replace("%", "%25").replace(" ", "%20")

    @property
    def url(self) -> str:
        """Its address in a browser, or that of the library where this has its name."""
        path = "/".join(part for part in (*self.path.split("/"), self.library) if part)
        return f"https://{self.host}/{quote(path)}"

    @property
    def whole(self) -> Site:
        """The site that a library is of."""
        return Site(self.host, self.path)


def is_site(text: str) -> bool:
    """Whether text means a site, be it misspelled."""
    return text.lower().startswith(PREFIX)


def one_spelling(name: str) -> str:
    """How the ledger spells what a person calls a mailbox: an id, an address or a site."""
    site = Site.read(name.strip()) if is_site(name.strip()) else None
    return name.strip().lower() if site is None else str(site)
