"""Explain codes: each with its advice, then what this machine found (a host, a port, a system's error)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from engine.control.remedies import advice

CAUSES_SHOWN = 8
SEE_CHECK = ": see `kogge check`."
"""The end of an advice that sends its reader to `kogge check`, which prints these lines."""


def fault_lines(
    codes: Mapping[str, int], causes: Collection[str], notes: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yield the lines, in the order of the codes.

    Args:
        codes: how many have each code.
        causes: "CODE: what this machine found" (MigrationError.local), for the terminal only.
        notes: one more line for a code, by code.
    """
    for code, count in codes.items():
        yield f"{code} ({count:,}): {advice(code).replace(SEE_CHECK, '.')}"
        if notes is not None and code in notes:
            yield f"  {notes[code]}"
        own = [cause.partition(": ")[2] for cause in sorted(causes) if cause.startswith(f"{code}: ")]
        yield from (f"  {cause}" for cause in own[:CAUSES_SHOWN])
