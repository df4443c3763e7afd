"""Define where the rights to the folders of one account lie: on the server that holds the folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from model.folder_rights import RightsForm
from model.protocols import Identity


class RightsStore(Protocol):
    """Hold the rights to the folders of one account on one server.

    The owner's own right is none of them, nor are those that the administration keeps for itself: nobody
    lists, changes or removes them by this protocol. Nobody is notified of anything.

    Every call may raise Transient and Blocked, as the calls of a Target do.
    """

    @property
    def form(self) -> RightsForm:
        """Return the words in which this server says rights; asks nothing."""

    def identity(self) -> Identity:
        """Return whose account it is; see `model.protocols.Target.identity`."""

    def all_rights(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield each of the account's own folders, by its href, and the rights to it. Idempotent.

        See `rights`. A folder whose rights the server does not tell may be left out.
        """

    def rights(self, folder: str) -> Mapping[str, str]:
        """Return the words of each right to a folder, by the person's name. Idempotent.

        Rights of groups, and those that the words cannot say, are named by what the server calls them.

        Raises:
            Rejected: "vanished": there is no such folder.
        """

    def grant(self, folder: str, who: str, words: str) -> None:
        """Give a person exactly this right, whatever right the person had. Idempotent.

        It may have been given if it raises.

        Raises:
            Rejected: "vanished"; "person-not-there": the server knows nobody of this name;
                "refused-by-target".
        """

    def revoke(self, folder: str, who: str) -> None:
        """Take a person's right away. Idempotent: a right that is not there is no fault.

        Raises:
            Rejected: "refused-by-target".
        """

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
