"""Removing what was written: DELETE with the ETag that was written, where it is known. Where that is no
longer the object's, its meaning decides: servers rewrite what they store, clients acknowledge alarms."""

from __future__ import annotations

from functools import partial

from connectors.caldav.product import Profile
from connectors.caldav.read import CaldavReader, Current, Digest, meaning
from connectors.http.client import HttpAnswer, HttpClient, passing
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import Mine, is_ours
from model.errors import Rejected
from model.protocols import Failed, Guard, Stored

TRIES = 3


class ObjectRemover:
    """Removes objects of one collection; safe from several threads."""

    def __init__(
        self,
        client: HttpClient,
        reading: CaldavReader,
        profile: Profile,
        guard: Guard,
        digest: Digest,
        container: str,
        mine: Mine,
    ) -> None:
        self._client = client
        self._reading = reading
        self._profile = profile
        self._guard = guard
        self._digest = digest
        self._container = container
        self._mine = mine

    def remove(self, stored: Stored) -> Stored | Failed:
        """Idempotent: what is gone is success. Rejected: "cannot-remove" for what was not written by us,
        "changed-at-target" for what no longer means what was. Raises Transient, Blocked, LeaseLost."""
        if stored.via or not is_ours(stored.href, self._mine):
            return Failed(stored.key, Rejected("cannot-remove", "it is not ours"))
        try:
            self._gone(stored)
        except Rejected as error:
            return Failed(stored.key, error)
        return stored

    def _gone(self, stored: Stored) -> None:
        path, match = self._container + stored.href, stored.version
        for _ in range(TRIES):
            if not match and (self._profile.needs_if_match or stored.digest):
                current = self._reading.current(path)
                if current is None:
                    return
                if not self._is_still(current, stored):
                    break
                match = current.etag
            answer = self._client.patiently(partial(self._deleted, path, match))
            if answer.ok or answer.status in GONE:
                return
            if answer.status != 412:
                self._refused(answer)
            # RFC 9110, 13.1.1: what is gone answers 412 to an If-Match too
            current = self._reading.current(path)
            if current is None:
                return
            if not self._is_still(current, stored):
                break
            match = current.etag
        raise Rejected("changed-at-target", "it is no longer what was written")

    def _is_still(self, current: Current, stored: Stored) -> bool:
        """By its version, or by what it means. Where nobody knows either, it is whatever is there."""
        if stored.version and stored.version == current.etag:
            return True
        if not stored.digest:
            return not stored.version
        return meaning(current, self._digest) == stored.digest

    def _deleted(self, path: str, match: str) -> HttpAnswer:
        self._guard()
        condition = {"If-Match": match} if match else {}
        return passing(self._client.ask("DELETE", path, {**self._profile.delete, **condition}))

    def _refused(self, answer: HttpAnswer) -> None:
        if answer.status in {400, 403, 405, 409, 422, 424}:
            raise Rejected("cannot-remove", f"the server answered HTTP {answer.status}").said(answer.words)
        raise answer.error()
