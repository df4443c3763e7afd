"""Say what rights an administrator's list gives: those that a mailbox itself does not tell."""

from __future__ import annotations

from dataclasses import dataclass

FULL_ACCESS, SEND_AS, ON_BEHALF = "FullAccess", "SendAs", "SendOnBehalf"
OF_MAILBOX = (FULL_ACCESS, SEND_AS, ON_BEHALF)
"""Rights to a whole mailbox, as PowerShell names them."""
DEFAULT, ANONYMOUS = "default", "anonymous"
"""Who stands for everybody in a list, in lower case."""
FORMAT = "listed-right"
"""Native.format of a record that comes from a list."""


@dataclass(frozen=True, slots=True)
class ListedRight:
    """Hold one row of the list.

    Attributes:
        folder: the path of the folder; () for the whole mailbox.
        user: the address of a person or group, in lower case; the security identifier of an account that no
            longer exists; DEFAULT or ANONYMOUS.
        rights: the names of the rights, as PowerShell writes them.
        denied: True if the right is denied.
    """

    folder: tuple[str, ...]
    user: str
    rights: tuple[str, ...]
    denied: bool = False
