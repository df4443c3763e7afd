"""`kogge discover --relations`: who is whose delegate, as a file for `kogge plan`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kogge.terminal.options import private_csv, say
from model.plural import many
from model.sites import one_spelling

if TYPE_CHECKING:
    from engine.preflight.source_inventory import Inventory


def write_relations(path: Path, found: Sequence[Inventory]) -> None:
    """Write a row for each mailbox with delegates of the list, and say on standard error what was left out.

    Raises:
        Misconfigured: for the file.
    """
    listed = {one_spelling(name) for one in found for name in (one.person.source, one.person.target)}
    pairs = [(one, [name for name in one.delegates if one_spelling(name) in listed]) for one in found]
    rows = [(one.person.source, " ".join(names)) for one, names in pairs if names]
    with private_csv(path) as out:
        out.put(("person", "delegates"))
        for row in rows:
            out.put(row)
    inside, every = sum(len(names) for _, names in pairs), sum(len(one.delegates) for one in found)
    text = many(inside, "delegate", "delegates")
    strangers = f"; {many(every - inside, 'is', 'are')} in no row of the list" if every > inside else ""
    say(f"{text} of {many(len(rows), 'mailbox', 'mailboxes')} in {path}{strangers}")
    if unasked := sum(one.delegates_unknown for one in found):
        say(f"{many(unasked, 'mailbox does', 'mailboxes do')} not say who its delegates are")
