"""Give the rights to folders: a target for one container, all rights of an account.

The folders lie on the servers of other workloads, each of which keeps the rights to its own
(`model.rights_store`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import BinaryIO, Final
from urllib.parse import quote, unquote

from model.errors import Blocked, Rejected
from model.folder_rights import FolderRight, right_of
from model.kinds import Kind
from model.protocols import (
    Amendment,
    Capabilities,
    Container,
    Failed,
    Identity,
    Item,
    Listed,
    Native,
    Ref,
    Stored,
    key_of,
)
from model.rights_store import RightsStore

HREF: Final = "rights"
FORMAT: Final = "folder-right"
STATE: Final = "as-given"
RIGHT_MOST: Final = 65_536


class FolderRightsTarget:
    """Give rights to the folders of one account. Implements `model.protocols.Target`.

    An item is one right, its body the text of `model.folder_rights`; its href names the folder and the
    person. A folder has one right for each person. Nobody is notified.
    """

    def __init__(
        self,
        stores: Mapping[Kind, RightsStore],
        *,
        kind: Kind,
        digest: Callable[[BinaryIO], bytes],
        live: bool = False,
    ) -> None:
        """Prepare the target; no server is asked before the first call.

        Args:
            stores: the servers that keep rights, by what their folders hold; the first says whose it is.
            kind: the kind of rights.
            digest: returns what a body means.
            live: True in the live phase: write only adds.
        """
        self._stores = dict(stores)
        self._kind = kind
        self._digest = digest
        self._live = live

    @property
    def capabilities(self) -> Capabilities:
        """Return what the servers can do together; asks nothing."""
        return Capabilities(
            kinds=frozenset({self._kind}),
            keywords=False,
            separator="",
            special_use=False,
            incremental=False,
            replaces=True,
            states=True,
            rights={kind: store.form for kind, store in self._stores.items()},
            facts={kind.value: store.form.value for kind, store in self._stores.items()},
        )

    def identity(self) -> Identity:
        """Return whose account it is on the first of the servers.

        Raises:
            Blocked: "no-rights-at-target": none of the servers keeps rights.
        """
        return self._first().identity()

    def containers(self) -> Iterator[Container]:
        """Yield the one container.

        It is never empty of what others may do there, which is no item of anybody's: so it counts as one that
        the server fills. Its state says nothing: only what was given by this target is looked at again.
        """
        yield Container(self._kind, HREF, (HREF,), readonly=True, state=STATE)

    def ensure(self, container: Container) -> str:
        """Return the href of the container; there is nothing to create."""
        del container
        return HREF

    def rename(self, href: str, container: Container) -> str:
        """Return the href as it is: the container has no name.

        Raises:
            Blocked: "live-phase".
        """
        del container
        self._refuse_when_live()
        return href

    def position(self, href: str) -> str:
        """Return ":0": rights have no order in time."""
        del href
        return ":0"

    def place(self, key: bytes) -> str | None:
        """Return None: an href names the folder and the person, not the key."""
        del key
        return None

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Give rights; see `model.protocols.Target.write`. May have given any of them even if it raises.

        Idempotent: a right that is there already is a success. A right that the person has already, and is
        another one, becomes this one; in the live phase it stays: "changed-at-target".
        """
        del href
        for item in items:
            try:
                yield Stored(item.key, self._write(item), digest=item.digest)
            except Rejected as error:
                yield Failed(item.key, error)

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Check that the rights exist; there is nothing to amend."""
        del href
        self._refuse_when_live()
        for change in changes:
            if self._there(change.stored.href) is None:
                yield Failed(change.stored.key, Rejected("vanished"))
            elif change.flags:
                yield Failed(change.stored.key, Rejected("flag-not-allowed", "rights have no flags"))
            else:
                yield change.stored

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """List every right that somebody has; see `model.protocols.Target.listing`."""
        del href, since
        for kind, store in self._stores.items():
            for folder, rights in store.all_rights():
                for who, words in rights.items():
                    right = FolderRight(kind, folder, who, words)
                    yield Listed(_href(right), len(right.text().encode()))

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read rights back; see `model.protocols.Target.read`."""
        del href
        for name in hrefs:
            right = self._there(name)
            if right is None:
                yield name, Failed(key_of(name), Rejected("vanished"))
            else:
                text = right.text().encode()
                yield name, Native(Ref(name, "", size=len(text)), FORMAT, {}, partial(io.BytesIO, text))

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Take rights back; see `model.protocols.Target.remove`.

        A right that somebody changed stays: "changed-at-target".
        """
        del href
        self._refuse_when_live()
        for one in stored:
            try:
                self._take_back(one)
            except Rejected as error:
                yield Failed(one.key, error)
            else:
                yield one

    def label(self, labels: Mapping[str, str]) -> bool:
        """Return False: there is no place for keywords."""
        del labels
        return False

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        for store in self._stores.values():
            store.close()

    # -- internals

    def _refuse_when_live(self) -> None:
        if self._live:
            raise Blocked("live-phase")

    def _first(self) -> RightsStore:
        for store in self._stores.values():
            return store
        raise Blocked("no-rights-at-target", "no configured target keeps rights")

    def _write(self, item: Item) -> str:
        right = self._right(item)
        there = self._stores[right.kind].rights(right.folder).get(right.who)
        if there != right.words:
            if there is not None and self._live:
                raise Rejected("changed-at-target")
            self._stores[right.kind].grant(right.folder, right.who, right.words)
        href = _href(right)
        if not self._live and item.replaces is not None and item.replaces.href != href:
            self._take_back(item.replaces)
        return href

    def _right(self, item: Item) -> FolderRight:
        with item.body() as stream:
            body = stream.read(RIGHT_MOST + 1)
        try:
            right = right_of(body.decode())
        except ValueError:
            raise Rejected("refused-by-target", "it is no right") from None
        if len(body) > RIGHT_MOST or right.kind not in self._stores:
            raise Rejected("refused-by-target", "no server keeps such a right")
        return right

    def _there(self, href: str) -> FolderRight | None:
        """Return the right that a person has to a folder now; None if there is none."""
        kind, folder, who = _parts(href)
        store = self._stores.get(kind)
        if store is None:
            return None
        try:
            words = store.rights(folder).get(who)
        except Rejected as error:
            if error.code != "vanished":
                raise
            return None
        return None if words is None else FolderRight(kind, folder, who, words)

    def _take_back(self, stored: Stored) -> None:
        there = self._there(stored.href)
        if there is None:
            return
        if self._digest(io.BytesIO(there.text().encode())) != stored.digest:
            raise Rejected("changed-at-target")
        self._stores[there.kind].revoke(there.folder, there.who)


def _href(right: FolderRight) -> str:
    """Return the href of a right: without a slash, which would name another container."""
    return ":".join((right.kind.value, quote(right.folder, safe=""), quote(right.who, safe="")))


def _parts(href: str) -> tuple[Kind, str, str]:
    kind, folder, who = href.split(":")
    return Kind(kind), unquote(folder), unquote(who)
