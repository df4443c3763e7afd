"""Remove objects that were written, by ETag where it is known, else by their meaning.

An ETag that differs proves nothing: servers rewrite what they store, and clients acknowledge alarms. Then the
object's meaning decides.
"""

from __future__ import annotations

from functools import partial

from connectors.caldav.means import ObjectMeans
from connectors.caldav.read import Current, meaning
from connectors.http.client import HttpAnswer, passing
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import is_ours
from model.errors import Rejected
from model.protocols import Failed, Stored

TRIES = 3


class ObjectRemover:
    """Remove objects of one collection. Safe from several threads."""

    def __init__(self, means: ObjectMeans, container: str) -> None:
        """Prepare the remover.

        Args:
            means: what reads and writes objects.
            container: the collection's path.
        """
        self._means = means
        self._container = container

    def remove(self, stored: Stored) -> Stored | Failed:
        """Remove one object; idempotent: a missing object is a success.

        Args:
            stored: the object as it was written.

        Returns:
            The same, or Failed with Rejected: "cannot-remove" for an object that we did not write,
            "changed-at-target" for one whose meaning changed.

        Raises:
            Transient: the retries are used up; the object may be gone.
            Blocked: the server refuses.
            LeaseLost: the guard refuses.
        """
        if stored.via or not is_ours(stored.href, self._means.mine):
            return Failed(stored.key, Rejected("cannot-remove", "it is not ours"))
        try:
            self._delete_current(stored)
        except Rejected as error:
            return Failed(stored.key, error)
        return stored

    def _delete_current(self, stored: Stored) -> None:
        """Delete the object while it is what was written."""
        path, match = self._container + stored.href, stored.version
        for _ in range(TRIES):
            if not match and (self._means.profile.needs_if_match or stored.digest):
                current = self._means.reading.current(path)
                if current is None:
                    return
                if not self._is_unchanged(current, stored):
                    break
                match = current.etag
            answer = self._means.client.patiently(partial(self._delete, path, match))
            if answer.ok or answer.status in GONE:
                return
            if answer.status != 412:
                self._raise_refusal(answer)
            # RFC 9110, section 13.1.1: a missing object answers 412 to an If-Match, too
            current = self._means.reading.current(path)
            if current is None:
                return
            if not self._is_unchanged(current, stored):
                break
            match = current.etag
        raise Rejected("changed-at-target", "it is no longer what was written")

    def _is_unchanged(self, current: Current, stored: Stored) -> bool:
        """Compare by version, else by meaning; without both, any object counts as unchanged."""
        if stored.version and stored.version == current.etag:
            return True
        if not stored.digest:
            return not stored.version
        return meaning(current, self._means.digest) == stored.digest

    def _delete(self, path: str, match: str) -> HttpAnswer:
        self._means.guard()
        condition = {"If-Match": match} if match else {}
        return passing(self._means.client.ask("DELETE", path, {**self._means.profile.delete, **condition}))

    def _raise_refusal(self, answer: HttpAnswer) -> None:
        if answer.status in {400, 403, 405, 409, 422, 424}:
            raise Rejected("cannot-remove", f"the server answered HTTP {answer.status}").quoting(answer.words)
        raise answer.error()
