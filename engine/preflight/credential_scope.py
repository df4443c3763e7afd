"""Find what a source's credential may do beyond its need, and what it may not do although it must.

One credential opens every mailbox. So its excess is reported once for all of them, and a person accepts it
for a wave, or nothing moves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

from engine.config.load import Config
from engine.opening.open_sides import accounts, open_source
from ledger.store import Ledger
from model.errors import Blocked, Transient
from model.kinds import KINDS
from model.optional_protocols import Rights, SupportsRights
from model.protocols import Source

WIDE, WRITES = "tenant-wide", "may-write"


def withheld(source: Source) -> Iterator[str]:
    """Yield the code of each kind that is to move and may not be read.

    There is none if the source does not report its rights.
    """
    if isinstance(source, SupportsRights):
        for kind in sorted(source.withheld()):
            yield KINDS[kind].permission


def excess(rights: Rights | None) -> dict[str, tuple[str, ...]]:
    """Return the permissions that are too many, by the code that `kogge approve` takes.

    Args:
        rights: the rights of the credential; None if they are unknown.
    """
    if rights is None:
        return {}
    return {code: names for code, names in ((WIDE, rights.wide), (WRITES, rights.writes)) if names}


def together(one: Rights | None, other: Rights | None) -> Rights | None:
    """Return what two credentials may do beyond their need; None if nothing is known of either."""
    if one is None or other is None:
        return one or other
    return Rights(
        tuple(dict.fromkeys(one.wide + other.wide)), tuple(dict.fromkeys(one.writes + other.writes))
    )


def refuse_excess(config: Config, ledger: Ledger, wave: str) -> None:
    """Refuse rights that no person accepted for the wave.

    A source that cannot be asked now is not refused: its mailboxes report that themselves.

    Raises:
        Blocked: `tenant-wide` or `may-write`.
    """
    for code, names in excess(_rights_once(config, ledger, wave)).items():
        if not ledger.approved(f"wave:{wave}", code):
            rights = ", ".join(names)
            raise Blocked(code, f"the application has more rights than it needs ({rights})")


def _rights_once(config: Config, ledger: Ledger, wave: str) -> Rights | None:
    """Return the rights, or None if they are unknown.

    This process remembers an answer, because a wave asks several times.
    """
    with _asking:
        key = str(config.path)
        if key not in _answers:
            try:
                _answers[key] = _asked(config, ledger, wave)
            except (Transient, Blocked):
                return None
        return _answers[key]


def _asked(config: Config, ledger: Ledger, wave: str) -> Rights | None:
    """Ask with the account of any mailbox of the wave; nothing is asked about that mailbox."""
    row = next(iter(ledger.mailboxes(wave)), None)
    if row is None:
        return None
    account, rights = accounts(ledger, row).source, None
    for side in config.sources:
        with closing(open_source(config, account, frozenset(), looking=True, side=side)) as source:
            rights = together(rights, source.rights() if isinstance(source, SupportsRights) else None)
    return rights


_asking = threading.Lock()
_answers: dict[str, Rights | None] = {}
