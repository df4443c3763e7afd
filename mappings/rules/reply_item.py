"""Map an automatic reply to the text in which rules travel (model.sieve_rule): one item for each side."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

from mappings.fields.context import Context
from mappings.rules.reply import Reply, fit_reply
from mappings.rules.rule_item import rule_digest
from model.kinds import Kind
from model.protocols import Item, Mapped, Native, key_of
from model.sieve_limits import SieveLimits

OUTSIDE = "outside"
"""The property Side of a record: this, or the people inside."""
CODES = ("reply-without-text", "reply-inside-only", "reply-not-at-target")
"""Why a reply is not written."""


def skip_reply(_native: Native) -> None:
    """Return None: why a reply does not move depends on more than its record."""
    return


def title_of(native: Native) -> str:
    """Return whom a reply answers: its owner gave it no title."""
    outside = native.properties.get("Side") == OUTSIDE
    return f"automatic reply to people {'outside' if outside else 'inside'}"


def mapped_by(read: Callable[[Native], Reply]) -> Callable[[Native, Context], Mapped]:
    """Return the mapping of records that `read` reads."""

    def map_reply(native: Native, context: Context) -> Mapped:
        side, sieve = native.properties.get("Side"), context.target.sieve or SieveLimits()
        fitted = fit_reply(read(native), context.owner, sieve, outside=side == OUTSIDE)
        body = b"" if fitted.rule is None else fitted.rule.text().encode()
        digest = hashlib.sha256(b"").digest() if fitted.rule is None else rule_digest(io.BytesIO(body))
        item = Item(Kind.SETTINGS, key_of(native.ref.id), digest, len(body), lambda: io.BytesIO(body))
        return Mapped(item, fitted.losses, left=fitted.left)

    return map_reply
