"""Fit a card to what a target can hold, whichever source it was read from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

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
    is_list = is_group(card.lines)
    if is_list and not target.groups:
        raise Rejected("groups-unsupported", "the target keeps no groups; write them down for their owner")
    version = "4.0" if target.vcard == "4.0" else "3.0"
    lines, losses = in_version(card, version)
    lines, lost = fit_lines(lines, target, is_list=is_list)
    pictures, lost_pictures = _pictures(card.pictures, target, is_plain=is_list and target.plain_lists)
    body = _whole(version, lines, pictures)
    if _exceeds(len(body), target):
        smaller = [line for line in lines if line.name != "PHOTO"]
        body = _whole(version, smaller, ())
        lost_pictures += [lose("photo", "too-large")] if pictures or len(smaller) < len(lines) else []
    if _exceeds(len(body), target):
        raise Rejected("too-large", "larger than the target takes; raise its limit or leave it out")
    named = (*card.losses, *losses, *lost, *lost_pictures)
    return Mapped(_item(body, lines, key, context), tuple(dict.fromkeys(named)))


def _pictures(
    pictures: Iterable[Picture], target: Capabilities, *, is_plain: bool
) -> tuple[list[Picture], list[Loss]]:
    """Return the pictures that the target takes; they are not read before."""
    kept, losses, limit = list[Picture](), list[Loss](), target.attachment_bytes
    for picture in pictures:
        encoded = -(-picture.size // 3) * 4  # four characters stand for three bytes
        if _exceeds(encoded, target) or (limit is not None and picture.size > limit):
            losses.append(lose("photo", "too-large"))
        elif is_plain:
            losses.append(lose("list", "name-and-members-only"))
        elif kept and target.cards.one_picture:
            losses.append(lose("photo", "one-only"))
        else:
            kept.append(picture)
    return kept, losses


def _whole(version: str, lines: Sequence[VCardLine], pictures: Iterable[Picture]) -> bytes:
    """Return the body: pictures stand behind what a person reads, and before the time of the change."""
    made = [_picture_line(picture, version) for picture in pictures]
    at = next((at for at, line in enumerate(lines) if line.name == "REV"), len(lines)) if made else 0
    return render(version, (*lines[:at], *made, *lines[at:]))


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
