"""Make Exchange's ids: base64 over a mailbox GUID and an entry id.

They are laid out as the real ones are (120 characters for a folder, 152 for an item), so they are case-
sensitive, and often equal but for case.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import date

from practice.harness.dice import digest

_FOLDER, _ITEM = 46, 70
_FOLDER_BYTES, _ITEM_BYTES, _DAY_BYTES = 89, 113, 4
_IMMUTABLE = base64.b64decode("AAkALgAAAAAAHYQDEapmEc2byACqAC/EWg0A")
_IMMUTABLE_BYTES = len(_IMMUTABLE) + 28


class IdMaker:
    """Make and read the ids of one mailbox generation. Reading gives None for any other's."""

    __slots__ = ("_instance", "_prefix", "_store")

    def __init__(self, guid: uuid.UUID) -> None:
        self._prefix = b"\x00\x03\x24\x00" + str(guid).encode()
        self._store = b"\x00\x00\x00\x00" + digest("store", guid)
        self._instance = digest("instance", guid)

    def folder(self, number: int) -> str:
        """Return a folder's id."""
        entry = self._store + b"\x01\x00" + self._counter(number)
        return base64.b64encode(self._prefix + b"\x2e\x00" + entry + b"\x00\x00\x00").decode()

    def item(self, folder: int, number: int) -> str:
        """Return an item's id."""
        entry = self._store + b"\x07\x00" + self._counter(folder) + b"\x00\x00" + self._counter(number)
        return base64.b64encode(self._prefix + b"\x46\x00" + entry + b"\x00\x00\x00").decode()

    def occurrence(self, folder: int, number: int, day: int) -> str:
        """Return the id of one occurrence of the series `number`; day is the ordinal of its original date."""
        return base64.b64encode(base64.b64decode(self.item(folder, number)) + day.to_bytes(4, "big")).decode()

    def immutable(self, folder: int, number: int, day: int | None = None) -> str:
        """Return the id that Graph gives to whoever prefers immutable ones: of where an item was first."""
        numbers = folder.to_bytes(6, "big") + number.to_bytes(6, "big")
        suffix = b"" if day is None else day.to_bytes(_DAY_BYTES, "big")
        return base64.b64encode(_IMMUTABLE + self._store[4:] + numbers + suffix).decode()

    def change_key(self, change: int) -> str:
        """Return a change key."""
        return base64.b64encode(b"\x09\0\0\0\x16\0\0\0" + self._counter(change)).decode()

    def read_folder(self, text: str) -> int | None:
        """Return the folder's number; None for anything that is not one of this mailbox's folder ids."""
        data = _decoded(text, _FOLDER_BYTES)
        if data is None:
            return None
        number = int.from_bytes(data[-9:-3], "big")
        return number if self.folder(number) == text else None

    def read_item(self, text: str) -> tuple[int, int] | None:
        """Return (folder number, item number); None for anything else."""
        data = _decoded(text, _ITEM_BYTES)
        if data is None:
            return None
        folder = int.from_bytes(data[-33:-27], "big")
        number = int.from_bytes(data[-9:-3], "big")
        return (folder, number) if self.item(folder, number) == text else None

    def read_occurrence(self, text: str) -> tuple[int, int, int] | None:
        """Return (folder number, item number, day); None for anything else."""
        data = _decoded(text, _ITEM_BYTES + _DAY_BYTES)
        if data is None:
            return None
        master = self.read_item(base64.b64encode(data[:_ITEM_BYTES]).decode())
        day = int.from_bytes(data[_ITEM_BYTES:], "big")
        return (*master, day) if master and 0 < day <= date.max.toordinal() else None

    def read_immutable(self, text: str) -> tuple[int, int, int | None] | None:
        """Return (folder number, item number, day or None); None for anything else."""
        data = _decoded(text, _IMMUTABLE_BYTES) or _decoded(text, _IMMUTABLE_BYTES + _DAY_BYTES)
        if data is None:
            return None
        folder, number = (int.from_bytes(data[at : at + 6], "big") for at in (43, 49))
        day = int.from_bytes(data[_IMMUTABLE_BYTES:], "big") if len(data) > _IMMUTABLE_BYTES else None
        if day is not None and not 0 < day <= date.max.toordinal():
            return None
        return (folder, number, day) if self.immutable(folder, number, day) == text else None

    def _counter(self, number: int) -> bytes:
        return self._instance + number.to_bytes(6, "big")


def _decoded(text: str, size: int) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == size else None
