"""What a test asks of the answers of a target."""

from __future__ import annotations

from collections.abc import Iterable

from model.protocols import Failed, Stored


def stored(results: Iterable[Stored | Failed]) -> list[Stored]:
    """Of items that all arrived."""
    found = list(results)
    assert all(isinstance(one, Stored) for one in found), found
    return [one for one in found if isinstance(one, Stored)]


def code(results: Iterable[Stored | Failed]) -> str:
    """Of the one item that failed."""
    (one,) = results
    assert isinstance(one, Failed), one
    return one.error.code


def codes(results: Iterable[Stored | Failed]) -> list[str]:
    """ "" for what was stored, else the error's code."""
    return [one.error.code if isinstance(one, Failed) else "" for one in results]


def by_key(results: Iterable[Stored | Failed]) -> dict[bytes, str]:
    found = list(results)
    return dict(zip((one.key for one in found), codes(found), strict=True))
