"""What to do about each code, below a table: Prefect's older UI cuts a long cell off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.control.remedies import advice
from model.plural import many


def advice_list(
    counts: Mapping[str, int], one: str, more: str, typed: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Return a heading, and a line for each code, the most frequent first; [] if there are no codes.

    Args:
        counts: how many have each code.
        one: what is counted, of one; see model.plural.
        more: what is counted, of several.
        typed: what to type because of a code.
    """
    if not counts:
        return []
    order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = []
    for code, count in order:
        lines += [f"- `{code}` ({many(count, one, more)}): {advice(code)}"]
        lines += [f"    - `{command}`" for command in (typed or {}).get(code, ())]
    return ["", "### What to do", "", *lines]
