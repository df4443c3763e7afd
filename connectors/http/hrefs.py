"""Check and normalize hrefs: one spelling for each path, and nothing outside of our origin.

What a server names outside of its own origin, or outside of the collection that was requested, is ignored: it
gets neither a request nor credentials.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

LONGEST = 2048
OURS = re.compile(r"(?:k|kogge)-([0-9a-f]{32})\.(?:ics|vcf)")
"""Names that Kogge gives: by an item's key; or by its UID, which has the key, where a server stores it so."""
Mine = Callable[[bytes], bool]
"""Returns True if an item of this key belongs to this mailbox. A server that keeps one event for all invited
people shows an organizer's event by the name that the organizer's migration gave it."""
_PORTS = {"http": 80, "https": 443}
_SAFE = "!$&'()*+,;=:@-._~"


@dataclass(frozen=True, slots=True)
class Origin:
    """Hold scheme, host and port: what a redirect and an href must not leave.

    Attributes:
        scheme: "http" or "https".
        host: lower case; an IPv6 address without brackets.
        port: the port number.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of a URL."""
        parts = urlsplit(url)
        return cls(parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0))

    def path(self, href: str, seen_from: str = "/", longest: int = LONGEST) -> str | None:
        """Return the canonical path of an href or a Location.

        Args:
            href: the server's text.
            seen_from: the path that relative hrefs refer to.
            longest: the most characters of an href.

        Returns:
            The path; None when it has another origin or is not valid.
        """
        if not href or len(href) > longest or not href.isprintable():
            return None
        try:
            url = urljoin(f"{self}{seen_from}", href.strip())
            if Origin.of(url) != self or urlsplit(url).username is not None:
                return None
            return canonical(urlsplit(url).path or "/")
        except ValueError:
            return None

    @property
    def server(self) -> str:
        """Return host and port, always both, so that no server's name is the beginning of another's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.server}"


def anybody(_key: bytes) -> bool:
    """Return True: every item belongs to this mailbox."""
    return True


def is_ours(name: str, mine: Mine) -> bool:
    """Return True if an object of this name was written for this mailbox.

    Args:
        name: the object's name.
        mine: decides by the item's key.
    """
    ours = OURS.fullmatch(name)
    return ours is not None and mine(bytes.fromhex(ours[1]))


def canonical(path: str) -> str | None:
    """Return the one spelling of a path: each segment decoded and encoded again.

    Returns:
        None for a path that climbs ("." and ".."), holds a NUL or is not absolute.
    """
    parts = [unquote(segment, errors="surrogateescape") for segment in path.split("/")]
    if any(part in {".", ".."} or "\0" in part for part in parts) or not path.startswith("/"):
        return None
    return "/".join(quoted(part) for part in parts)


def quoted(name: str) -> str:
    """Return a name as a segment of a canonical path."""
    return quote(name, _SAFE, errors="surrogateescape")


def folder(path: str) -> str:
    """Return a collection's path, which ends with a slash.

    Source:
        RFC 4918, section 5.2.
    """
    return path if path.endswith("/") else path + "/"


def segment(path: str) -> str:
    """Return the last segment of a path."""
    return path.rstrip("/").rpartition("/")[2]


def child(container: str, path: str) -> str | None:
    """Return the segment of a path directly below a container; None for the container and any other path.

    Args:
        container: the container's path, which ends with a slash.
        path: the canonical path to check.
    """
    if not path.startswith(container):
        return None
    rest = path[len(container) :].rstrip("/")
    return rest if rest and "/" not in rest else None
