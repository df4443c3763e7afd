"""Define a target of items that act by themselves, such as rules: these take no effect before they may."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Effect(StrEnum):
    """Name what an item does that was brought.

    ACTS      it acts, as it was brought
    OFF       it was brought switched off
    CHANGED   somebody changed it since; what it does now is theirs
    WAITS     it takes effect later
    ENDED     it took effect, and acts no more: somebody removed it, or lets another script act
    """

    ACTS = "acts"
    OFF = "switched off"
    CHANGED = "changed since"
    WAITS = "waits"
    ENDED = "acts no more"


@runtime_checkable
class TakesEffect(Protocol):
    """Put into force what a target keeps without effect while the mailbox is being filled."""

    def take_effect(self) -> object:
        """Put everything into force.

        Idempotent; it is called in every pass once the mailbox is no longer staging. It may have taken effect
        if it raises: call it again.

        Returns:
            What came of it, in the target's own words. Nothing rests on it.

        Raises:
            Blocked: what the owner has of the kind cannot be joined with the items, or keeps them from
                acting.
        """

    def give_back(self) -> None:
        """Put everything out of force, so that it can be removed.

        Idempotent. It may be out of force if it raises: call it again.

        Raises:
            Rejected: "changed-at-target": a person changed it since.
        """


@runtime_checkable
class TellsEffects(Protocol):
    """Tell what the items do that act by themselves."""

    def effects(self) -> Mapping[str, Effect]:
        """Return what each of these items does now, by its href.

        Raises:
            Blocked: what the owner has of the kind cannot be read.
        """
