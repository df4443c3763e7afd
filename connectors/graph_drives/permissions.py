"""Read with whom files and folders are shared: the item's own permissions, not inherited ones.

A person is named by the address that the directory gives for their object id. A guest, or a person who is no
user of this directory, is external. A site's own group is named by the site, a colon and its name.

Source:
    https://learn.microsoft.com/graph/api/driveitem-list-permissions
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from connectors.graph_api.batch import PARTS_MOST, BatchReader
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.collections import collected
from connectors.graph_api.errors import BLOCKED, DENIED, GraphRefusal, translated
from connectors.graph_api.identity import identity
from connectors.graph_drives.permission_rows import KnownPrincipals, User, grants_of, is_less, names_of
from connectors.graph_drives.sites import MANAGED, is_site
from model.errors import Blocked
from model.optional_protocols import Grant, Sharing

STRANGE = frozenset({400, 404})
"""The directory's statuses for an id or address that it does not know."""


UNTOLD = Grant(Sharing.UNTOLD)


@dataclass(frozen=True, slots=True)
class Granted:
    """Hold the grants of an item.

    Attributes:
        own: by the item itself, in an order that does not depend on Graph's.
        whole: including inherited ones.
    """

    own: tuple[Grant, ...] = ()
    whole: frozenset[Grant] = frozenset()

    def below(self, above: Iterable[Grant]) -> tuple[Grant, ...]:
        """Return the own grants, with Sharing.LESS if somebody above has less access here."""
        is_stated = UNTOLD not in self.own
        return (*self.own, Grant(Sharing.LESS)) if is_stated and is_less(above, self.whole) else self.own


class Grants:
    """Ask for permissions, twenty items at a time, and remember who is who."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._users: dict[str, User | None] = {}
        self._folders: dict[tuple[str, str], Granted] = {}
        self._sites: dict[str, str] = {}
        self._home: tuple[str, frozenset[str]] | None = None

    def forget(self) -> None:
        """Forget the grants of folders; what is known about principals stays."""
        self._folders.clear()

    def of_folder(self, drive: str, id_: str, above: Sequence[str]) -> tuple[Grant, ...]:
        """Return the grants of a folder.

        Args:
            drive: the path of the drive.
            id_: the folder's id.
            above: the ids of folders above; Sharing.LESS reports people who have one of them and less here.

        Raises:
            GraphRefusal, Transient, Blocked: the drive or the directory refuses.
        """
        self._learn_folders(drive, [id_, *above])
        return self._folders[drive, id_].below(self._reach(drive, above))

    def of_files(
        self, drive: str, ids: Sequence[str], above: Sequence[str]
    ) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        """Yield (id, grants) of the files that have some; a file that is gone meanwhile has none.

        Args:
            drive: the path of the drive.
            ids: the files' ids.
            above: the ids of folders above.

        Raises:
            GraphRefusal, Transient, Blocked: the drive or the directory refuses.
        """
        if not ids:
            return
        self._learn_folders(drive, above)
        reach = self._reach(drive, above)
        for id_, granted in self._ask_grants(drive, ids):
            if own := granted.below(reach):
                yield id_, own

    def _learn_folders(self, drive: str, ids: Iterable[str]) -> None:
        new = [id_ for id_ in ids if (drive, id_) not in self._folders]
        self._folders.update({(drive, id_): Granted() for id_ in new})
        self._folders.update({(drive, id_): granted for id_, granted in self._ask_grants(drive, new)})

    def _reach(self, drive: str, above: Iterable[str]) -> frozenset[Grant]:
        return frozenset().union(*(self._folders[drive, id_].whole for id_ in above))

    def _ask_grants(self, drive: str, ids: Sequence[str]) -> Iterator[tuple[str, Granted]]:
        """Yield the grants of each item."""
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, PARTS_MOST)):
            rows_by_id = dict(self._rows(drive, batch))
            principals = self._principals(drive)
            names = (name for rows in rows_by_id.values() for row in rows or () for name in names_of(row))
            self._learn_users(name for name in names if name != principals.owner)
            for id_, rows in rows_by_id.items():
                yield id_, Granted((UNTOLD,)) if rows is None else _grants_from(rows, principals)

    def _rows(self, drive: str, ids: Sequence[str]) -> Iterator[tuple[str, list[Json] | None]]:
        """Yield the permissions of each item; None where they are refused while the drive can be read."""
        asks = {id_: f"{drive}/items/{segment(id_)}/permissions" for id_ in ids}
        for id_, outcome in collected(self._client, asks):
            if isinstance(outcome, GraphRefusal):
                if outcome.absent:
                    continue
                blocked = BLOCKED.get(outcome.code, ("",))[0]
                if outcome.status == 401 or (blocked and blocked not in DENIED):
                    raise outcome
                self._client.get(drive, query(select="id"))
                yield id_, None
                continue
            yield id_, outcome

    # Who is who

    def _principals(self, drive: str) -> KnownPrincipals:
        """Return what is known about principals."""
        if self._home is None:
            if is_site(self._client.user):
                self._home = "", frozenset()
            else:
                own = identity(self._client)
                self._home = own.id, frozenset(address.rpartition("@")[2] for address in own.addresses)
        owner, domains = self._home
        return KnownPrincipals(self._users, domains, owner, lambda: self._site(drive))

    def _learn_users(self, names: Iterable[str]) -> None:
        """Ask the directory about people, once about each; unknown where it may not be asked."""
        options = query(select="id,mail,userPrincipalName,userType")
        new = [name for name in dict.fromkeys(names) if name not in self._users]
        asks = {name: f"/users/{segment(name)}?{options}" for name in new}
        for name, outcome in BatchReader(self._client).run(asks):
            if isinstance(outcome, GraphRefusal):
                error = translated(outcome)
                denied = isinstance(error, Blocked) and error.code in DENIED
                if outcome.status not in STRANGE and not denied:
                    raise outcome
                self._users[name] = None
            else:
                self._users[name] = _user(name, outcome.json)

    def _site(self, drive: str) -> str:
        """Return site:HOST:/sites/NAME; for a person's drive site:HOST:/personal/NAME."""
        if drive not in self._sites:
            web = str(self._client.get(drive, query(select="webUrl")).get("webUrl") or "")
            parts = [part for part in unquote(urlsplit(web).path).split("/") if part]
            path = "/".join(parts[:2]) if parts[:1] and parts[0].lower() in MANAGED else ""
            self._sites[drive] = f"site:{urlsplit(web).netloc}:/{path}".lower()
        return self._sites[drive]


def _user(name: str, row: Json) -> User | None:
    """Return the person that the directory describes, or None."""
    id_ = str(row.get("id") or "")
    if "@" not in name and id_.lower() != name.lower():
        return None
    address = str(row.get("mail") or row.get("userPrincipalName") or "").strip().lower()
    return User(address, guest=str(row.get("userType") or "Member").lower() != "member")


def _grants_from(rows: Sequence[Json], principals: KnownPrincipals) -> Granted:
    """Return the grants of an item's permissions."""
    own, whole = set[Grant](), set[Grant]()
    for row in rows:
        grants = set(grants_of(row, principals))
        whole |= grants
        if row.get("inheritedFrom") is None:
            own |= grants
    return Granted(tuple(sorted(own, key=_order)), frozenset(whole))


def _order(grant: Grant) -> tuple[object, ...]:
    return (
        grant.kind,
        grant.who,
        grant.write,
        str(grant.expires),
        grant.password,
        grant.everyone,
        grant.odd,
    )
