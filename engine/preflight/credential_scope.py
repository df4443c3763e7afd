"""What a source's credential may do more than it needs, and what it may not do although it must.

One credential opens every mailbox: so its excess is told once for all of them, and a person accepts it for a
wave, or nothing moves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing

from engine.assembly import accounts, open_source
from engine.config.load import Config
from ledger.store import Ledger
from model.errors import Blocked, Transient
from model.optional_protocols import Rights, SupportsRights
from model.protocols import Kind, Source

WITHHELD: Mapping[Kind, str] = {
    Kind.MAIL: "no-mail-permission",
    Kind.CALENDAR: "no-calendar-permission",
    Kind.CONTACTS: "no-contacts-permission",
    Kind.TASKS: "no-tasks-permission",
    Kind.NOTES: "no-notes-permission",
    Kind.FILES: "no-files-permission",
}
"""The fault of a mailbox of which a kind is to move and may not be read."""

WIDE, WRITES = "tenant-wide", "may-write"


def withheld(source: Source) -> Iterator[str]:
    """Codes of WITHHELD; none where the source does not tell."""
    if isinstance(source, SupportsRights):
        for kind in sorted(source.withheld()):
            yield WITHHELD[kind]


def excess(rights: Rights | None) -> dict[str, tuple[str, ...]]:
    """The permissions that are too many, by the code that `kogge approve` takes."""
    if rights is None:
        return {}
    return {code: names for code, names in ((WIDE, rights.wide), (WRITES, rights.writes)) if names}


def refuse_excess(config: Config, ledger: Ledger, wave: str) -> None:
    """Raises Blocked("tenant-wide", "may-write") for what no person accepted for the wave. A source that
    cannot be asked now is not refused: its mailboxes say so themselves."""
    for code, names in excess(_asked_once(config, ledger, wave)).items():
        if not ledger.approved(f"wave:{wave}", code):
            told = ", ".join(names)
            raise Blocked(code, f"the application has more rights than it needs ({told})")


def _asked_once(config: Config, ledger: Ledger, wave: str) -> Rights | None:
    """An answer is remembered by this process: a wave asks several times."""
    with _asking:
        key = str(config.path)
        if key not in _answers:
            try:
                _answers[key] = _asked(config, ledger, wave)
            except (Transient, Blocked):
                return None
        return _answers[key]


def _asked(config: Config, ledger: Ledger, wave: str) -> Rights | None:
    """With the account of any mailbox of the wave, which is not asked about."""
    row = next(iter(ledger.mailboxes(wave)), None)
    if row is None:
        return None
    account = accounts(ledger, row).source
    with closing(open_source(config, account, frozenset(), looking=True)) as source:
        return source.rights() if isinstance(source, SupportsRights) else None


_asking = threading.Lock()
_answers: dict[str, Rights | None] = {}
