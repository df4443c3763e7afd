"""Define a target of items that act by themselves, such as rules: these take no effect before they may."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


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
