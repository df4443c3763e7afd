"""Write components as one object, within what the target takes."""

from __future__ import annotations

import io
from collections.abc import Iterable

from mappings.compare.content_lines import MOST_BYTES
from mappings.compare.semantic_digest import calendar_digest
from mappings.fields.context import Context
from mappings.fit.attachments import too_large
from model.icalendar_writer import calendar
from model.kinds import Kind
from model.protocols import Item


def write_item(kind: Kind, key: bytes, uid: str, components: Iterable[bytes], context: Context) -> Item:
    """Return an item whose body is one iCalendar object.

    Args:
        kind: of the item.
        key: of the item.
        uid: of the object.
        components: what it holds, each as Component.written returns it.
        context: the target, and the moment by which the digest judges.

    Raises:
        Rejected: "too-large".
    """
    body = calendar(components)
    most = context.target.max_bytes
    if len(body) > min(MOST_BYTES, MOST_BYTES if most is None else most):  # more is never compared
        raise too_large()
    digest = calendar_digest(io.BytesIO(body), context.began)
    return Item(kind, key, digest, len(body), lambda: io.BytesIO(body), uid=uid)
