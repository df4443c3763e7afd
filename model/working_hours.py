"""Define where a server keeps when a person is available (their working hours), and how ours are known."""

from __future__ import annotations

from typing import Final, Protocol

HOURS: Final = "working-hours"
"""The id of the container at the source, and its href at the target."""
BEGINS: Final = b"BEGIN:VCALENDAR"


def uid_of(key: bytes) -> str:
    """Return the UID of the object that is written for an item."""
    return f"kogge-{key.hex()}"


class AvailabilityStore(Protocol):
    """Hold one iCalendar object of an account: when the person is available (RFC 7953).

    Every call may raise Transient and Blocked, as the calls of a Target do.
    """

    def text(self) -> bytes | None:
        """Return the object that the account has; None if it has none. Idempotent.

        Raises:
            Rejected: "hours-not-at-target": the server keeps no such object.
        """

    def keep(self, text: bytes) -> None:
        """Put an object in the place of the one before, which the caller has looked at. Idempotent.

        It may have been kept if it raises.

        Raises:
            Rejected: "hours-not-at-target": the server does not keep it.
        """

    def remove(self) -> None:
        """Remove the object, which the caller has looked at. Idempotent.

        Raises:
            Rejected: "hours-not-at-target": the server does not remove it.
        """

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
