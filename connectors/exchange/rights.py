"""Name the container of the rights to a mailbox's folders, and the ids of rights, for every protocol."""

from __future__ import annotations

import hashlib

from model.kinds import Kind
from model.protocols import Container

RIGHTS = "folder-rights"
"""The id of the container."""
PATH = ("Rights to folders",)


def rights_container() -> Container:
    """Return the container that holds the rights to the folders of a mailbox."""
    return Container(Kind.PERMISSIONS, RIGHTS, PATH)


def right_id(folder: str, who: str) -> str:
    """Return the id of a right: it stays while the folder and the person do.

    Args:
        folder: the id of the folder; "" for a right to the whole mailbox.
        who: what names the person; only a hash of it is in the id.
    """
    return f"{hashlib.blake2b(who.encode(), digest_size=8).hexdigest()}/{folder}"
