"""Calendars and address books for a bench: records as the practice Exchange gives them, read once by the real
connector and kept in a file; a source over that file; and what the records become, for whoever only sends it.

    python bench_records.py calendar|contacts ITEMS FILE

writes ITEMS records that move, each of a UID of its own: the odd ones of one mailbox among ordinary ones.
"""

from __future__ import annotations

import io
import pickle
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account
from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Container, Failed, Identity, Mapped, Native, Page, Ref, Role
from practice.exchange.server import ExchangeServer
from practice.world.world import World

NOT_AFTER = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = {Kind.CALENDAR: Role.CALENDAR, Kind.CONTACTS: Role.CONTACTS}
SPARE = 1.2
"""So many more are made: some do not move, some share a UID."""
PAGE = 512
_UID = re.compile(rb"(?<=<t:UID>)[^<]+")


@dataclass(frozen=True, slots=True)
class Record:
    """A Native with its bodies in memory."""

    id: str
    version: str
    format: str
    item_class: str
    raw: bytes
    attachments: dict[str, bytes]

    @property
    def ref(self) -> Ref:
        return Ref(self.id, self.version, size=len(self.raw))

    def native(self) -> Native:
        files = {name: partial(io.BytesIO, data) for name, data in self.attachments.items()}
        properties: dict[str, object] = {"ItemClass": self.item_class, "Attachments": files}
        return Native(self.ref, self.format, properties, partial(io.BytesIO, self.raw))

    def copied(self, number: int) -> Record:
        """Another item of the same content; number 0 is the record itself."""
        if not number:
            return self
        raw = _UID.sub(lambda uid: b"%s-%d" % (uid[0], number), self.raw, count=1)
        return replace(self, id=f"{self.id}{number:04d}", raw=raw)


class RecordedSource:
    """model.protocols.Source over the records of a file, each of them so many times: one container."""

    def __init__(self, file: Path, kind: Kind, owner: str, copies: int = 1) -> None:
        self._records = records(file)
        self._numbers = {record.id: n for n, record in enumerate(self._records)}
        self._kind = kind
        self._owner = owner
        self._copies = copies

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({self._kind}))

    def identity(self) -> Identity:
        return Identity("bench", self._owner, frozenset({self._owner}))

    def containers(self) -> Iterator[Container]:
        total = len(self._records) * self._copies
        yield Container(self._kind, "records", ("Records",), ROLES[self._kind], total)

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        del container
        if cursor is not None:
            yield Page((), cursor)
            return
        for number in range(self._copies):
            refs = [record.copied(number).ref for record in self._records]
            for first in range(0, len(refs), PAGE):
                yield Page(tuple(refs[first : first + PAGE]), "end", full=True)

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        del container
        for ref in refs:
            number = 0 if ref.id in self._numbers else int(ref.id[-4:])
            record = self._records[self._numbers[ref.id[:-4] if number else ref.id]]
            native = record.copied(number).native()
            yield native if bodies else replace(native, body=None)

    def close(self) -> None:
        """There is nothing to close."""


def records(file: Path) -> list[Record]:
    return [Record(*fields) for fields in pickle.loads(file.read_bytes())]


def bodies(file: Path, kind: Kind) -> list[bytes]:
    """What the records become, in their order."""
    context = Context(Capabilities(frozenset({kind})), NOT_AFTER, NOT_AFTER)
    found = []
    for record in records(file):
        with ITEM_FORMS[kind].map(record.native(), context).item.body() as stream:
            found.append(stream.read())
    return found


def write_records(kind: Kind, count: int, file: Path) -> None:
    """Raises AssertionError when the mailbox has fewer that move."""
    world = World(seed=1, people=5, items=0, pim=int(count * SPARE))
    with ExchangeServer(world) as server, TemporaryDirectory() as spool:
        account = next(iter(world.service_accounts.values()))
        secret = Path(spool) / "password"
        secret.write_text(account.password)
        settings = EwsSettings.model_validate(
            {
                "kind": "ews",
                "url": server.url,
                "auth": "basic",
                "username": account.address,
                "password": {"file": str(secret)},
            }
        )
        source = EwsSource(
            settings, Account(login=(owner := world.addresses()[0]), address=owner), Path(spool)
        )
        found = list(_moving(source, kind, count))
        source.close()
    assert len(found) == count, "too few records that move"
    file.write_bytes(pickle.dumps([astuple(record) for record in found]))


def _moving(source: EwsSource, kind: Kind, count: int) -> Iterator[Record]:
    context = Context(Capabilities(frozenset({kind})), NOT_AFTER, NOT_AFTER)
    uids: set[str | None] = set()
    for native in _natives(source, kind):
        mapped = _mapped(native, kind, context)
        if mapped is not None and mapped.item.uid not in uids and len(uids) < count:
            uids.add(mapped.item.uid)
            yield _kept(native)


def _natives(source: EwsSource, kind: Kind) -> Iterator[Native]:
    for container in source.containers():
        if container.kind is kind and container.omit is None:
            for page in source.changes(container, None):
                for native in source.fetch(container, page.refs):
                    if isinstance(native, Native):
                        yield native


def _mapped(native: Native, kind: Kind, context: Context) -> Mapped | None:
    form = ITEM_FORMS[kind]
    if form.skip(native):
        return None
    try:
        return form.map(native, context)
    except Rejected:
        return None


def _kept(native: Native) -> Record:
    assert native.body is not None
    with native.body() as stream:
        raw = stream.read()
    files = native.properties["Attachments"]
    assert isinstance(files, dict)
    attachments = {name: body().read() for name, body in files.items()}
    item_class = str(native.properties["ItemClass"])
    return Record(native.ref.id, native.ref.version, native.format, item_class, raw, attachments)


if __name__ == "__main__":
    write_records(Kind(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
