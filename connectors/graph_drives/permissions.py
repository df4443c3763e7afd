"""With whom files and folders are shared, by /permissions: those of an item itself, not what it inherits.

A person is told by the address that the directory gives to their object id; whoever is a guest, or no user of
this directory, is external. A site's own group is told as the site, a colon and its name.
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
"""The directory's answer to an id or address that is nobody's."""


UNTOLD = Grant(Sharing.UNTOLD)


@dataclass(frozen=True, slots=True)
class Granted:
    """By an item itself, in an order that does not depend on Graph's; and whole: with what it inherits."""

    own: tuple[Grant, ...] = ()
    whole: frozenset[Grant] = frozenset()

    def below(self, above: Iterable[Grant]) -> tuple[Grant, ...]:
        known = UNTOLD not in self.own
        return (*self.own, Grant(Sharing.LESS)) if known and is_less(above, self.whole) else self.own


class Grants:
    """Asks for permissions, twenty items at a time, and remembers who is who."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._users: dict[str, User | None] = {}
        self._folders: dict[tuple[str, str], Granted] = {}
        self._sites: dict[str, str] = {}
        self._home: tuple[str, frozenset[str]] | None = None

    def forget(self) -> None:
        """What folders were shared like; who is who stays."""
        self._folders.clear()

    def of_folder(self, drive: str, id_: str, above: Sequence[str]) -> tuple[Grant, ...]:
        """drive: its path. above: the ids of folders above; who has one of them and less here is told by
        Sharing.LESS."""
        self._learn_folders(drive, [id_, *above])
        return self._folders[drive, id_].below(self._reach(drive, above))

    def of_files(
        self, drive: str, ids: Sequence[str], above: Sequence[str]
    ) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        """(id, grants) of those that have some. An item that is gone meanwhile has none."""
        if not ids:
            return
        self._learn_folders(drive, above)
        reach = self._reach(drive, above)
        for id_, granted in self._asked(drive, ids):
            if found := granted.below(reach):
                yield id_, found

    def _learn_folders(self, drive: str, ids: Iterable[str]) -> None:
        new = [id_ for id_ in ids if (drive, id_) not in self._folders]
        self._folders.update({(drive, id_): Granted() for id_ in new})
        self._folders.update({(drive, id_): granted for id_, granted in self._asked(drive, new)})

    def _reach(self, drive: str, above: Iterable[str]) -> frozenset[Grant]:
        return frozenset().union(*(self._folders[drive, id_].whole for id_ in above))

    def _asked(self, drive: str, ids: Sequence[str]) -> Iterator[tuple[str, Granted]]:
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, PARTS_MOST)):
            found = dict(self._rows(drive, batch))
            known = self._known(drive)
            names = (name for rows in found.values() for row in rows or () for name in names_of(row))
            self._learn(name for name in names if name != known.owner)
            for id_, rows in found.items():
                yield id_, Granted((UNTOLD,)) if rows is None else _granted(rows, known)

    def _rows(self, drive: str, ids: Sequence[str]) -> Iterator[tuple[str, list[Json] | None]]:
        """None for an item whose permissions are refused while its drive can be read."""
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

    def _known(self, drive: str) -> KnownPrincipals:
        if self._home is None:
            if is_site(self._client.user):
                self._home = "", frozenset()
            else:
                own = identity(self._client)
                self._home = own.id, frozenset(one.rpartition("@")[2] for one in own.addresses)
        owner, domains = self._home
        return KnownPrincipals(self._users, domains, owner, lambda: self._site(drive))

    def _learn(self, names: Iterable[str]) -> None:
        """Asks the directory who they are, once about each. Where it may not be asked, they are nobody."""
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
        """site:HOST:/sites/NAME, of a person's drive site:HOST:/personal/NAME."""
        if drive not in self._sites:
            web = str(self._client.get(drive, query(select="webUrl")).get("webUrl") or "")
            parts = [part for part in unquote(urlsplit(web).path).split("/") if part]
            path = "/".join(parts[:2]) if parts[:1] and parts[0].lower() in MANAGED else ""
            self._sites[drive] = f"site:{urlsplit(web).netloc}:/{path}".lower()
        return self._sites[drive]


def _user(name: str, told: Json) -> User | None:
    id_ = str(told.get("id") or "")
    if "@" not in name and id_.lower() != name.lower():
        return None
    address = str(told.get("mail") or told.get("userPrincipalName") or "").strip().lower()
    return User(address, guest=str(told.get("userType") or "Member").lower() != "member")


def _granted(rows: Sequence[Json], known: KnownPrincipals) -> Granted:
    own, whole = set[Grant](), set[Grant]()
    for row in rows:
        found = set(grants_of(row, known))
        whole |= found
        if row.get("inheritedFrom") is None:
            own |= found
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
