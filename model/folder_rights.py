"""Say who may do what in a folder: in the words of nobody's system, and in those of a target's server.

A right travels as an item: its body is the text of one `FolderRight`, in the words of the server that holds
the folder. `mappings.rights` makes these words from what a source says (`Access`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from model.kinds import Kind


class Detail(IntEnum):
    """Name how much of the items in a folder a person may read."""

    NOTHING = 0
    TIMES = 1
    SUBJECTS = 2
    ALL = 3


class Span(IntEnum):
    """Name with which items in a folder a person may do something."""

    NONE = 0
    OWN = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Access:
    """Say what a person may do in a folder.

    Attributes:
        sees: the folder is listed for the person.
        reads: how much of its items.
        creates: puts items into it.
        creates_folders: makes folders below it.
        edits: which of its items.
        deletes: which of its items.
        owns: gives others rights to it, and may remove it.
    """

    sees: bool = False
    reads: Detail = Detail.NOTHING
    creates: bool = False
    creates_folders: bool = False
    edits: Span = Span.NONE
    deletes: Span = Span.NONE
    owns: bool = False

    @property
    def empty(self) -> bool:
        """True if it allows nothing."""
        return self == NOTHING

    def both(self, other: Access) -> Access:
        """Return what this and the other allow: the narrower of each part."""
        return Access(
            sees=self.sees and other.sees,
            reads=min(self.reads, other.reads),
            creates=self.creates and other.creates,
            creates_folders=self.creates_folders and other.creates_folders,
            edits=min(self.edits, other.edits),
            deletes=min(self.deletes, other.deletes),
            owns=self.owns and other.owns,
        )

    def either(self, other: Access) -> Access:
        """Return what this or the other allows: the wider of each part."""
        return Access(
            sees=self.sees or other.sees,
            reads=max(self.reads, other.reads),
            creates=self.creates or other.creates,
            creates_folders=self.creates_folders or other.creates_folders,
            edits=max(self.edits, other.edits),
            deletes=max(self.deletes, other.deletes),
            owns=self.owns or other.owns,
        )


NOTHING = Access()


class RightsForm(StrEnum):
    """Name the words in which a server says what a person may do.

    ACL    letters, sorted: "lrs" (RFC 4314, 2.1)
    SHARE  "read" or "read-write": a collection that is shared with a person
    """

    ACL = "acl"
    SHARE = "share"


READ, READ_WRITE = "read", "read-write"
"""The words of RightsForm.SHARE."""
BESIDE = "Beside"
"""The property of a record (Native.properties) that holds the other rights to its folder: a tuple of id,
format and body of each."""


@dataclass(frozen=True, slots=True)
class FolderRight:
    """Describe what one person may do in one folder of a target.

    Attributes:
        kind: what the folder holds; it says which server has it.
        folder: the folder's href.
        who: the person's name at that server.
        words: what the person may do, as the server's RightsForm says it.
    """

    kind: Kind
    folder: str
    who: str
    words: str

    def text(self) -> str:
        """Return the right as one line of JSON, its keys sorted."""
        fields = {"folder": self.folder, "kind": self.kind.value, "who": self.who, "words": self.words}
        return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def right_of(text: str) -> FolderRight:
    """Read what `FolderRight.text` wrote.

    Raises:
        ValueError: the text is not one that `FolderRight.text` writes.
    """
    fields = json.loads(text)
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise ValueError("not the text of a right")
    try:
        right = FolderRight(Kind(fields["kind"]), fields["folder"], fields["who"], fields["words"])
    except KeyError:
        raise ValueError("a part of the right is missing") from None
    if right.text() != text:
        raise ValueError("the right is written otherwise")
    return right
