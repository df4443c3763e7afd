"""Define what a mapping gets beside the record, and what of it a reader gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from model.kinds import Kind
from model.protocols import Capabilities, Role


class Reading(Protocol):
    """Give a reader what Context holds, but for the target: what is read does not depend on it."""

    @property
    def began(self) -> datetime:
        """Return when the leg began its first run."""

    @property
    def owner(self) -> frozenset[str]:
        """Return the lower-case addresses of the mailbox's owner."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """Return SMTP addresses by X.500 or IMCEAEX address."""

    def uid_of(self, key: bytes) -> str:
        """Return the UID of an item to which the source gives none."""


class Digests(Protocol):
    """Tell which digests are meant, without saying which there are."""

    def __contains__(self, digest: object, /) -> bool:
        """Return True if this digest is one of them."""


NO_DIGEST: Digests = frozenset()


def no_digest() -> Digests:
    """Return none."""
    return NO_DIGEST


def nobody(_kind: Kind, _address: str) -> Mapping[str, str | None]:
    """Return nobody: a target on which people are not named."""
    return {}


@dataclass(frozen=True, slots=True)
class Context:
    """Hold what a mapping gets beside the record.

    It is the same for every item of a leg, and for every later run of it, except for read_at and origins.

    Attributes:
        target: what the target can hold.
        began: when the leg began its first run. It is part of what an item means: earlier alarms are
            acknowledged, endless series are compared up to two years beyond.
        read_at: when the record was read; a later date lies in the future.
        owner: lower-case addresses of the mailbox's owner.
        addresses: from a lower-case X.500 or IMCEAEX address to the SMTP address, from the directory export.
        origins: by the key of an item that the source lists under another id since it was copied, the key
            that its copy was made by. Its UID follows from that key if the source has none.
        folders: the target's names of the folders of mail, by the source's ids; empty for kinds that name
            none.
        roles: the target's names of folders of mail, by their role at the source.
        places: the kind and the target's href of every folder of the mailbox, by the source's ids; empty for
            kinds that need none of other kinds.
        people: returns, by their address, what a person at the source is called at the server that holds
            items of a kind: None if the account is not known yet; nobody if no account is to be given rights.
        allowed: has the digests of rules that a person allowed to send mail out of the own domains, as they
            are while they are switched off for that.
    """

    target: Capabilities
    began: datetime
    read_at: datetime
    owner: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[bytes, bytes] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[Role, str] = field(default_factory=dict)
    places: Mapping[str, tuple[Kind, str]] = field(default_factory=dict)
    people: Callable[[Kind, str], Mapping[str, str | None]] = nobody
    allowed: Digests = NO_DIGEST

    def uid_of(self, key: bytes) -> str:
        """Return the UID of an item to which the source gives none."""
        return f"kogge-{self.origins.get(key, key).hex()}"
