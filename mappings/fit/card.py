"""Fit a card to what a target can hold, whichever source it was read from."""

from __future__ import annotations

import io
from collections.abc import Sequence

from mappings.compare.content_lines import unescaped
from mappings.compare.semantic_digest import card_digest
from mappings.fields.context import Context
from mappings.fit.card_limits import fit_lines, is_group
from mappings.fit.card_version import in_version
from mappings.losses.catalogue import lose
from mappings.vcard.card import Card, Picture
from mappings.vcard.lines import VCardLine, render
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Item, Loss, Mapped


def fit_card(card: Card, key: bytes, context: Context) -> Mapped:
    """Return the item that the target gets for a card, with its losses.

    Args:
        card: with its UID.
        key: of the item.
        context: of the leg.

    Raises:
        Rejected: "groups-unsupported" or "too-large".
    """
    target = context.target
    listed = is_group(card.lines)
    if listed and not target.groups:
        raise Rejected("groups-unsupported", "the target keeps no groups; write them down for their owner")
    version = "4.0" if target.vcard == "4.0" else "3.0"
    lines, losses = in_version(card, version)
    lines, lost = fit_lines(lines, target, listed=listed)
    picture, lost_picture = _picture(card.picture, target, is_plain=listed and target.plain_lists)
    body = _whole(version, lines, picture)
    if _exceeds(len(body), target):
        smaller = [line for line in lines if line.name != "PHOTO"]
        is_pictured = picture is not None or len(smaller) < len(lines)
        body = _whole(version, smaller, None)
        lost_picture = [lose("photo", "too-large")] if is_pictured else lost_picture
    if _exceeds(len(body), target):
        raise Rejected("too-large", "larger than the target takes; raise its limit or leave it out")
    named = (*card.losses, *losses, *lost, *lost_picture)
    return Mapped(_item(body, lines, key, context), tuple(dict.fromkeys(named)))


def _picture(
    picture: Picture | None, target: Capabilities, *, is_plain: bool
) -> tuple[Picture | None, list[Loss]]:
    """Return the picture if the target takes it; it is not read before."""
    if picture is None:
        return None, []
    limit = target.attachment_bytes
    if limit is not None and picture.size > limit:
        return None, [lose("photo", "too-large")]
    if is_plain:
        return None, [lose("list", "name-and-members-only")]
    encoded = -(-picture.size // 3) * 4  # four characters stand for three bytes
    return (None, [lose("photo", "too-large")]) if _exceeds(encoded, target) else (picture, [])


def _whole(version: str, lines: Sequence[VCardLine], picture: Picture | None) -> bytes:
    """Return the body: the picture stands behind what a person reads, and before the time of the change."""
    if picture is None:
        return render(version, lines)
    at = next((at for at, line in enumerate(lines) if line.name == "REV"), len(lines))
    return render(version, (*lines[:at], _picture_line(picture, version), *lines[at:]))


def _picture_line(picture: Picture, version: str) -> VCardLine:
    if version == "4.0":
        return VCardLine("PHOTO", f"data:image/{picture.kind.lower()};base64,{picture.encoded()}")
    return VCardLine("PHOTO", picture.encoded(), (("ENCODING", ("b",)), ("TYPE", (picture.kind,))))


def _exceeds(size: int, target: Capabilities) -> bool:
    return target.max_bytes is not None and size > target.max_bytes


def _item(body: bytes, lines: Sequence[VCardLine], key: bytes, context: Context) -> Item:
    return Item(
        Kind.CONTACTS,
        key,
        card_digest(io.BytesIO(body), context.began),
        len(body),
        lambda: io.BytesIO(body),
        uid=next(unescaped(line.value) for line in lines if line.name == "UID"),
    )
