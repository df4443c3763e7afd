"""Map files: the bytes stay as they are; the name and the date may change.

Properties of a "file": Name, Modified (aware datetime), Sha256 (hex, of the body), Size. If they were asked
for, Versions: how many older versions there are, None if the source does not state it; and Older: those of
them that came with it (model.file_versions.Older), oldest first.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import BinaryIO

from mappings.fields.context import Context
from mappings.fields.file_names import file_name
from mappings.files.file_versions import EARLIEST, versions_of
from mappings.losses.catalogue import lose
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Item, Loss, Mapped, Native, key_of

CHUNK = 1 << 20


def skip_file(_native: Native) -> None:
    """Return None: every file moves."""


def map_file(native: Native, context: Context) -> Mapped:
    """Map a file.

    Raises:
        Rejected: "malformed-record".
    """
    name, digest = native.properties.get("Name"), _digest_of(native)
    if not isinstance(name, str) or not name or native.body is None:
        raise Rejected("malformed-record", "a file without a name, or without its bytes")
    rules = context.target.files
    new_name, reasons = (name, ()) if rules is None else file_name(name, rules)
    date, dated = _date(native, context)
    older, left = versions_of(native, digest, date or context.began)
    item = Item(
        kind=Kind.FILES,
        key=key_of(native.ref.id),
        digest=digest,
        size=_size(native),
        body=native.body,
        date=date,
        name=new_name,
        versions=older,
    )
    losses = [lose("file-name", reason) for reason in sorted(reasons)]
    return Mapped(item, (*losses, *dated, *left))


def title_of(native: Native) -> str:
    """Return the name of a file.

    Raises:
        Rejected: "malformed-record" if it has none.
    """
    name = native.properties.get("Name")
    if not name:
        raise Rejected("malformed-record", "a file without a name")
    return str(name)


def file_digest(stream: BinaryIO, _not_after: datetime) -> bytes:
    """Return the SHA-256 of the bytes."""
    digest = hashlib.sha256()
    while block := stream.read(CHUNK):
        digest.update(block)
    return digest.digest()


def file_differing(_one: BinaryIO, _other: BinaryIO, _not_after: datetime) -> tuple[str, ...]:
    """Return the field in which two files may differ: their body."""
    return ("body",)


def date_of(native: Native, context: Context) -> tuple[datetime | None, tuple[Loss, ...]]:
    """Return the date that map_file gives the file, and what is lost of it. It needs no body."""
    return _date(native, context)


def _digest_of(native: Native) -> bytes:
    try:
        digest = bytes.fromhex(str(native.properties.get("Sha256")))
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise Rejected("malformed-record", "a file without its hash")
    return digest


def _size(native: Native) -> int:
    size = native.properties.get("Size")
    if not isinstance(size, int) or size < 0:
        raise Rejected("malformed-record", "a file without its size")
    return size


def _date(native: Native, context: Context) -> tuple[datetime | None, tuple[Loss, ...]]:
    """Return the date in whole seconds, neither before what servers take nor after it was read."""
    modified = native.properties.get("Modified")
    if not isinstance(modified, datetime):
        return None, (lose("modified", "unknown"),)
    whole = modified.astimezone(UTC).replace(microsecond=0)
    if whole < EARLIEST:
        return EARLIEST, (lose("modified", "before-1970"),)
    if whole > context.read_at:
        return context.read_at.astimezone(UTC).replace(microsecond=0), (lose("modified", "in-the-future"),)
    return whole, ()
