"""Fit the attachments of an event or a task: each is read now, and no more of it than may be kept."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from mappings.icalendar.component import Component
from mappings.icalendar.values import Binary, File
from mappings.losses.catalogue import lose
from model.errors import Rejected
from model.protocols import Body, Capabilities, Loss


@dataclass(slots=True)
class AttachmentBudget:
    """Count how many bytes of attachments one item may still hold; None: any number."""

    left: int | None

    def take(self, size: int) -> None:
        """Use so many bytes.

        Raises:
            Rejected: "too-large", before the rest is read.
        """
        if self.left is not None:
            self.left -= size
            if self.left < 0:
                raise too_large()


def too_large() -> Rejected:
    """Return the error for an item that is larger than the target takes."""
    return Rejected("too-large", "larger than the target takes; raise its limit or leave it out")


def room(target: Capabilities) -> AttachmentBudget:
    """Return the budget of an item: base64 makes four bytes of three."""
    most = target.max_bytes
    return AttachmentBudget(None if most is None else most * 3 // 4)


def largest(target: Capabilities, components: int) -> int | None:
    """Return the most bytes of one attachment; fewer for an object with changed occurrences.

    Args:
        target: its capabilities.
        components: how many the object has.
    """
    if target.series_attachment_bytes is None or components == 1:
        return target.attachment_bytes
    return target.series_attachment_bytes


def fit_attachments(component: Component, most: int | None, space: AttachmentBudget) -> Iterator[Loss]:
    """Read the files of a component, and leave out those that are larger than `most`.

    Raises:
        Rejected: "too-large".
    """
    kept = []
    for value in component.properties.pop("ATTACH", ()):
        if not isinstance(value, File | Binary):
            kept.append(value)
            continue
        data = _read(value.body if isinstance(value, File) else _body_of(value.data), most, space)
        if data is None:
            yield lose("attachment", "too-large")
        else:
            kept.append(Binary(data, value.parameters))
    for value in kept:
        component.add("ATTACH", value)


def _body_of(data: bytes) -> Body:
    return lambda: io.BytesIO(data)


def _read(body: Body, most: int | None, space: AttachmentBudget) -> bytes | None:
    """Return the bytes; None if they are more than an attachment may have.

    It never holds more than one byte beyond what may be kept.
    """
    limits = [limit for limit in (most, space.left) if limit is not None]
    with body() as stream:
        data = stream.read(min(limits) + 1) if limits else stream.read()
    if most is not None and len(data) > most:
        return None
    space.take(len(data))
    return data
