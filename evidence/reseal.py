"""A wave that the ledger says is sealed: its pack, or what a run that died before its end left of it.

Nothing that lies there is signed, named or called sealed before every file of it is hashed again: the ledger
knows the statement, which names the manifest, which names the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence.bag_writer import STATEMENT, is_whole, sign
from evidence.dsse import IN_TOTO, envelope, payload_in
from evidence.pack_reader import signer_in
from evidence.pack_resume import DRAFT, PACK, Progress, complete, named_when_sealed
from evidence.seal import Outlook, Sealed, SealRequest, folder_of, place_of
from ledger.store import Ledger
from ledger.views.seal_chain import SealRow, Seals
from model.errors import Misconfigured
from model.signing_keys import line_of


class NotWhole(Misconfigured):
    """Report that a sealed pack is not there as it was; `remedy` names the step before "make another"."""

    def __init__(self, place: Path, remedy: str) -> None:
        self.why = f"its files were changed or are missing since it was sealed: {remedy}"
        super().__init__(str(place), self.why)


def interrupted(ledger: Ledger, order: SealRequest) -> Sealed | None:
    """Sign and publish the pack of the newest seal, if an earlier run died before it did so.

    Returns:
        None if there is no such pack, or if another reason to correct was given than the pack has.

    Raises:
        Misconfigured: the place cannot be written, or the key is another one.
        NotWhole: the pack was damaged since.
    """
    seals, folder = Seals(ledger).all(order.wave), folder_of(order.out, order.wave)
    if not seals:
        return None
    newest = seals[-1]
    left = _renamed(named_when_sealed(folder), seals)
    known = left or newest
    done = complete(folder, place_of(order.out, order.wave, known.corrects, known.number))
    whole = left == newest
    place = place_of(order.out, order.wave, newest.corrects, newest.number)
    if folder.is_dir():
        with Progress(folder) as progress:
            draft = progress.drafted()
            signed = None if draft is None else _signed_again(draft, newest, order)
            if draft is not None and signed is not None:
                if not is_whole(progress.pack, _stated(json.loads(draft), newest)):
                    raise NotWhole(folder, "move it away, then")
                sign(progress.pack, signed)
                progress.publish(place)
                done = whole = True
    if not done or not (whole or is_sealed_in(place, newest)):
        return None
    return Sealed(newest, place) if order.reason in (None, _reason_in(place)) else None


def _renamed(folder: Path, seals: list[SealRow]) -> SealRow | None:
    """Return the seal whose pack lies in the folder and lacks only its name. Raise NotWhole."""
    pack = folder / PACK
    if not pack.is_dir():
        return None
    named = _hash_in(pack)
    known = next((one for one in seals if one.statement == named), None)
    if known is None or not is_sealed_in(pack, known):
        raise NotWhole(folder, "move it away, then")
    return known


def _signed_again(draft: bytes, newest: SealRow, order: SealRequest) -> bytes | None:
    """Return the signed statement of the newest seal, if this is its draft.

    A key signs the same bytes always in the same way, so the result can be compared with the ledger.
    """
    signed = envelope(draft, IN_TOTO, order.key)
    if sha256(signed).digest() == newest.statement:
        return signed
    try:
        said = json.loads(draft)["predicate"]
        same = (said["number"], said["root"]) == (newest.number, newest.root.hex())
    except (ValueError, LookupError, TypeError):
        return None
    if same:
        raise Misconfigured("--key", f"is not the one that seal {newest.number} was begun with")
    return None


def sealed_already(order: SealRequest, found: Outlook) -> Sealed | None:
    """Return the pack of the wave's newest seal, if nothing else is asked for and nothing changed since.

    A correction with the same reason and key as the newest seal asks for nothing else.

    Raises:
        NotWhole: the pack is damaged, and no other one in its place was asked for.
    """
    newest = found.newest
    if newest is None or found.changed:
        return None
    place = place_of(order.out, order.wave, newest.corrects, newest.number)
    if not place.is_dir() or (order.reason is not None and not _is_answered(order, newest, place)):
        return None
    if not is_sealed_in(place, newest):
        if order.reason is None:
            raise damaged(place)
        return None
    return Sealed(newest, place)


def _is_answered(order: SealRequest, newest: SealRow, place: Path) -> bool:
    return (
        _hash_in(place) == newest.statement
        and _reason_in(place) == order.reason
        and signer_in(place) == line_of(order.key)
        and (order.incomplete or newest.complete is not False)
    )


def damaged(place: Path) -> NotWhole:
    """Describe a damaged pack that has its name already."""
    return NotWhole(place, "put a copy of it back, or")


def is_sealed_in(pack: Path, seal: SealRow) -> bool:
    """Return True if a signed pack is what was sealed, whole. It reads all of it."""
    return _hash_in(pack) == seal.statement and is_whole(pack, _stated(payload_in(pack), seal))


def is_unpublished(out: Path, newest: SealRow) -> bool:
    """Return True if a run died between this seal and the naming of its pack.

    The pack lies below `out` then.
    """
    folder = folder_of(out, newest.wave)
    if (named_when_sealed(folder) / PACK).is_dir():
        return True
    try:
        said = json.loads((folder / DRAFT).read_bytes())["predicate"]
        return bool((said["number"], said["root"]) == (newest.number, newest.root.hex()))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _stated(document: Mapping[str, Any], seal: SealRow) -> dict[str, str]:
    """Return SHA-256 by name: what the known statement names, and the statement itself."""
    named = {one["name"]: one["digest"]["sha256"] for one in document["subject"]}
    return named | {STATEMENT: seal.statement.hex()}


def _reason_in(pack: Path) -> str | None:
    corrected = payload_in(pack)["predicate"]["corrects"]
    return None if corrected is None else str(corrected["reason"])


def _hash_in(pack: Path) -> bytes | None:
    path = pack / STATEMENT
    return sha256(path.read_bytes()).digest() if path.is_file() else None
