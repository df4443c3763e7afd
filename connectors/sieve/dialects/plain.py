"""Write rules for no web client: a comment with the name, and the rule. A rule that is off is a comment."""

from __future__ import annotations

from connectors.sieve.dialects.dialect import Dialect, block, notes, one
from model.sieve_rule import SieveRule


def lines(rule: SieveRule, number: int) -> tuple[str, ...]:
    """Return the lines of a rule."""
    del number
    body = block(rule) if rule.active else tuple(f"#off {line}" for line in block(rule))
    return (f"# rule: {rule.name}", *notes(rule), *body)


PLAIN = Dialect(script="rules", fixed=False, lines=lines, first=one)
