"""What a mapping is told beside the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from model.protocols import Capabilities


@dataclass(frozen=True, slots=True)
class Context:
    """The same for every item of a leg, and for every later run of it, but for read_at and origins.

    target      what the target can hold
    began       when the leg began its first run, which is part of what an item means: earlier alarms are
                acknowledged, endless series are compared up to two years beyond
    read_at     when the record was read: a later date lies in the future
    owner       lower-case addresses of the mailbox's owner
    addresses   lower-case X.500 or IMCEAEX address -> SMTP address, from the directory export
    origins     by the key of an item that the source lists under another id since it was copied: the key that
                its copy was made by, from which its UID follows where the source has none
    """

    target: Capabilities
    began: datetime
    read_at: datetime
    owner: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[bytes, bytes] = field(default_factory=dict)

    def uid_of(self, key: bytes) -> str:
        """The UID of an item to which the source gives none."""
        return f"kogge-{self.origins.get(key, key).hex()}"
