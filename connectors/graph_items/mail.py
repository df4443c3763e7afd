"""Mails: which there are, their properties, and their message bytes.

A folder's delta names ids and versions. The properties, MAPI ones among them, come twenty in one request; so
do the message bytes of small mails. Large ones come one by one, streamed. That is two requests a mail by the
server's count, which is of a batch's parts: both in one batch would be as many, and would draw mails whose
size is not known yet. Delta documents an $expand, and is reported to fail (HTTP 500) with MAPI properties.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from connectors.graph_api.batch import PARTS_MOST, SUSPECT, WAITED_OUT, BatchReader, BatchReply
from connectors.graph_api.client import GraphClient, query, segment
from connectors.graph_api.errors import GraphRefusal, translated
from connectors.graph_api.folders import ELSEWHERE, mailbox_containers, unseen
from connectors.graph_api.item_errors import poison, refused
from connectors.graph_api.messages import EXPAND, FIELDS, LISTED, properties, version_of
from connectors.graph_api.reader import pages
from connectors.graph_items.mime_fallback import rebuilt
from connectors.spool import bytes_body
from model.errors import Rejected, Transient
from model.protocols import Container, Failed, Native, Page, Ref, key_of
from model.server_words import NOTHING

FORMAT = "graph-message"
SMALL = 500_000
"""Bytes of a mail that still goes into a batch, where it is held in base64 beside nineteen others."""

TRIES, FIRST_WAIT = 3, 0.05


@dataclass(frozen=True, slots=True)
class MailProperties:
    """A mail whose properties are read."""

    ref: Ref
    facts: dict[str, object]


class MailReader:
    """Implements connectors.graph_api.reader.ItemReader for mails."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._folders: set[str] = set()
        self._tree: list[Container] = []
        self._batched = True  # message bytes come in batches

    def containers(self) -> Iterator[Container]:
        """Those of mail, and of notes."""
        self._tree = list(mailbox_containers(self._client))
        for container in self._tree:
            if container.kind not in ELSEWHERE:
                self._folders.add(container.id)
                yield container

    def unseen(self, given: Sequence[Container]) -> Iterator[Container]:
        """After containers(): the folders of other kinds that their own readers did not give, none of which
        moves."""
        kinds = {one.kind for one in given}
        yield from (one for one in unseen(self._client, self._tree, given) if one.kind in kinds)

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """One page for each of the server's."""
        path = f"{self._client.home}/mailFolders/{segment(container.id)}/messages/delta"
        return pages(self._client, path, query(select=LISTED), cursor)

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        rest = iter(refs)
        while batch := list(islice(rest, PARTS_MOST)):
            yield from self._fetch(container, batch, bodies)

    def _fetch(self, container: Container, refs: Sequence[Ref], bodies: bool) -> Iterator[Native | Failed]:
        known: list[MailProperties] = []
        for result in self._properties(container, refs):
            if isinstance(result, Failed):
                yield result
            elif not bodies:
                yield Native(result.ref, FORMAT, result.facts)
            else:
                known.append(result)
        yield from self._bodies(container, known)

    def _properties(self, container: Container, refs: Sequence[Ref]) -> Iterator[MailProperties | Failed]:
        wanted = {ref.id: ref for ref in refs}
        options = query(select=FIELDS, expand=EXPAND)
        asks = {id_: f"{self._path(id_)}?{options}" for id_ in wanted}
        for id_, outcome in BatchReader(self._client).run(asks):
            if isinstance(outcome, GraphRefusal):
                yield self._refused(container, wanted[id_], outcome)
                continue
            item = outcome.json
            if not item.get("id"):
                yield Failed(key_of(id_), Rejected("item-refused", "the server gave something else"))
            elif self._moved(container, str(item.get("parentFolderId") or "")):
                yield Failed(key_of(id_), Rejected("vanished", "in another folder by now"))
            else:
                facts = properties(item)
                size = int(str(facts["Size"])) or wanted[id_].size
                yield MailProperties(Ref(id_, version_of(item) or wanted[id_].version, size=size), facts)

    def _moved(self, container: Container, folder: str) -> bool:
        """An immutable id finds a mail wherever it went, and there it is another row of the ledger."""
        return folder != container.id and folder in self._folders and container.id in self._folders

    def _bodies(self, container: Container, known: Sequence[MailProperties]) -> Iterator[Native | Failed]:
        small = {one.ref.id: one for one in known if 0 < (one.ref.size or 0) <= SMALL}
        if len(small) == 1 or not self._batched:
            small = {}
        alone = [one for one in known if one.ref.id not in small]
        asks = {id_: f"{self._path(id_)}/$value" for id_ in small}
        damaged = []
        for id_, outcome in BatchReader(self._client, raw=True).run(asks):
            data = outcome.data() if isinstance(outcome, BatchReply) else None
            if isinstance(outcome, GraphRefusal):
                yield self._bodiless(container, small[id_], outcome)
            elif data is None:
                damaged.append(small[id_])  # once more, alone: it may have happened on the way
            else:
                yield Native(small[id_].ref, FORMAT, small[id_].facts, bytes_body(data))
        self._batched = self._batched and (not small or len(damaged) < len(small))
        for one in (*alone, *damaged):
            yield self._streamed(container, one)

    def _streamed(self, container: Container, one: MailProperties) -> Native | Failed:
        patience, suspects, heard = self._client.patience(), 0, NOTHING
        while suspects <= TRIES:
            try:
                body = self._client.streamed(f"{self._path(one.ref.id)}/$value")
                return Native(one.ref, FORMAT, one.facts, body)
            except GraphRefusal as refusal:
                error = translated(refusal)
                if refusal.unconvertible or refusal.absent or not isinstance(error, Transient):
                    return self._bodiless(container, one, refusal)
                passing = error
            except Transient as cut:
                passing = cut
            heard = passing.words
            if passing.code in WAITED_OUT:
                self._client.pause(patience, passing)
            elif passing.code in SUSPECT:
                suspects += 1
                self._client.wait(FIRST_WAIT * 3 ** (suspects - 1))
            else:
                raise passing
            if suspects == TRIES:
                self._client.probe()  # the last attempt is made when the server surely answers
        return poison(one.ref, heard)

    def _bodiless(self, container: Container, one: MailProperties, refusal: GraphRefusal) -> Native | Failed:
        """What the server makes no message of is never asked for again: it is rebuilt."""
        if refusal.unconvertible:
            return rebuilt(self._client, FORMAT, one.ref, FIELDS, EXPAND)
        return self._refused(container, one.ref, refusal)

    def _refused(self, container: Container, ref: Ref, refusal: GraphRefusal) -> Failed:
        return refused(self._client, ref, refusal, f"{self._client.home}/mailFolders/{segment(container.id)}")

    def _path(self, id_: str) -> str:
        return f"{self._client.home}/messages/{segment(id_)}"
