"""Read subjects and names of items from the source. They are shown, and never stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby

from engine.config.load import Config
from engine.control.error_log import contain_defects
from engine.opening.open_sides import accounts, open_source
from engine.pacing.login_breaker import UNREACHABLE, LoginBreaker
from ledger.db.rows import ContainerRow
from ledger.store import Ledger
from ledger.views.reports import Rejection
from mappings.registry import ITEM_FORMS
from model.errors import Corrupt, MigrationError, Misconfigured, Rejected
from model.kinds import KINDS, Kind
from model.protocols import Container, Failed, Native, Ref, Source, key_of

Spot = tuple[int, bytes]
"""The ledger's number of a container, and an item's key."""

UNREADABLE = "(cannot be read from the source)"


def subjects_of(config: Config, ledger: Ledger, found: Sequence[Rejection]) -> dict[Spot, str]:
    """Read the subject or the name of each item from the source, once.

    A source that cannot be asked causes no error: its items get UNREADABLE. No more sources are asked once
    too many logins were refused, or if a source cannot be reached and none was read before.

    Args:
        config: names the sources.
        ledger: an open ledger.
        found: the items, sorted by mailbox and container.

    Raises:
        Misconfigured: the configuration does not allow to ask.
        Corrupt: an invariant of the ledger is broken.
    """
    breaker, reached = LoginBreaker(), False
    subjects: dict[Spot, str] = {(row.id, item.key): UNREADABLE for _, row, item in found}
    for _, group in groupby(found, key=lambda one: (one[0].id, config.source.side(one[1].kind))):
        own = list(group)
        account, kinds = accounts(ledger, own[0][0]).source, frozenset(row.kind for _, row, _ in own)
        try:
            with (
                contain_defects(own[0][0].id),
                closing(open_source(config, account, kinds, looking=True)) as source,
            ):
                subjects.update(_of_mailbox(source, own))
            breaker.note(own[0][0].id, None, accepted=True)
            reached = True
        except (Misconfigured, Corrupt):
            raise
        except MigrationError as error:
            over = breaker.note(own[0][0].id, error.code, accepted=False) is not None
            if over or (error.code in UNREACHABLE and not reached):
                break
    return subjects


def _of_mailbox(source: Source, found: Sequence[Rejection]) -> Iterator[tuple[Spot, str]]:
    for _, group in groupby(found, key=lambda one: one[1].id):
        own = list(group)
        refs = list({item.key: Ref(item.source_id, item.version) for _, _, item in own}.values())
        row = own[0][1]
        for result in source.fetch(_container(row), refs, bodies=not KINDS[row.kind].by_name):
            if not isinstance(result, Failed):
                yield (row.id, key_of(result.ref.id)), _subject(row.kind, result)


def _container(row: ContainerRow) -> Container:
    return Container(row.kind, row.source_id, row.path, row.role)


def _subject(kind: Kind, native: Native) -> str:
    try:
        return ITEM_FORMS[kind].title(native)
    except Rejected:
        return UNREADABLE
