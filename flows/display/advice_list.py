"""What to do about each code, as a list: Prefect's older UI cuts a long cell of a table off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.control.remedies import advice
from model.plural import many


def advice_list(
    counts: Mapping[str, int],
    one: str,
    more: str,
    actions: Mapping[str, Sequence[str]] | None = None,
    heading: str = "What to do",
) -> list[str]:
    """Return a heading, and a line for each code, the most frequent first; [] if there are no codes.

    Args:
        counts: how many have each code.
        one: what is counted, of one; see model.plural.
        more: what is counted, of several.
        actions: what to type or press because of a code, as Markdown.
        heading: stands above the list.
    """
    if not counts:
        return []
    order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = []
    for code, count in order:
        lines += [f"- `{code}` ({many(count, one, more)}): {advice(code)}"]
        lines += [f"    - {action}" for action in (actions or {}).get(code, ())]
    return ["", f"### {heading}", "", *lines]
