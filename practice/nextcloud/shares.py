"""Answer for the shares of a practice Nextcloud (OCS), as 32.0.1 was measured.

shares = NextcloudShares(cloud, groups=["team"])
shares.all      # what is shared, in the order it was made
shares.mails    # how often somebody would have got a mail: unless a request says sendMail=false

An account makes 20 shares in 10 minutes; then it is answered 429, without a body or a time. Sharing again
with the same person answers the old share as it was. Without permissions a folder is shared with all rights
(31) and a file with 19; a link that may be read may also be added elsewhere (17). Shares follow a move.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from urllib.parse import parse_qs, parse_qsl, urlsplit

from practice.dav.proxy import Reply, Request, reply
from practice.nextcloud.files import NextcloudFiles
from practice.nextcloud.store import Names, Refusal, composed

PATH = "/apps/files_sharing/api/v1/shares"
USER, GROUP, LINK = 0, 1, 3
EVERYTHING, OF_A_FILE, RESHARE = 31, 19, 16
WRITING = 14


@dataclass
class Share:
    """Hold a share.

    Attributes:
        expires: "" for never.
        owner: who shared it.
    """

    id: int
    owner: str
    names: Names
    folder: bool
    kind: int
    who: str
    permissions: int
    expires: str = ""
    password: str = ""

    def row(self) -> Mapping[str, object]:
        """Return the share as OCS states it."""
        secret = "redacted" if self.password else None
        return {
            "id": str(self.id),
            "share_type": self.kind,
            "uid_owner": self.owner,
            "uid_file_owner": self.owner,
            "displayname_owner": self.owner.title(),
            "permissions": self.permissions,
            "path": "/" + "/".join(self.names),
            "item_type": "folder" if self.folder else "file",
            "share_with": secret if self.kind == LINK else self.who,
            "share_with_displayname": self.who.title() or "(Shared link)",
            "expiration": f"{self.expires} 00:00:00" if self.expires else None,
            "mail_send": 0,
            **({"token": f"t{self.id:014}", "password": secret} if self.kind == LINK else {}),
        }


@dataclass
class Policy:
    """Hold what the administrator allows.

    Attributes:
        link_days, inner_days: after how many days a share must end; None if none must.
    """

    api: bool = True
    links: bool = True
    groups: bool = True
    uploads: bool = True
    password: bool = False
    link_days: int | None = None
    inner_days: int | None = None

    def capabilities(self) -> Mapping[str, object]:
        """Return the capabilities as OCS states them."""
        public: Mapping[str, object] = {
            "enabled": True,
            "upload": self.uploads,
            "password": {"enforced": self.password, "askForOptionalPassword": False},
            "expire_date": _ends(self.link_days),
            "expire_date_internal": _ends(self.inner_days),
            "send_mail": False,
        }
        return {
            "api_enabled": self.api,
            "resharing": True,
            "group_sharing": self.groups,
            "default_permissions": EVERYTHING,
            "public": public if self.links else {"enabled": False},
        }


@dataclass
class NextcloudShares:
    """See the module. most shares in window seconds; the users are those of the cloud."""

    cloud: NextcloudFiles
    groups: Iterable[str] = ()
    most: int = 20
    window: float = 600.0
    policy: Policy = field(default_factory=Policy)
    mails: int = 0
    all: list[Share] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cloud.ocs[PATH] = self._answer
        self.cloud.abilities["files_sharing"] = self.policy.capabilities
        for user, shelf in self.cloud.shelves.items():
            shelf.movers.append(partial(self._moved, user))
        self._ids = count(1)
        self._made: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, owner: str, path: str, kind: int, who: str = "", permissions: int = 1) -> Share:
        """Somebody shares something, as in a browser."""
        names = composed(path)
        folder = self.cloud.shelves[owner].real(names).is_dir()
        share = Share(next(self._ids), owner, names, folder, kind, who, permissions)
        self.all.append(share)
        return share

    def stated(self) -> list[tuple[str, int, str, int, str]]:
        """Return (path, kind, with whom, permissions, end) of all shares."""
        self._forget()
        rows = [("/".join(one.names), one.kind, one.who, one.permissions, one.expires) for one in self.all]
        return sorted(rows)

    # -- internals

    def _answer(self, user: str, request: Request) -> Reply:
        if not self.policy.api:
            raise Refusal(404, "sharing is off")
        self._forget()
        id_ = request.path.partition(PATH)[2].strip("/")
        given = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        if request.method == "GET":
            return self._listed(user, parse_qs(urlsplit(request.target).query))
        if request.method == "POST":
            return self._posted(user, given)
        share = next((one for one in self.all if str(one.id) == id_ and one.owner == user), None)
        if share is None:
            raise Refusal(404, "no such share")
        if request.method == "DELETE":
            self.all.remove(share)
            return _data([])
        self._fill(share, given)
        return _data(share.row())

    def _moved(self, user: str, names: Names, to: Names) -> None:
        for one in self.all:
            if one.owner == user and one.names[: len(names)] == names:
                one.names = (*to, *one.names[len(names) :])

    def _forget(self) -> None:
        """Remove shares whose file is gone, and shares that ended."""
        today = datetime.now(UTC).date().isoformat()
        self.all[:] = [
            one
            for one in self.all
            if self.cloud.shelves[one.owner].real(one.names).exists()
            and not (one.expires and one.expires <= today)
        ]

    def _listed(self, user: str, query: Mapping[str, list[str]]) -> Reply:
        names = composed(query.get("path", [""])[0])
        if not self.cloud.shelves[user].real(names).exists():
            raise Refusal(404, "wrong path")
        return _data([one.row() for one in self.all if one.owner == user and one.names == names])

    def _posted(self, user: str, given: Mapping[str, str]) -> Reply:
        now = time.monotonic()
        made = self._made[user] = [at for at in self._made[user] if at > now - self.window]
        if len(made) >= self.most:
            return reply(429)
        made.append(now)
        names = composed(given.get("path", ""))
        place = self.cloud.shelves[user].real(names)
        if not place.exists():
            raise Refusal(404, "wrong path")
        if not names:
            raise Refusal(403, "the root cannot be shared")
        kind, who = int(given.get("shareType", "-1")), given.get("shareWith", "")
        self._must_know(user, kind, who)
        for one in self.all:
            if kind != LINK and (one.owner, one.names, one.kind, one.who) == (user, names, kind, who):
                return _data(one.row())
        share = Share(0, user, names, place.is_dir(), kind, who, EVERYTHING if place.is_dir() else OF_A_FILE)
        share.permissions = 17 if kind == LINK else share.permissions
        self._fill(share, given)
        share.id = next(self._ids)
        self.all.append(share)
        if given.get("sendMail", "true") != "false":
            self.mails += 1
        return _data(share.row())

    def _must_know(self, user: str, kind: int, who: str) -> None:
        if kind == LINK:
            if not self.policy.links:
                raise Refusal(404, "links are off")
            return
        if kind == GROUP and not self.policy.groups:
            raise Refusal(404, "group sharing is off")
        if who not in {USER: set(self.cloud.shelves), GROUP: set(self.groups)}.get(kind, set()):
            raise Refusal(404, "specify a valid account")
        if kind == USER and who == user:
            raise Refusal(403, "cannot share with yourself")

    def _fill(self, share: Share, given: Mapping[str, str]) -> None:
        """Change a share.

        Raises:
            Refusal: it may not be changed so; nothing is changed.
        """
        permissions = int(given.get("permissions", share.permissions))
        expires = given.get("expireDate", share.expires)
        link = share.kind == LINK
        if not share.folder and permissions & ~OF_A_FILE:
            raise Refusal(400, "a file takes no create or delete")
        if link and permissions & WRITING and not self.policy.uploads:
            raise Refusal(403, "public upload is off")
        if link and self.policy.password:
            raise Refusal(403, "passwords are enforced")
        self._must_end(expires, self.policy.link_days if link else self.policy.inner_days)
        share.permissions = permissions | (RESHARE if link and permissions == 1 else 0)
        share.expires = expires

    def _must_end(self, expires: str, days: int | None) -> None:
        today = datetime.now(UTC).date()
        end = date.fromisoformat(expires) if expires else None
        if end is not None and end <= today:
            raise Refusal(404, "in the past")
        if days is not None and (end is None or end > today + timedelta(days=days)):
            raise Refusal(404, "too far in the future")


def _ends(days: int | None) -> Mapping[str, object]:
    return {"enabled": False} if days is None else {"enabled": True, "enforced": True, "days": days}


def _data(data: object) -> Reply:
    text = json.dumps({"ocs": {"meta": {"status": "ok", "statuscode": 200}, "data": data}})
    return reply(200, text, kind="application/json; charset=utf-8")
