"""Find the links into OneDrive and SharePoint in migrated items, and where they lead now.

The items are read for this purpose, from the source or from the target. What is found is returned and stored
nowhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby, islice

from engine.config.load import Config
from engine.control.error_log import contain_defects
from engine.identity.identity_gate import Pair
from engine.opening.open_sides import accounts, open_source, open_target
from engine.pacing.login_breaker import LoginBreaker
from engine.preflight.preflight import never, side_of
from engine.preflight.side_settings import login_place
from ledger.db.rows import ContainerRow, ItemRow, MailboxRow, State
from ledger.leg.locations import Place
from ledger.store import Ledger
from mappings.mail.links import DOCUMENT_MOST, in_document, in_mail, is_document
from model.errors import Blocked, Corrupt, MigrationError, Misconfigured, Transient
from model.kinds import KINDS, Kind, kinds_that
from model.optional_protocols import Dead, SupportsLinks
from model.protocols import Container, Failed, Native, Ref, key_of

LINKING = kinds_that(lambda traits: traits.links)
FILE = "file"
"""The format of a file; the others are mails."""

BATCH = 20
FAULTS_MOST = 3
UNRESOLVED, NOT_MIGRATED = "unresolved", "not-migrated"
Found = tuple[ItemRow, list[str]]
Rows = Iterable[tuple[ContainerRow, ItemRow]]


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """Say where a link leads.

    Attributes:
        mailbox: the mailbox that has the file now.
        path: the path in its account.
        why: why there is none; "" if there is one.
    """

    mailbox: str = ""
    path: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Hold one link in one item."""

    mailbox: MailboxRow
    container: ContainerRow
    item: ItemRow
    url: str
    end: LinkEnd


@dataclass(slots=True)
class LinkFindings:
    """Count what was found.

    Attributes:
        items: items that were read.
        unread: items that could not be read.
        large: items that were too large to be read.
        ends: links by the reason why they lead nowhere; "" for those that lead somewhere.
        failed: by mailbox, the code of its failure.
        passing: how many of the failed mailboxes may be readable next time.
    """

    items: int = 0
    unread: int = 0
    large: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    passing: int = 0


class Resolver:
    """Resolve each address once.

    Args:
        source: resolves addresses; None if no source can be asked.
    """

    def __init__(self, config: Config, ledger: Ledger, source: SupportsLinks | None) -> None:
        self._config = config
        self._ledger = ledger
        self._source = source
        self._faults = 0
        self._known: dict[str, LinkEnd] = {}
        self._legs: defaultdict[str, set[int]] = defaultdict(set)
        for leg, id_ in ledger.holders(Kind.FILES) if source is not None else ():
            self._legs[_drive(id_)].add(leg)

    @property
    def gave_up(self) -> bool:
        """True if the source failed so often in a row that it is not asked any more."""
        return self._faults >= FAULTS_MOST

    def end(self, url: str) -> LinkEnd:
        """Return where an address leads. Errors of the source make it unresolved."""
        if url not in self._known:
            self._known[url] = self._resolve(url)
        return self._known[url]

    def _resolve(self, url: str) -> LinkEnd:
        if self._source is None or self.gave_up:
            return LinkEnd(why=UNRESOLVED)
        try:
            answer = self._source.resolve(url)
        except (Transient, Blocked) as error:
            self._faults = FAULTS_MOST if isinstance(error, Blocked) else self._faults + 1
            return LinkEnd(why=UNRESOLVED)
        self._faults = 0
        if isinstance(answer, Dead):
            return LinkEnd(why=answer.value)
        place = self._ledger.place_of(self._legs.get(_drive(answer), ()), key_of(answer))
        if place is None or not place.arrived:
            is_gone = place is not None and place.state in {State.GONE, State.LEAVING}
            return LinkEnd(why=Dead.GONE.value if is_gone else NOT_MIGRATED)
        return LinkEnd(place.mailbox, self._path(place))

    def _path(self, place: Place) -> str:
        """Return the path below the root of the account's files."""
        target = accounts(self._ledger, self._ledger.mailbox(place.mailbox)).target
        files = self._config.target.of(Kind.FILES)
        root = "".join(f"/{name}" for name in files.folder(target)) if files is not None else ""
        return f"{root}{place.folder}/{place.name}" if place.name else f"{root}{place.folder}" or "/"


def _drive(id_: str) -> str:
    return id_.rpartition("/")[0]


@dataclass(slots=True)
class LinkReader:
    """Read migrated items.

    Attributes:
        config: the configuration.
        ledger: the ledger.
        resolver: resolves addresses.
        at_target: True to read from the target, False from the source.
        look: counts what is found.
        seen: called after each item.
        breaker: counts refused logins.
    """

    config: Config
    ledger: Ledger
    resolver: Resolver
    at_target: bool
    look: LinkFindings
    seen: Callable[[], None]
    breaker: LoginBreaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = LoginBreaker(describe=partial(login_place, self.config))

    def links(self, mailbox: MailboxRow) -> Iterator[Link]:
        """Yield the links of one mailbox.

        A mailbox that cannot be read is noted; what was found before counts.

        Raises:
            Misconfigured: if several logins in a row are refused.
            Corrupt: if an invariant of the ledger is broken.
        """
        try:
            with contain_defects(mailbox.id):
                yield from self._links(mailbox)
        except (Misconfigured, Corrupt):
            raise
        except MigrationError as error:
            self.look.failed[mailbox.id] = error.code
            self.look.passing += isinstance(error, Transient)

    def _links(self, mailbox: MailboxRow) -> Iterator[Link]:
        for kind in LINKING:
            if self.config.target.of(kind) is None:
                continue
            rows = self._readable_rows(self.ledger.arrived(mailbox.id, kind))
            for container, batch in self._read(mailbox, kind, rows):
                for item, urls in batch:
                    for url in urls:
                        end = self.resolver.end(url)
                        self.look.ends[end.why] += 1
                        yield Link(mailbox, container, item, url, end)

    def _readable_rows(self, rows: Rows) -> Iterator[tuple[ContainerRow, ItemRow]]:
        for container, item in rows:
            is_file = KINDS[container.kind].by_name
            if is_file and not is_document(item.href or ""):
                self.seen()
            elif is_file and (item.size or 0) > DOCUMENT_MOST:
                self.look.large += 1
                self.seen()
            else:
                yield container, item

    def _read(
        self, mailbox: MailboxRow, kind: Kind, rows: Rows
    ) -> Iterator[tuple[ContainerRow, list[Found]]]:
        pair = accounts(self.ledger, mailbox)
        read = self._at_target if self.at_target else self._at_source
        return read(mailbox.id, pair, kind, rows)

    def _at_source(
        self, mailbox: str, pair: Pair, kind: Kind, rows: Rows
    ) -> Iterator[tuple[ContainerRow, list[Found]]]:
        with closing(open_source(self.config, pair.source, frozenset({kind}))) as source:
            with self.breaker.login(self.config.source.side(kind), mailbox):
                source.identity()
            for container, batch in _batches(rows):
                by_key = {item.key: item for item in batch}
                refs = [Ref(item.source_id, item.version) for item in batch]
                results = source.fetch(Container(kind, container.source_id, container.path), refs)
                yield (
                    container,
                    list(self._links_of((by_key.get(_key(result)), result) for result in results)),
                )

    def _at_target(
        self, mailbox: str, pair: Pair, kind: Kind, rows: Rows
    ) -> Iterator[tuple[ContainerRow, list[Found]]]:
        now = datetime.now(UTC)
        with closing(open_target(self.config, pair.target, kind, never, live=False, not_after=now)) as target:
            with self.breaker.login(side_of(kind), mailbox):
                target.identity()
            for container, batch in _batches(rows):
                by_href = {str(item.href): item for item in batch}
                answers = target.read(str(container.href), by_href)
                yield container, list(self._links_of((by_href.get(href), answer) for href, answer in answers))

    def _links_of(self, results: Iterable[tuple[ItemRow | None, Native | Failed]]) -> Iterator[Found]:
        for item, answer in results:
            self.seen()
            if item is None or isinstance(answer, Failed) or answer.body is None:
                self.look.unread += 1
                continue
            self.look.items += 1
            with answer.body() as stream:
                is_file = answer.format == FILE
                urls = in_document(str(answer.properties["Name"]), stream) if is_file else in_mail(stream)
            yield item, urls


def _batches(rows: Rows) -> Iterator[tuple[ContainerRow, list[ItemRow]]]:
    for _, group in groupby(rows, key=lambda row: row[0].id):
        while batch := list(islice(group, BATCH)):
            yield batch[0][0], [item for _, item in batch]


def _key(result: Native | Failed) -> bytes:
    return result.key if isinstance(result, Failed) else key_of(result.ref.id)
