"""Name each code with its advice, and below it what this machine found: a host, a port, a system's error."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from engine.control.remedies import advice

CAUSES_SHOWN = 8
SEE_CHECK = ": see `kogge check`."
"""How advice ends that sends its reader to where this is said."""


def fault_lines(
    codes: Mapping[str, int], causes: Collection[str], notes: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yield the lines, in the order of the codes.

    Args:
        codes: how many have each code.
        causes: "CODE: what this machine found" (MigrationError.local), for the terminal only.
        notes: what else is to be said below a code.
    """
    for code, count in codes.items():
        yield f"{code} ({count:,}): {advice(code).replace(SEE_CHECK, '.')}"
        if notes is not None and code in notes:
            yield f"  {notes[code]}"
        own = [cause.partition(": ")[2] for cause in sorted(causes) if cause.startswith(f"{code}: ")]
        yield from (f"  {cause}" for cause in own[:CAUSES_SHOWN])
