"""What a mapping is told beside the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.base import Capabilities


@dataclass(frozen=True, slots=True)
class Context:
    """The same for every item of a leg, and for every later run of it, but for read_at.

    target      what the target can hold
    began       when the leg began its first run, which is part of what an item means: earlier alarms are
                acknowledged, endless series are compared up to two years beyond
    read_at     when the record was read: a later date lies in the future
    owner       lower-case addresses of the mailbox's owner
    addresses   lower-case X.500 or IMCEAEX address -> SMTP address, from the directory export
    """

    target: Capabilities
    began: datetime
    read_at: datetime
    owner: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)
