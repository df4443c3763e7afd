"""Hold what a source says of one right: what every reader of rights returns, and `words` makes words from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from model.folder_rights import NOTHING, Access


class Grantee(StrEnum):
    """Name whom a right is given.

    PERSON     a person, or a group: an address does not tell which
    EVERYONE   everybody in the organisation who has no right of their own (Exchange's Default)
    ANONYMOUS  everybody, also outside
    EXTERNAL   a person of another organisation
    DELETED    an account that no longer exists
    DELEGATE   a delegate of the owner without a right to the calendar, who may send on the owner's behalf
    UNTOLD     nobody knows: the source does not tell who has rights to the folder
    """

    PERSON = "person"
    EVERYONE = "everyone"
    ANONYMOUS = "anonymous"
    EXTERNAL = "external"
    DELETED = "deleted"
    DELEGATE = "delegate"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Delegation:
    """Say what a delegate has beside rights to folders.

    Attributes:
        private: sees items that are marked as private.
        copies: receives copies of the owner's meeting requests.
    """

    private: bool = False
    copies: bool = False


@dataclass(frozen=True, slots=True)
class SourceRight:
    """Describe what one person may do in one folder of a source.

    Attributes:
        grantee: whom it is given.
        address: of a person, the lower-case SMTP or X.500 address; "" if the source states none.
        access: what the person may do.
        delegation: what the person has as the owner's delegate; None if the person is none, or if the right
            is not about the calendar.
        stated: False if the source does not say what the person may do; `access` is nothing then.
        listed: True if it stands in the administrator's list of rights, and not in the mailbox itself.
        told: of a listed right, True if the source tells by itself who has rights to the folder.
        whole: True for a right to the whole mailbox, which comes to every folder.
        left: the code by which it is left whatever else is known; "" for none.
        denied: of a right to the whole mailbox, the addresses to which the list denies that right.
    """

    grantee: Grantee
    address: str = ""
    access: Access = NOTHING
    delegation: Delegation | None = None
    stated: bool = True
    listed: bool = False
    told: bool = False
    whole: bool = False
    left: str = ""
    denied: tuple[str, ...] = ()
