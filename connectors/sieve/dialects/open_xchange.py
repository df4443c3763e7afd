"""Write rules as Open-Xchange's mail filter does: a line of flags, a number and a name before each rule.

It reads no other script than its own, and none that does not act. Any comment but this line is no matter to
it, and is gone once it has written the script.

Source:
    Open-Xchange middleware, com.openexchange.jsieve.export.SieveTextFilter: PATTERN, kickcommentsright and
    interweaving (read in source, not measured)
"""

from __future__ import annotations

import re

from connectors.sieve.dialects.dialect import Dialect, block, notes
from model.sieve_rule import SieveRule

OFF = "#<!-->"
_NUMBERED = re.compile(r"^## Flag: [^|\r\n]*\|UniqueId:(\d{1,9})\|", re.MULTILINE)


def lines(rule: SieveRule, number: int) -> tuple[str, ...]:
    """Return the lines of a rule."""
    flag = "vacation" if any(action.startswith("vacation ") for action in rule.actions) else ""
    body = block(rule)
    if not rule.active:
        body = tuple(f"{OFF}{line}" for line in body)
    return (*notes(rule), f"## Flag: {flag}|UniqueId:{number}|Rulename: {rule.name}", *body)


def first(text: str) -> int:
    """Return the number after the highest one in use."""
    return max((int(number) + 1 for number in _NUMBERED.findall(text)), default=0)


OPEN_XCHANGE = Dialect(script="Open-Xchange", fixed=True, lines=lines, first=first)
