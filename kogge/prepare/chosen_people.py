"""Find the rows of mailboxes.csv that a command's options choose."""

from __future__ import annotations

from engine.config.load import Config
from engine.control.ledger_access import opened_ledger
from engine.planning.mailbox_list import Person
from engine.planning.mailbox_list_checks import mailboxes
from kogge.terminal.options import among, refuse_missing
from model.errors import Misconfigured


def people(config: Config, wave: str | None, wanted: list[str] | None) -> list[Person]:
    """Return the rows of mailboxes.csv that the options choose; a random id is looked up in the ledger.

    Raises:
        Misconfigured: there is no such wave or mailbox.
    """
    every = mailboxes(config, unplanned=True)
    rows = [one for one in every if wave in (None, one.wave)]
    if wave is not None and not rows:
        from engine.planning.missing_wave import missing_wave

        raise Misconfigured("--wave", missing_wave(config, wave, {one.wave for one in every if one.wave}))
    if not wanted:
        return rows
    ids = {name for name in wanted if name.startswith("m-") and "@" not in name}
    sources: dict[str, str] = {}
    if ids:
        with opened_ledger(config) as ledger:
            sources = {row.source: row.id for row in ledger.mailboxes(ids=ids)}
    names = {one.line: (one.source, one.target, sources.get(one.source, ""), str(one.line)) for one in rows}
    found, known = among(wanted, names)
    refuse_missing(wanted, known, config.mailboxes.name, config.mailboxes.name)
    return [one for one in rows if one.line in found]
