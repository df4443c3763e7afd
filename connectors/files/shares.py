"""Share files and folders over Nextcloud's OCS (files_sharing) without mailing anybody.

A server lets an account make 20 shares in 10 minutes and then answers 429 without a delay; refused requests
do not count. Sharing again with the same person returns the old share, unchanged. A share ends at the
beginning of a day.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from connectors import json_answer
from connectors.files.share_policy import refused
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE
from connectors.http.errors import delay
from connectors.webdav.client import passing
from connectors.webdav.ocs_capabilities import HEADERS, mapping
from model.errors import Rejected, Transient
from model.optional_protocols import Grant, Sharing
from model.protocols import Guard, Loss

SHARES = "/apps/files_sharing/api/v1/shares"
FORM = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
READ, UPDATE, CREATE, DELETE, RESHARE = 1, 2, 4, 8, 16
FILE, FOLDER = READ | UPDATE, READ | UPDATE | CREATE | DELETE
TYPES = {Sharing.USER: 0, Sharing.GROUP: 1, Sharing.LINK: 3}
KINDS = {number: kind for kind, number in TYPES.items()}
NOBODY = {Sharing.USER: "person-unknown", Sharing.GROUP: "group-unknown", Sharing.LINK: "link-refused"}
"""The loss that a 404 means, for a share of an existing file."""
REFUSALS = frozenset({400, 403, 405, 422})
FAILURES = 3
"""How often the server may fail at one share before the share counts as refused."""

STEP = 1.0
AGAIN_SECONDS = 15.0
"""Seconds between two attempts while the server limits the rate."""
WINDOW_SECONDS = 900.0
"""Seconds after which a 429 is no rate limit any more: Nextcloud's window is 600."""
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Share:
    """Hold one share as the server states it.

    Attributes:
        id: the server's id.
        grant: the share as a grant.
    """

    id: str
    grant: Grant

    def is_(self, grant: Grant) -> bool:
        """Return True if the share gives exactly what a grant says."""
        return self.grant.party == grant.party and replace(self.grant, who=grant.who) == grant


class OcsShares:
    """Manage one account's shares. Paths are those that the account sees."""

    def __init__(self, client: HttpClient, base: str, guard: Guard) -> None:
        """Prepare.

        Args:
            client: the HTTP client.
            base: the path of the OCS interface.
            guard: the write fence; called before each change.
        """
        self._client = client
        self._path = base + SHARES
        self._guard = guard

    def of(self, path: str) -> list[Share]:
        """Return the shares of one file or folder.

        Raises:
            Rejected: "vanished".
            Blocked, Transient: the server refuses, or cannot be asked now.
        """
        query = urlencode({"path": path, "reshares": "true", "format": "json"})
        answer = self._client.look("GET", f"{self._path}?{query}", HEADERS)
        if answer.status in GONE:
            raise Rejected("vanished", "no longer at the target")
        if not answer.ok:
            raise answer.error()
        rows = _data(answer)
        return [_share(mapping(row)) for row in rows] if isinstance(rows, list) else []

    def give(
        self, path: str, grants: Iterable[Grant], *, whole: bool, waiting: Callable[[], None]
    ) -> Iterator[tuple[Grant, Loss | None]]:
        """Share a file or folder; see `model.optional_protocols.SupportsShares.share`. Idempotent.

        Args:
            path: the file or folder.
            grants: the grants that it should have.
            whole: True for a folder.
            waiting: called while a rate limit is waited out; it may raise.
        """
        requested = list(grants)
        existing = self.of(path) if requested else []
        for grant in requested:
            match = next((share for share in existing if share.grant.party == grant.party), None)
            outcome = match or self._make(path, grant, existing, whole=whole, waiting=waiting)
            if isinstance(outcome, Loss):
                yield grant, outcome
            else:
                yield grant, self._fit(outcome, grant, whole=whole, new=match is None)

    def take(self, path: str, grants: Iterable[Grant]) -> None:
        """Remove shares; see `model.optional_protocols.SupportsShares.unshare`. Idempotent."""
        leaving = set(grants)
        try:
            existing = self.of(path)
        except Rejected:
            return  # the shares were removed with the file
        for share in existing:
            if share.grant in leaving:
                self._change("DELETE", share.id)

    # -- internals

    def _fit(self, share: Share, grant: Grant, *, whole: bool, new: bool) -> Loss | None:
        """Give a share the rights of a grant; remove a new share that the server does not change."""
        if share.is_(grant):
            return None
        answer = self._change("PUT", share.id, _rights(grant, whole=whole))
        if answer.ok and _share(mapping(_data(answer))).is_(grant):
            return None
        if new:
            self._change("DELETE", share.id)
        return refused(grant)

    def _make(
        self, path: str, grant: Grant, existing: list[Share], *, whole: bool, waiting: Callable[[], None]
    ) -> Share | Loss:
        """Create a share when the server allows it; look for it after a lost reply."""
        fields = {"path": path, "shareType": TYPES[grant.kind], **_rights(grant, whole=whole)}
        if grant.who:
            fields["shareWith"] = grant.who
        before = {share.id for share in existing}
        patience, failures = self._client.patience(), 0
        while True:
            answer = self._post_when_allowed(fields, waiting)
            try:
                if isinstance(answer, Transient):
                    raise answer
                return _outcome(passing(answer), grant)
            except Transient as error:
                failures += error.code == "server-error"
                if failures >= FAILURES:
                    return refused(grant)
                patience.pause(error)
            now = [share for share in self.of(path) if share.id not in before]
            if created := next((share for share in now if share.grant.party == grant.party), None):
                return created

    def _post_when_allowed(
        self, fields: Mapping[str, object], waiting: Callable[[], None]
    ) -> HttpAnswer | Transient:
        """Try once to create a share, after waiting for the rate limit."""
        body = urlencode(fields).encode()
        until = time.monotonic() + WINDOW_SECONDS
        while True:
            self._guard()
            try:
                answer = self._client.ask("POST", f"{self._path}?format=json", FORM, body)
            except Transient as error:
                return error
            if answer.status != 429:
                return answer
            if time.monotonic() > until:
                raise Transient("busy", "the server lets this account share nothing; allow-list this host")
            self._wait(max(AGAIN_SECONDS, delay(answer.headers.get("retry-after")) or 0.0), waiting)

    def _wait(self, seconds: float, waiting: Callable[[], None]) -> None:
        """Wait in steps, so that a lost lease, close() and `waiting` can end it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._client.wait(min(STEP, left))
            self._guard()
            waiting()

    def _change(self, method: str, id_: str, fields: Mapping[str, object] | None = None) -> HttpAnswer:
        """Send a change that may be repeated."""
        body = urlencode(fields or {}).encode()

        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._client.ask(method, f"{self._path}/{id_}?format=json", FORM, body))

        answer = self._client.patiently(attempt)
        if not answer.ok and answer.status not in REFUSALS | GONE:
            raise answer.error()
        return answer


def _rights(grant: Grant, *, whole: bool) -> dict[str, object]:
    """Return the fields for a grant. An empty date means no end; without it the server's default applies."""
    return {
        "permissions": (FOLDER if whole else FILE) if grant.write else READ,
        "expireDate": "" if grant.expires is None else grant.expires.strftime("%Y-%m-%d"),
        "sendMail": "false",
    }


def _outcome(answer: HttpAnswer, grant: Grant) -> Share | Loss:
    """Return the result of a POST."""
    if answer.ok:
        return _share(mapping(_data(answer)))
    if answer.status in GONE:
        return Loss("share", NOBODY[grant.kind])
    if answer.status in REFUSALS:
        return refused(grant)
    raise answer.error()


def _data(answer: HttpAnswer) -> object:
    try:
        return mapping(mapping(json_answer.read(answer.body)).get("ocs")).get("data")
    except ValueError:
        raise Transient("not-files", "something answered that is no file server") from None


def _share(row: Mapping[str, object]) -> Share:
    """Convert a row of the answer into a Share."""
    id_ = str(row.get("id") or "")
    kind, bits = KINDS.get(_number(row.get("share_type"))), _number(row.get("permissions"))
    if kind is None:
        return Share(id_, Grant(Sharing.EXTERNAL, id_, odd=True))
    link, ends = kind is Sharing.LINK, _moment(row.get("expiration"))
    # a link may always be added to another Nextcloud, unless the administrator forbids that
    bits &= ~RESHARE if link else ~0
    write = {READ: False, FOLDER if row.get("item_type") == "folder" else FILE: True}.get(bits)
    grant = Grant(
        kind,
        who="" if link else str(row.get("share_with") or ""),
        write=write is not False,
        expires=ends if ends != NEVER else None,
        password=link and bool(row.get("password") or row.get("share_with")),
        everyone=link,
        odd=write is None or ends is None,
    )
    return Share(id_, grant)


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else -1


def _moment(text: object) -> datetime | None:
    """Return the end of a share; NEVER without one, None when it cannot be read."""
    if not text:
        return NEVER
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    except ValueError:
        return None
