"""Hrefs: whose they are, and one spelling for each. What a server names outside of its own origin or outside
of the collection that was asked about is nobody's: it gets neither a request nor credentials."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

LONGEST = 2048
OURS = re.compile(r"k-[0-9a-f]{32}\.(?:ics|vcf)")
Mine = Callable[[bytes], bool]
"""Whether an item of this key is one of this mailbox's: a server that has one event for all who are invited
shows an organizer's by the name that the organizer's migration gave it."""
_PORTS = {"http": 80, "https": 443}
_SAFE = "!$&'()*+,;=:@-._~"


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what a redirect and an href may not leave."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        parts = urlsplit(url)
        return cls(parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0))

    def path(self, href: str, seen_from: str = "/", longest: int = LONGEST) -> str | None:
        """The canonical path of an href or Location; None when it lies elsewhere or is not one."""
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
        """Host and port, always both: no server's name begins with the whole of another's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.server}"


def anybody(_key: bytes) -> bool:
    """Whoever wrote it, it is this mailbox's."""
    return True


def is_ours(name: str, mine: Mine) -> bool:
    """Whether an object of this name was written for this mailbox."""
    return OURS.fullmatch(name) is not None and mine(bytes.fromhex(name[2:34]))


def canonical(path: str) -> str | None:
    """One spelling of a path: each segment decoded and encoded again. None for one that climbs."""
    parts = [unquote(segment, errors="surrogateescape") for segment in path.split("/")]
    if any(part in {".", ".."} or "\0" in part for part in parts) or not path.startswith("/"):
        return None
    return "/".join(quoted(part) for part in parts)


def quoted(name: str) -> str:
    """A name as a segment of a canonical path."""
    return quote(name, _SAFE, errors="surrogateescape")


def folder(path: str) -> str:
    """A collection's path, which ends with a slash (RFC 4918, 5.2)."""
    return path if path.endswith("/") else path + "/"


def segment(path: str) -> str:
    """The last segment of a path."""
    return path.rstrip("/").rpartition("/")[2]


def child(container: str, path: str) -> str | None:
    """The segment of a path that lies directly in container; None for any other, and container itself."""
    if not path.startswith(container):
        return None
    rest = path[len(container) :].rstrip("/")
    return rest if rest and "/" not in rest else None
