"""State what a Sieve server takes: see mappings.rules.fit_rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SieveLimits:
    """State what a server takes of a script.

    Attributes:
        extensions: what `require` may name, as the capability SIEVE lists it.
        script_bytes: the size of a script, at most; None if the server says none.
        redirects: how many `redirect` one run may carry out (MAXREDIRECTS); None if the server says none.

    Source:
        RFC 5804 (ManageSieve), 1.7
    """

    extensions: frozenset[str] = frozenset()
    script_bytes: int | None = None
    redirects: int | None = None
