"""What only some systems can tell. Core code asks isinstance(source, TellsSenders), never for a vendor; each
method may raise what the others of its side may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Protocol, runtime_checkable

from model.protocols import Container, Failed, Kind, Loss, Native, Ref


@runtime_checkable
class SupportsServerInfo(Protocol):
    """A source that says more about its server than it knew before it was asked."""

    def server(self) -> Mapping[str, str]:
        """Product, version and the like, as short printable values. Asks the server each time."""
        ...


@dataclass(frozen=True, slots=True)
class Rights:
    """What a credential may do more than it needs, by the names its system gives to permissions. wide: for
    every account, where it could be given for some; writes: more than to read."""

    wide: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@runtime_checkable
class SupportsRights(Protocol):
    """A source whose credential states what it may do."""

    def rights(self) -> Rights:
        """Whoever's account it is. Asks the server, not for the account."""
        ...

    def withheld(self) -> frozenset[Kind]:
        """The kinds, of those that this source was opened for, that may not be read of this account."""
        ...


@runtime_checkable
class SupportsQuota(Protocol):
    """A target that knows how much room an account has."""

    def quota(self) -> tuple[int, int] | None:
        """Bytes used, and bytes allowed; None when the server sets or tells no limit."""
        ...


@runtime_checkable
class SupportsExtras(Protocol):
    """A source that counts what is outside of its containers and therefore stays."""

    def extras(self) -> Iterator[tuple[str, int | None]]:
        """(code, count), each code once, in a fixed order; count None: the server does not say."""
        ...


@runtime_checkable
class SupportsSenders(Protocol):
    """A source that can say who sent the newest of its Sent Items."""

    def sent_from(self, limit: int) -> list[str]:
        """Lower-case addresses, one for each of at most `limit` items, newest first; [] when there are no
        Sent Items. Items without a sender are left out."""
        ...


@runtime_checkable
class SupportsOccurrences(Protocol):
    """A source that expands its series itself."""

    def occurrences(
        self, container: Container, start: datetime, end: datetime
    ) -> Iterator[tuple[str, datetime, datetime]] | None:
        """UID, start and end in UTC of everything in a calendar that lies in [start, end), each occurrence
        once; a whole day begins at midnight of the zone it was made in. None: this server does not expand."""
        ...


@runtime_checkable
class Schedules(Protocol):
    """A target whose server may mail invitations because of what is written to it."""

    def silence(self) -> str:
        """Why it stays silent: "never-sends" (the product cannot, or is told of nobody it could invite),
        "measured" (what we send with each request was seen to keep this product silent), or "unproven" (a
        canary must show it before anything is written). Asks the server, once: what it says of itself may
        speak against its configuration."""
        ...


@runtime_checkable
class SupportsDigests(Protocol):
    """A target that hashes what it stores itself, so that a large file need not be fetched to be compared."""

    def digests(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes | Failed]]:
        """The SHA-256 of each item's bytes as they are stored now, read for this answer."""
        ...


@runtime_checkable
class SupportsContainerDates(Protocol):
    """A target whose containers have a date of their own."""

    def stamp(self, href: str, modified: datetime) -> tuple[Loss, ...]:
        """Sets it; idempotent. Whatever is written below afterwards changes it again: children come first."""
        ...


@runtime_checkable
class SupportsItemDates(Protocol):
    """A target that can give an item another date where it is, without writing it anew."""

    def redate(self, href: str, name: str, modified: datetime) -> bool:
        """Idempotent; whether it has that date now. In the live phase refused with Blocked("live-phase")."""
        ...


@runtime_checkable
class RemovesContainers(Protocol):
    """A target that can remove a container and is sure that nothing was in it."""

    def clear(self, href: str) -> bool:
        """Removes it when nothing is in it; idempotent. False: something is, or the server refuses. In the
        live phase refused with Blocked("live-phase")."""
        ...


@runtime_checkable
class SupportsLeftovers(Protocol):
    """A target that writes some items beside their place first, and moves them there when they are whole."""

    def leftovers(self) -> frozenset[tuple[str, str, bytes]]:
        """(href of the container, item href, beginning of the item's key) of what lies beside its place, by
        its name, as containers() saw it last."""
        ...


@runtime_checkable
class SupportsFileNames(Protocol):
    """A target whose listings leave out some of what has a name in a container: folders, what is shared."""

    def names(self, href: str) -> Iterator[str]:
        """Every name that something has there. Raises Blocked("container-missing")."""
        ...


@runtime_checkable
class SupportsVersionHistory(Protocol):
    """A source that knows what its items were before."""

    def fetch_versions(
        self, container: Container, refs: Iterable[Ref], most: int
    ) -> Iterator[Native | Failed]:
        """As fetch, and the newest `most` of each item's older versions with it (see mappings.files.file)."""
        ...


@runtime_checkable
class SupportsVersionWrites(Protocol):
    """A target that keeps what an item was before it was overwritten."""

    def versions(self, href: str, name: str) -> int | None:
        """How many older versions of an item are there now; None where it is not there itself, or the server
        does not tell."""
        ...


class Dead(Enum):
    """Why an address leads to no item of a source."""

    GONE = "gone"
    OTHER_TENANT = "other-tenant"
    UNREADABLE = "unreadable"


@runtime_checkable
class SupportsLinks(Protocol):
    """A source that knows which of its items an address in a browser leads to."""

    def resolve(self, url: str) -> str | Dead:
        """The source id of a file or a folder, in whoever's drive it is. Only looks."""
        ...


class Sharing(StrEnum):
    """With whom something is shared. Of those that are no shares, LESS: somebody who has a folder above has
    less here; UNTOLD: the source does not say with whom it is."""

    USER = "user"
    GROUP = "group"
    LINK = "link"
    EXTERNAL = "external"
    LESS = "less"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission that is not inherited. who: a lower-case address, or a group's name; "" of a link.
    everyone: the link needs no login. A password itself is never known. odd: it gives rights that the other
    fields do not tell, or to nobody whom they name: EXTERNAL then."""

    kind: Sharing
    who: str = ""
    write: bool = False
    expires: datetime | None = None
    password: bool = False
    everyone: bool = False
    odd: bool = False

    @property
    def party(self) -> tuple[str, ...]:
        """Equal for grants of one item that are one share. A link is nobody's: each is one of its own."""
        if self.kind is Sharing.LINK:
            return self.kind, str(self.write), str(self.expires), str(self.password), str(self.everyone)
        return self.kind, self.who.casefold() if self.kind is Sharing.USER else self.who


@runtime_checkable
class SupportsGrants(Protocol):
    """A source that knows with whom items and containers are shared."""

    def grants(self, container: Container) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        """(source id, grants) of every item in a container that is shared, and of the container itself."""
        ...


def nobody_listens() -> None:
    """Nothing ends the waiting but the lease and close()."""


@runtime_checkable
class SupportsShares(Protocol):
    """A target that can share what it holds. Nobody is told of it. who is a login or a group of the target.
    share and unshare refuse in the live phase with Blocked("live-phase")."""

    def kept(self, grants: Iterable[Grant], *, whole: bool) -> tuple[tuple[Grant, ...], tuple[Loss, ...]]:
        """What the target would have of these, each person and group once and equal to what shared() tells,
        and what it would not take. whole: of a container. May ask the server for its rules, once."""
        ...

    def shared(self, href: str, name: str | None) -> frozenset[Grant]:
        """With whom an item, or with name None the container, is shared now. Whom no other kind names is
        EXTERNAL. Raises Rejected("vanished")."""
        ...

    def share(
        self,
        href: str,
        name: str | None,
        grants: Iterable[Grant],
        waiting: Callable[[], None] = nobody_listens,
    ) -> Iterator[tuple[Grant, Loss | None]]:
        """Shares it so, and changes what is shared otherwise; idempotent. One result per grant, of those that
        kept() gave: None, or what the server refuses. Some let an account share little at a time: that is
        waited out, and waiting is called meanwhile and may raise. Raises Rejected("vanished")."""
        ...

    def unshare(self, href: str, name: str | None, grants: Iterable[Grant]) -> None:
        """Takes back these, as shared() told them; idempotent."""
        ...


@runtime_checkable
class SupportsHeaders(Protocol):
    """A target of mail that lists fields of its items' headers."""

    def headers(self, href: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """(item href, those lines of its header as they are) of everything in a container, in the order in
        which it came. Nothing of a container that only shows what lies in others. Streams in windows."""
        ...


@runtime_checkable
class SupportsMark(Protocol):
    """A target that keeps a short text of ours beside the account, where its owner does not see it."""

    def mark(self) -> str | None:
        """What was kept last, by anybody; None: nothing, or there is no place for it. Asks the server."""
        ...

    def keep_mark(self, text: str) -> bool:
        """Keeps it in place of the one before; ASCII. Allowed in every phase. False when this server has no
        place for it. May have kept it even if it raises."""
        ...
