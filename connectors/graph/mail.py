"""Read mails: the list of them, their properties, and their message bytes.

A folder's delta names ids and versions. The properties, including MAPI ones, come twenty in one request, and
so do the message bytes of small mails. Large ones come one by one, as streams. The server counts two requests
per mail, because it counts a batch's parts: both in one batch would count the same, and would fetch mails of
unknown size. Delta documents an $expand, but is reported to fail (HTTP 500) with MAPI properties.

Source:
    https://learn.microsoft.com/graph/api/message-delta
    https://learn.microsoft.com/graph/outlook-get-mime-message
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from connectors.graph.mime_fallback import rebuilt
from connectors.graph_api.batch import PARTS_MOST, SUSPECT, WAITED_OUT, BatchReader, BatchReply
from connectors.graph_api.client import GraphClient, query, segment
from connectors.graph_api.errors import GraphRefusal, translated
from connectors.graph_api.folders import ELSEWHERE, mailbox_containers, unseen
from connectors.graph_api.item_errors import first_read, poison, refused
from connectors.graph_api.messages import EXPAND, FIELDS, LISTED, properties
from connectors.graph_api.reader import pages
from connectors.spool import bytes_body
from model.errors import Rejected, Transient
from model.protocols import Container, Failed, Native, Page, Ref, key_of
from model.server_words import NOTHING

FORMAT = "graph-message"
SMALL = 500_000
"""The most bytes of a mail in a batch, where memory holds it in base64 beside nineteen others."""

TRIES, FIRST_WAIT = 3, 0.05


@dataclass(frozen=True, slots=True)
class MailProperties:
    """Hold a mail whose properties were read.

    Attributes:
        ref: the mail's ref with the version that was read.
        facts: its properties.
    """

    ref: Ref
    facts: dict[str, object]


class MailReader:
    """Read mails. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._folders: set[str] = set()
        self._tree: list[Container] = []
        self._batched = True  # message bytes come in batches

    def containers(self) -> Iterator[Container]:
        """List the folders of mail, and of notes."""
        self._tree = list(mailbox_containers(self._client))
        for container in self._tree:
            if container.kind not in ELSEWHERE:
                self._folders.add(container.id)
                yield container

    def unseen(self, reported: Sequence[Container]) -> Iterator[Container]:
        """Yield the folders of other kinds that their own readers did not list; none of them moves.

        Call it after containers().

        Args:
            reported: the containers that all readers listed.
        """
        kinds = {item.kind for item in reported}
        yield from (item for item in unseen(self._client, self._tree, reported) if item.kind in kinds)

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Yield a page for each page of the server; see `connectors.graph_api.reader.pages`."""
        path = f"{self._folder(container)}/messages/delta"
        return pages(self._client, path, query(select=LISTED), cursor)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Read mails; see `model.protocols.Source.fetch`."""
        rest = iter(refs)
        while batch := list(islice(rest, PARTS_MOST)):
            yield from self._fetch(container, batch, bodies)

    def _fetch(self, container: Container, refs: Sequence[Ref], bodies: bool) -> Iterator[Native | Failed]:
        """Read one batch of mails."""
        mails: list[MailProperties] = []
        for result in self._properties(container, refs):
            if isinstance(result, Failed):
                yield result
            elif not bodies:
                yield Native(result.ref, FORMAT, result.facts)
            else:
                mails.append(result)
        yield from self._bodies(container, mails)

    def _properties(self, container: Container, refs: Sequence[Ref]) -> Iterator[MailProperties | Failed]:
        """Yield the properties of mails."""
        refs_by_id = {ref.id: ref for ref in refs}
        options = query(select=FIELDS, expand=EXPAND)
        asks = {id_: f"{self._path(id_)}?{options}" for id_ in refs_by_id}
        for result in first_read(self._client, refs_by_id, asks, self._folder(container)):
            if isinstance(result, Failed):
                yield result
                continue
            ref, item = result
            if self._is_elsewhere(container, str(item.get("parentFolderId") or "")):
                yield Failed(key_of(ref.id), Rejected("vanished", "in another folder by now"))
            else:
                facts = properties(item)
                yield MailProperties(replace(ref, size=int(str(facts["Size"])) or ref.size), facts)

    def _is_elsewhere(self, container: Container, folder: str) -> bool:
        """Return True if a mail is in another folder now, where it is another row of the ledger.

        An immutable id finds a mail wherever it went.
        """
        return folder != container.id and folder in self._folders and container.id in self._folders

    def _bodies(self, container: Container, mails: Sequence[MailProperties]) -> Iterator[Native | Failed]:
        """Read message bytes: small ones in batches, large ones one by one."""
        small = {mail.ref.id: mail for mail in mails if 0 < (mail.ref.size or 0) <= SMALL}
        if len(small) == 1 or not self._batched:
            small = {}
        alone = [mail for mail in mails if mail.ref.id not in small]
        asks = {id_: f"{self._path(id_)}/$value" for id_ in small}
        damaged = []
        for id_, outcome in BatchReader(self._client, raw=True).run(asks):
            data = outcome.data() if isinstance(outcome, BatchReply) else None
            if isinstance(outcome, GraphRefusal):
                yield self._without_body(container, small[id_], outcome)
            elif data is None:
                damaged.append(small[id_])  # a second attempt, alone: the damage may have happened in transit
            else:
                yield Native(small[id_].ref, FORMAT, small[id_].facts, bytes_body(data))
        self._batched = self._batched and (not small or len(damaged) < len(small))
        for mail in (*alone, *damaged):
            yield self._read_large(container, mail)

    def _read_large(self, container: Container, mail: MailProperties) -> Native | Failed:
        """Read one mail as a stream."""
        patience, suspects, last_words = self._client.patience(), 0, NOTHING
        while suspects <= TRIES:
            try:
                body = self._client.streamed(f"{self._path(mail.ref.id)}/$value")
                return Native(mail.ref, FORMAT, mail.facts, body)
            except GraphRefusal as refusal:
                error = translated(refusal)
                if refusal.unconvertible or refusal.absent or not isinstance(error, Transient):
                    return self._without_body(container, mail, refusal)
                passing = error
            except Transient as cut:
                passing = cut
            last_words = passing.words
            if passing.code in WAITED_OUT:
                self._client.pause(patience, passing)
            elif passing.code in SUSPECT:
                suspects += 1
                self._client.wait(FIRST_WAIT * 3 ** (suspects - 1))
            else:
                raise passing
            if suspects == TRIES:
                self._client.probe()  # the last attempt is made only when the server answers
        return poison(mail.ref, last_words)

    def _without_body(
        self, container: Container, mail: MailProperties, refusal: GraphRefusal
    ) -> Native | Failed:
        """Rebuild a mail that the server cannot convert; it is not asked for again."""
        if refusal.unconvertible:
            return rebuilt(self._client, FORMAT, mail.ref, FIELDS, EXPAND)
        return self._failure(container, mail.ref, refusal)

    def _failure(self, container: Container, ref: Ref, refusal: GraphRefusal) -> Failed:
        return refused(self._client, ref, refusal, self._folder(container))

    def _folder(self, container: Container) -> str:
        return f"{self._client.home}/mailFolders/{segment(container.id)}"

    def _path(self, id_: str) -> str:
        return f"{self._client.home}/messages/{segment(id_)}"
