"""Read mails: their message bytes, and the properties outside of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.ews.client import EwsClient
from connectors.ews.errors import UNCONVERTIBLE, EwsRefusal
from connectors.ews.fetch import ANSWER, Again
from connectors.ews.mime_fallback import FORMAT, rebuilt
from connectors.ews.records import id_in, id_of, item_of, properties
from connectors.ews.requests import get_items
from connectors.ews.response_stream import ResponseMessage
from model.errors import Rejected
from model.protocols import Failed, Native, Ref, key_of


class MailPlan:
    """Read items as "ews-message"; rebuild those that the server cannot convert to MIME. See FetchPlan."""

    answer = ANSWER

    def __init__(self, client: EwsClient, *, bodies: bool) -> None:
        self._client = client
        self._bodies = bodies
        self._rebuild: list[Ref] = []

    def request(self, ids: Sequence[str]) -> str:
        """Return the request for these ids."""
        return get_items(ids, mime=self._bodies)

    def about(self, message: ResponseMessage) -> str:
        """Return the id of the item in a message, or ""."""
        return id_in(message.element)

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> Native | Failed | Again | None:
        """Return the mail in a message; ask again when its content is missing or damaged."""
        cut = next(iter(message.bodies.values()), None)
        if self._bodies and cut is None and not again:
            return Again(ref)  # left out under load; only content that never arrives is rebuilt
        if self._bodies and cut is None:
            self._rebuild.append(ref)
            return None
        if self._bodies and cut is not None and cut.body is None:
            # A second attempt, alone: the damage may have happened on the way.
            damaged = Rejected("mime-damaged", "the server's base64 is damaged")
            return Failed(key_of(ref.id), damaged) if again else Again(ref)
        item = item_of(message.element)
        assert item is not None  # noqa: S101 - about() found it
        facts = properties(item)
        read = Ref(ref.id, id_of(item)[1] or ref.version, size=int(str(facts["Size"])) or ref.size)
        return Native(read, FORMAT, facts, cut.body if self._bodies and cut is not None else None)

    def refused(self, ref: Ref, code: str) -> bool:
        """Return True for a mail that cannot be converted: `later` rebuilds it."""
        if self._bodies and code in UNCONVERTIBLE:
            self._rebuild.append(ref)
            return True
        return False

    def later(self) -> Iterator[Native | Failed | Again]:
        """Yield the rebuilt mails."""
        put_off, self._rebuild = self._rebuild, []
        for ref in put_off:
            yield rebuilt(self._client, ref)

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        """Return False: every field is needed."""
        del ids, refusals
        return False
