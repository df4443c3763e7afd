"""Read and spell sites of SharePoint as sources: rows of mailboxes.csv without a mailbox, with files alone.

site:HOST:/sites/NAME           a site with all its libraries
site:HOST:/sites/NAME:LIBRARY   one library, by its name or as its address spells it
site:HOST:/                     the root site

The ledger holds them in one spelling: lower case, NFC, a blank as %20 and a percent sign as %25.
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
"""A person's OneDrive lies below /personal/. It moves with its owner's mailbox."""


@dataclass(frozen=True, slots=True)
class Site:
    """Name a site of SharePoint, or one library of it.

    Attributes:
        host: the host in the site's address.
        path: the path in the site's address, without a slash at its end; "/" for the root site.
        library: the library's name; "" means all libraries of the site.
    """

    host: str
    path: str
    library: str = ""

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Parse a site as a person spells it. Return None if the text is not spelled like a site."""
        if ":" not in text and "%" not in text:
            return None
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
        """Return the site's address in a browser; of a library its own address, if that has its name."""
        path = "/".join(part for part in (*self.path.split("/"), self.library) if part)
        return f"https://{self.host}/{quote(path)}"

    @property
    def whole(self) -> Site:
        """Return the site that a library belongs to."""
        return Site(self.host, self.path)


def is_site(text: str) -> bool:
    """Return True if the text means a site, even if it is misspelled."""
    return text.lower().startswith(PREFIX)


def one_spelling(name: str) -> str:
    """Return the ledger's spelling of a mailbox that a person named: by an id, an address or a site."""
    site = Site.read(name.strip()) if is_site(name.strip()) else None
    return name.strip().lower() if site is None else str(site)
