"""Compare two items of the workload `settings`, whatever they are: rules, or working hours."""

from __future__ import annotations

import io
from datetime import datetime
from typing import BinaryIO

from mappings.hours.hours_item import hours_differing, hours_digest, is_hours
from mappings.rules.rule_item import rule_differing, rule_digest


def setting_digest(stream: BinaryIO, _moment: datetime | None = None) -> bytes:
    """Return the digest of what an item means.

    Raises:
        Rejected: "malformed-record" if it is no setting.
    """
    body = stream.read()
    return hours_digest(io.BytesIO(body)) if is_hours(body) else rule_digest(io.BytesIO(body))


def setting_differing(one: BinaryIO, other: BinaryIO, moment: datetime) -> tuple[str, ...]:
    """Return the names of the parts in which two items differ.

    Raises:
        Rejected: "malformed-record" if one of them is no setting.
    """
    mine, theirs = one.read(), other.read()
    if is_hours(mine) != is_hours(theirs):
        return ("body",)
    if is_hours(mine):
        return hours_differing(io.BytesIO(mine), io.BytesIO(theirs))
    return rule_differing(io.BytesIO(mine), io.BytesIO(theirs), moment)
