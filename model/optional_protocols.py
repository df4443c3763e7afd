"""Define what only some systems can do.

Core code asks isinstance(source, SupportsSenders), never for a vendor. Each method may raise what the other
methods of its side may raise (model.protocols.Source, model.protocols.Target). A method that only reads is
idempotent, and it may be repeated after an error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Protocol, runtime_checkable

from model.errors import Blocked
from model.kinds import Kind
from model.names import readable
from model.protocols import Body, Container, Failed, Listed, Loss, Native, Ref


@runtime_checkable
class SupportsServerInfo(Protocol):
    """Tell more about the server than the source knew before it asked."""

    def server(self) -> Mapping[str, str]:
        """Return product, version and the like, as short printable values.

        Idempotent; asks the server each time.
        """


@runtime_checkable
class SupportsTrouble(Protocol):
    """Tell what keeps a call waiting: a side may try again for minutes before it raises anything."""

    def trouble(self) -> str | None:
        """Return the code of the newest passing fault; None if there was none since the server's last answer.

        Asks nothing; safe from any thread.
        """


@dataclass(frozen=True, slots=True)
class Rights:
    """State what a credential may do beyond what it needs, by the system's own names of permissions.

    Attributes:
        wide: permissions for every account that could be given for some.
        writes: permissions to do more than read.
    """

    wide: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@runtime_checkable
class SupportsRights(Protocol):
    """Tell what the credential of a source may do."""

    def rights(self) -> Rights:
        """Return the rights of the credential, which do not depend on the account.

        Idempotent; asks the server, not for the account.
        """

    def withheld(self) -> frozenset[Kind]:
        """Return the kinds, of those that this source was opened for, that may not be read of this account.

        Idempotent.
        """


@runtime_checkable
class SupportsQuota(Protocol):
    """Tell how much room an account of a target has."""

    def quota(self) -> tuple[int, int] | None:
        """Return bytes used and bytes allowed; None if the server sets or states no limit. Idempotent."""


@runtime_checkable
class SupportsExtras(Protocol):
    """Count what is outside of a source's containers and therefore stays."""

    def extras(self) -> Iterator[tuple[str, int | None]]:
        """Yield (code, count), each code once, in a fixed order. Idempotent.

        The count is None if the server does not say.
        """


@runtime_checkable
class SupportsDelegates(Protocol):
    """Tell who may act for the owner of a source's mailbox."""

    def delegates(self) -> list[str] | None:
        """Return the delegates' lower-case addresses, in the server's order; None if it does not say.

        Idempotent. A delegate without an address is left out.
        """


@runtime_checkable
class SupportsSenders(Protocol):
    """Tell who sent the newest of a source's Sent Items."""

    def sent_from(self, limit: int) -> list[str]:
        """Return lower-case sender addresses, one for each of at most `limit` items, the newest first.

        Idempotent. Items without a sender are left out. The list is empty if there are no Sent Items.
        """


@runtime_checkable
class SupportsOccurrences(Protocol):
    """Expand the series of a source at the server itself."""

    def occurrences(
        self, container: Container, start: datetime, end: datetime
    ) -> Iterator[tuple[str, datetime, datetime]] | None:
        """Yield UID, start and end in UTC of everything in a calendar that lies in [start, end).

        Idempotent. Each occurrence comes once. A whole day begins at midnight of the zone it was made in.

        Returns:
            None if this server does not expand series.
        """


@runtime_checkable
class DoubtsStates(Protocol):
    """Tell which containers have a state that does not change with every item (model.protocols.Container)."""

    def stateless(self) -> Collection[str]:
        """Return the ids of those containers, among the ones that this connection has opened.

        Idempotent; does not ask the server.
        """


@runtime_checkable
class NamesOtherwise(Protocol):
    """Tell where items are that the target stored under another name than the one they were sent with."""

    @property
    def names_otherwise(self) -> bool:
        """Return True if the target does so. Idempotent; does not ask the server."""

    def stored_as(self, key: bytes, href: str) -> str:
        """Return where an item is that was sent as `href`. Idempotent; does not ask the server.

        Args:
            key: of the item.
            href: as Stored.href.

        Returns:
            Another href only if `href` is the name that an item of this key is sent with; else `href`.
        """


@runtime_checkable
class LooksUp(Protocol):
    """Find items of a target by their names, where its listing may leave some out."""

    def look_up(self, href: str, names: Iterable[str]) -> Iterator[Listed]:
        """Yield those of these items that exist, in any order. Idempotent; changes nothing.

        Args:
            href: the container.
            names: hrefs of items of it.

        Raises:
            Blocked: `container-missing`.
        """


@runtime_checkable
class ShowsOthers(Protocol):
    """Tell whether an account shows another object of a UID, where one event is everybody's."""

    def shows_another(self, href: str, body: Body) -> bool:
        """Return True if the account's default container has an object of the same UID.

        Idempotent; changes nothing. False if the object itself is in that container.

        Args:
            href: the container of the object.
            body: the object.
        """


@runtime_checkable
class ReadsLinks(Protocol):
    """Read items whose attachments the server keeps apart, without fetching these."""

    def read_links(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read as `model.protocols.Target.read` does; such an attachment stays the link that it is.

        Args:
            href: the container.
            hrefs: the items.
        """


@runtime_checkable
class ListsWhole(Protocol):
    """Tell everything that an account's owner has in a container, also what a listing leaves out."""

    def whole(self, href: str) -> Iterator[Listed]:
        """Yield everything in a container that is its owner's, each item once, in any order. Idempotent.

        What others put there does not count, such as a colleague's meeting.

        Args:
            href: the container.
        """


@runtime_checkable
class Schedules(Protocol):
    """Tell whether a target may mail invitations because of what is written to it."""

    def silence(self) -> str:
        """Return why the server stays silent.

        Idempotent. It asks the server, once: what the server says of itself may speak against its
        configuration.

        Returns:
            "never-sends": the product cannot send, or learns of nobody whom it could invite. "measured": what
            we send with each request was seen to keep this product silent. "unproven": a probe must show it
            before anything is written.
        """


@runtime_checkable
class SupportsDigests(Protocol):
    """Hash stored items at the target, so that a large file need not be fetched to be compared."""

    def digests(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes | Failed]]:
        """Yield the SHA-256 of each item's bytes as they are stored now, read for this answer. Idempotent."""


@runtime_checkable
class SupportsContainerDates(Protocol):
    """Set the date of a target's container."""

    def stamp(self, href: str, modified: datetime) -> tuple[Loss, ...]:
        """Set the date of a container.

        Idempotent. It may have set the date if it raises: call it again. A later write below the container
        changes the date again, so children come first.

        Returns:
            What was lost; empty if the container has exactly this date.
        """


@runtime_checkable
class SupportsItemDates(Protocol):
    """Set another date of an item where it is, without writing the item anew."""

    def redate(self, href: str, name: str, modified: datetime) -> bool:
        """Set the date of an item; return True if it has that date now.

        Idempotent. It may have set the date if it raises: call it again.

        Args:
            href: the container.
            name: the item's href.
            modified: the new date.

        Raises:
            Blocked: "live-phase".
        """


@runtime_checkable
class RemovesContainers(Protocol):
    """Remove a container only if it is certain that nothing is in it."""

    def clear(self, href: str) -> bool:
        """Remove a container if nothing is in it.

        Idempotent: a container that is gone already counts as removed. It may have removed it if it raises:
        call it again.

        Returns:
            False if something is in it, or if the server refuses.

        Raises:
            Blocked: "live-phase".
        """


@runtime_checkable
class SupportsLeftovers(Protocol):
    """List items that a target wrote beside their place and has not yet moved there.

    Such a target writes some items beside their place first, and moves them when they are whole.
    """

    def leftovers(self) -> frozenset[tuple[str, str, bytes]]:
        """Return what lies beside its place, by its name, as containers() last listed it. Idempotent.

        Returns:
            (href of the container, item href, beginning of the item's key).
        """


@runtime_checkable
class SupportsFileNames(Protocol):
    """List names that a target's listings leave out: of folders, of what is shared."""

    def names(self, href: str) -> Iterator[str]:
        """Yield every name that is taken in a container. Idempotent.

        Raises:
            Blocked: "container-missing".
        """


@runtime_checkable
class SupportsVersionHistory(Protocol):
    """Fetch older versions of a source's items."""

    def fetch_versions(
        self, container: Container, refs: Iterable[Ref], most: int
    ) -> Iterator[Native | Failed]:
        """Fetch items as Source.fetch does, with the newest `most` of each item's older versions.

        Idempotent. The versions are described in mappings.files.file.
        """


@runtime_checkable
class SupportsVersionWrites(Protocol):
    """Tell how many older versions of an item a target keeps."""

    def versions(self, href: str, name: str) -> int | None:
        """Return how many older versions of an item exist now. Idempotent.

        Returns:
            None if the item itself does not exist, or if the server does not say.
        """


class Dead(Enum):
    """Say why an address leads to no item of a source."""

    GONE = "gone"
    OTHER_TENANT = "other-tenant"
    UNREADABLE = "unreadable"


@runtime_checkable
class SupportsLinks(Protocol):
    """Tell which item of a source an address in a browser leads to."""

    def resolve(self, url: str) -> str | Dead:
        """Return the source id of a file or a folder, in any person's drive. Idempotent; changes nothing."""


class Sharing(StrEnum):
    """Name with whom something is shared.

    LESS and UNTOLD are no shares. LESS: somebody who has a folder above has fewer rights here. UNTOLD: the
    source does not say with whom it is shared.
    """

    USER = "user"
    GROUP = "group"
    LINK = "link"
    EXTERNAL = "external"
    LESS = "less"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Grant:
    """Describe one permission that is not inherited. A password itself is never known.

    Attributes:
        kind: with whom.
        who: a lower-case address, or a group's name; "" of a link.
        write: True if it gives more than reading.
        expires: when it ends; None if it does not end.
        password: True if a link asks for a password.
        everyone: True if a link needs no login.
        odd: True if the other fields cannot express the grant (unknown rights, or an unknown grantee); kind
            is EXTERNAL then.
    """

    kind: Sharing
    who: str = ""
    write: bool = False
    expires: datetime | None = None
    password: bool = False
    everyone: bool = False
    odd: bool = False

    def __post_init__(self) -> None:
        """Clean the name, so that no connector can pass on one that cannot be kept."""
        object.__setattr__(self, "who", readable(self.who))

    @property
    def party(self) -> tuple[str, ...]:
        """Return a value that is equal for grants of one item that are one share.

        A link belongs to no person: links that differ in any field are shares of their own.
        """
        if self.kind is Sharing.LINK:
            return self.kind, str(self.write), str(self.expires), str(self.password), str(self.everyone)
        return self.kind, self.who.casefold() if self.kind is Sharing.USER else self.who


@runtime_checkable
class SupportsGrants(Protocol):
    """Tell with whom a source's items and containers are shared."""

    def grants(self, container: Container) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        """Yield (source id, grants) of every shared item in a container, and of the container itself.

        Idempotent.
        """


def nobody_listens() -> None:
    """Do nothing while a share waits: only the lease and close() end the waiting."""


@runtime_checkable
class SupportsShares(Protocol):
    """Share what a target holds, without a message to anybody.

    Grant.who is a login or a group of the target here. share and unshare refuse in the live phase with
    Blocked("live-phase").
    """

    def kept(self, grants: Iterable[Grant], *, whole: bool) -> tuple[tuple[Grant, ...], tuple[Loss, ...]]:
        """Return what the target would keep of these grants, and what it would not take.

        Idempotent; changes nothing. It may ask the server for its rules, once.

        Args:
            grants: of one item.
            whole: True if they are of a container.

        Returns:
            Each person and group once, equal to what shared() returns after the sharing; and the losses.
        """

    def shared(self, href: str, name: str | None) -> frozenset[Grant]:
        """Return with whom an item is shared now. Idempotent.

        A grantee whom no other kind names is EXTERNAL.

        Args:
            href: the container.
            name: the item's href; None for the container itself.

        Raises:
            Rejected: "vanished".
        """

    def share(
        self,
        href: str,
        name: str | None,
        grants: Iterable[Grant],
        waiting: Callable[[], None] = nobody_listens,
    ) -> Iterator[tuple[Grant, Loss | None]]:
        """Share an item so, and change what is shared otherwise.

        Idempotent. It may have made any of the shares if it raises: call it again. Some servers let an
        account share little at a time: that is waited out.

        Args:
            href: the container.
            name: the item's href; None for the container itself.
            grants: those that kept() returned.
            waiting: called while a server makes us wait; it may raise to end the waiting.

        Yields:
            One result for each grant, with None, or with what the server refuses.

        Raises:
            Rejected: "vanished".
            Blocked: "live-phase".
        """

    def unshare(self, href: str, name: str | None, grants: Iterable[Grant]) -> None:
        """Take back these grants, as shared() returned them.

        Idempotent. It may have taken back any of them if it raises: call it again.

        Args:
            href: the container.
            name: the item's href; None for the container itself.
            grants: those to take back.

        Raises:
            Blocked: "live-phase".
        """


@runtime_checkable
class SupportsHeaders(Protocol):
    """List header fields of a mail target's items."""

    def headers(self, href: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield (item href, those lines of its header as they are) of everything in a container.

        Idempotent. Items come in the order in which they arrived. A container that only shows items of others
        yields none. Streams in windows.
        """


@runtime_checkable
class SupportsMark(Protocol):
    """Keep a short text of ours beside an account of a target, where its owner does not see it."""

    def mark(self) -> str | None:
        """Return the text that was kept last, by any installation. Idempotent; asks the server.

        Returns:
            None if nothing was kept, or if the server has no place for it.
        """

    def keep_mark(self, text: str) -> bool:
        """Keep the text in place of the one before.

        Idempotent. Allowed in every phase. It may have kept the text even if it raises.

        Args:
            text: ASCII.

        Returns:
            False if this server has no place for it.
        """


@runtime_checkable
class AsksAhead(Protocol):
    """Send questions before their answers are needed, so that a server far away is waited for less often.

    What goes wrong is raised by the call that needs the connection or the answer. Nothing is written.
    """

    def connect_ahead(self, *, copies: bool) -> None:
        """Begin to connect, beside the caller, and to ask what is asked first. Returns at once. Idempotent.

        Args:
            copies: True if items are about to be copied: whose account it is will be asked first.
        """

    def logs_in_as(self) -> str | None:
        """Return the name of the person whose password opens the account; None if another secret does.

        Asks nothing. A person's name is tried at one side at a time: refused logins may lock an account.
        """

    def refused_ahead(self) -> Blocked | None:
        """Return the refusal of the login that connect_ahead() met and that nobody was told of.

        Waits a few seconds for an answer that is not there yet.
        """

    def ask_containers(self) -> None:
        """Send the question for containers(), whose next call takes the answer. Idempotent."""


@runtime_checkable
class TellsEmpty(Protocol):
    """Tell which containers of a target hold nothing, with fewer questions than one listing for each."""

    def empty(self, hrefs: Collection[str]) -> frozenset[str]:
        """Return those of these containers in which there is nothing now. Idempotent; changes nothing.

        The server looks into each one for this answer. A container that is left out may be empty, too.

        Args:
            hrefs: the containers.
        """


@runtime_checkable
class ExpectsListings(Protocol):
    """List many containers of a source for the first time, with fewer questions than for each one alone."""

    def expect(self, containers: Sequence[Container]) -> None:
        """Prepare for changes(container, None) of these containers. Asks nothing.

        Args:
            containers: those that were never listed, as they were found now.
        """
