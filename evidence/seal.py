"""Sealing a wave: from the ledger to a pack that anybody can check, and the line in the chain of seals.

    refuse       while something of the wave is open, or a worker is at it
    write        mailbox by mailbox, into a folder next to the pack's place; what is finished stays
    state        one signed statement over all of it
    commit       the seal and its event, if the ledger is still what was written of
    sign         no signature is on the disk before: what was refused is worth nothing
    publish      the folder becomes the pack

After a death anywhere in between, run the same command again: it goes on where it was, and the pack has the
same bytes. After commit the seal is in the ledger, and the same command only signs and publishes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.approvals.plan_approval import approvals_of
from engine.approvals.score import scores, wave_score
from engine.config.load import Config
from evidence.bag_writer import Payload, finish, sign, write_mailbox, write_payload
from evidence.dsse import IN_TOTO, envelope
from evidence.pack_keys import opening_key
from evidence.pack_resume import Frame, Progress
from evidence.pack_sections import sections
from evidence.rfc3161 import request
from ledger.db.engine import reading
from ledger.db.rows import Phase
from ledger.inventory import inventory, keystore
from ledger.inventory.keystore import DESTROYED
from ledger.store import Ledger
from ledger.views.seal_chain import Basis, Loose, SealRow, Seals, in_order
from model.errors import Corrupt, MigrationError, Misconfigured
from model.plural import first_of
from model.signing_keys import line_of

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:kogge:evidence:wave:v1"
UNSIGNED = ("approver-unknown", "signature-invalid", "given-twice")
"""Approvals that are none; one of a plan that changed since was given all the same."""
SHOWN = 10


@dataclass(frozen=True, slots=True)
class SealRequest:
    """Hold what was asked for.

    Attributes:
        incomplete: seal what is there, and name what is not.
        reason: why another pack takes the place of the wave's newest one.
    """

    wave: str
    key: Ed25519PrivateKey
    out: Path
    incomplete: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Hold what a seal would be about.

    Attributes:
        state: a fingerprint of what the ledger knows, taken before anything else was asked.
        mailboxes: all of the wave.
        ready: those that have something to seal.
        loose: workloads that are not settled.
        at_work: the workers that are still at the wave.
        newest: its newest seal.
        changed: True if the wave went on since the newest seal.
        sections: of the ready mailboxes.
        lines: in these sections.
    """

    state: str
    mailboxes: int
    ready: Sequence[str]
    loose: Sequence[Loose]
    at_work: Sequence[str]
    newest: SealRow | None
    changed: bool
    sections: int = 0
    lines: int = 0

    @property
    def complete(self) -> bool:
        """Return True if nothing is open and no worker is at the wave."""
        return not self.loose and not self.at_work


@dataclass(frozen=True, slots=True)
class Sealed:
    """Hold a seal and the place of its pack."""

    seal: SealRow
    pack: Path


def outlook(ledger: Ledger, wave: str) -> Outlook:
    """Collect what a seal of this wave would be about. It reads only."""
    seals = Seals(ledger)
    state = seals.state(wave)
    loose = seals.loose(wave)
    destroyed = {one.mailbox for one in loose if one.code == DESTROYED}
    ids = [row.id for row in ledger.mailboxes(wave)]
    ready, counts = [], list[int]()
    with reading(ledger.engine) as connection:
        for one in ids:
            if one not in destroyed and (found := inventory.sections(connection, one)):
                ready.append(one)
                counts += (section.n for section in found)
    newest = next(reversed(seals.all(wave)), None)
    known = state, len(ids), ready, loose, seals.at_work(wave), newest, wave in seals.changed(wave)
    return Outlook(*known, len(counts), sum(counts))


def place_of(out: Path, wave: str, corrects: int | None, number: int) -> Path:
    """Return the folder of a pack; a correction gets a name of its own next to what it corrects."""
    return out / (f"wave-{wave}" if corrects is None else f"wave-{wave}-seal-{number}")


def other_signer(ledger: Ledger, key: Ed25519PrivateKey) -> tuple[SealRow, str] | None:
    """Return the newest seal of all waves and the key that signed it, if this key is another one."""
    seals = Seals(ledger)
    newest = next(reversed(seals.all()), None)
    signer = None if newest is None else seals.signer(newest)
    return None if newest is None or signer in (None, line_of(key)) else (newest, str(signer))


def write(
    config: Config, ledger: Ledger, order: SealRequest, found: Outlook, tell: Callable[[], None]
) -> Sealed:
    """Seal a wave that may be sealed.

    Args:
        config: names the keys and the approvers.
        ledger: what is sealed.
        order: what was asked for.
        found: the outlook that allowed it.
        tell: called after each mailbox that is ready.

    Raises:
        Misconfigured: the pack's place is taken, or it cannot be written.
        Corrupt: the evidence of a mailbox is damaged. It is raised once all are looked at; an incomplete pack
            leaves the mailbox out.
        Transient: "ledger-changed": the ledger went on, so that the sealing has to begin again.
    """
    number = _number(Seals(ledger).basis(order.wave))
    place = place_of(order.out, order.wave, _corrects(order, found), number)
    if place.exists():
        raise Misconfigured("--out", f"{place.name} is there already, and is none of this ledger's")
    kek = opening_key(config, ledger)
    with Progress(folder_of(order.out, order.wave)) as progress:
        try:
            return _write(config, ledger, order, found, _Writer(progress, kek, tell))
        except MigrationError:
            progress.discard()
            raise


@dataclass(frozen=True, slots=True)
class _Writer:
    progress: Progress
    kek: bytes
    tell: Callable[[], None]


def _write(config: Config, ledger: Ledger, order: SealRequest, found: Outlook, writer: _Writer) -> Sealed:
    seals, wave, progress = Seals(ledger), order.wave, writer.progress
    frame = Frame(wave, found.state, f"kogge {version('kogge')}", ledger.clock().timestamp())
    frame = progress.begin(frame, writer.kek)
    damaged = _write_mailboxes(ledger, writer, frame, found.ready)
    _refuse_damaged(damaged, order, found)
    found = _without(ledger, found, damaged)
    payload = write_payload(progress.pack, progress.finished())
    basis = seals.basis(wave)
    document = statement(config, ledger, order, found, _Facts(frame, payload, basis))
    draft = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    signed = envelope(draft, IN_TOTO, order.key)
    digest = sha256(signed).digest()
    told = {
        "Bag-Software-Agent": frame.program,
        "Bagging-Date": _moment(frame.sealed)[:10],
        "External-Identifier": f"{wave}, seal {_number(basis)}",
    }
    finish(progress.pack, payload, told, signed, request(digest))
    progress.draft(draft)
    made = SealRow(_number(basis), wave, digest, payload.root, frame.sealed, _corrects(order, found))
    made = replace(made, complete=found.complete)
    made = seals.put(wave, frame.state, basis, made, line_of(order.key))
    sign(progress.pack, signed)
    place = place_of(order.out, wave, made.corrects, made.number)
    progress.publish(place)
    return Sealed(made, place)


def _write_mailboxes(
    ledger: Ledger, writer: _Writer, frame: Frame, wanted: Iterable[str]
) -> dict[str, Corrupt]:
    """Write the mailboxes, and return those that cannot be written, with the error."""
    progress, damaged = writer.progress, dict[str, Corrupt]()
    done = {one.mailbox for one in progress.finished()}
    for mailbox in wanted:
        if mailbox not in done:
            try:
                _write_mailbox(ledger, writer, frame, mailbox)
            except Corrupt as error:
                damaged[mailbox] = error
        writer.tell()
    return damaged


def _write_mailbox(ledger: Ledger, writer: _Writer, frame: Frame, mailbox: str) -> None:
    with reading(ledger.engine) as connection:
        key = keystore.key_of(connection, mailbox, writer.kek)
        if key is not None:
            found = sections(connection, mailbox, key, frame.sealed)
            writer.progress.note(write_mailbox(writer.progress.pack, mailbox, found))


def _refuse_damaged(damaged: Mapping[str, Corrupt], order: SealRequest, found: Outlook) -> None:
    """Raise Corrupt for damaged mailboxes, unless an incomplete pack of the others is wanted and possible."""
    if not damaged or (order.incomplete and len(damaged) < len(found.ready)):
        return
    names = first_of(sorted(damaged), SHOWN)
    then = "no mailbox is left" if order.incomplete else "--incomplete leaves it out, and the pack names it"
    raise Corrupt("evidence-damaged", f"not sealed: what was recorded of {names} was altered; {then}")


def _without(ledger: Ledger, found: Outlook, damaged: Mapping[str, Corrupt]) -> Outlook:
    """Return the outlook without the damaged mailboxes, of which every leg is loose."""
    if not damaged:
        return found
    lost = [
        Loose(leg.mailbox, leg.workload, leg.state, error.code)
        for mailbox, error in damaged.items()
        for leg in ledger.legs(mailbox=mailbox)
    ]
    kept = [one for one in found.loose if one.mailbox not in damaged]
    ready = [one for one in found.ready if one not in damaged]
    return replace(found, loose=in_order([*kept, *lost]), ready=ready)


@dataclass(frozen=True, slots=True)
class _Facts:
    frame: Frame
    payload: Payload
    basis: Basis


def statement(
    config: Config, ledger: Ledger, order: SealRequest, found: Outlook, facts: _Facts
) -> dict[str, Any]:
    """Return what is signed: an in-toto Statement over roots and manifest, and the facts about the wave."""
    payload, basis = facts.payload, facts.basis
    subject = [
        {"name": one.name, "digest": {"sha256": one.sha256}} for one in (payload.roots, payload.manifest)
    ]
    name, _, number = facts.frame.program.partition(" ")
    predicate = {
        "wave": order.wave,
        "number": _number(basis),
        "sealed": _moment(facts.frame.sealed),
        "tool": {"name": name, "version": number},
        "configuration": sha256(config.path.read_bytes()).hexdigest(),
        "mailboxes": payload.mailboxes,
        "sections": payload.sections,
        "workloads": payload.workloads,
        "items": payload.items,
        "verdicts": payload.verdicts,
        "root": payload.root.hex(),
        "previous": _previous(basis.newest),
        "corrects": _corrected(order, found.newest),
        "approvals": _approvals(config, ledger, order.wave),
        "decisions": {"count": basis.decisions, "head": basis.head.hex()},
        "score": _score(ledger, order.wave),
        "phases": _phases(ledger, order.wave),
        "incomplete": [_missing(one) for one in found.loose],
    }
    return {
        "_type": STATEMENT_TYPE,
        "subject": subject,
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def _missing(one: Loose) -> dict[str, str | None]:
    """Describe what is missing; section and state are null for a mailbox without a planned workload."""
    section, state = (None if value is None else str(value) for value in (one.section, one.state))
    return {"mailbox": one.mailbox, "section": section, "state": state, "code": one.code}


def _previous(newest: SealRow | None) -> dict[str, object] | None:
    """Describe the newest seal of all waves, so that no seal can be taken out of the row."""
    if newest is None:
        return None
    return {
        "number": newest.number,
        "wave": newest.wave,
        "root": newest.root.hex(),
        "statement": newest.statement.hex(),
    }


def _corrected(order: SealRequest, newest: SealRow | None) -> dict[str, object] | None:
    if order.reason is None or newest is None:
        return None
    return {"number": newest.number, "statement": newest.statement.hex(), "reason": order.reason}


def _approvals(config: Config, ledger: Ledger, wave: str) -> list[dict[str, object]]:
    """Describe the approvals that count. It checks the whole chain of the wave's decisions."""
    return [
        {
            "purpose": one.statement.stage,
            "by": one.statement.approver,
            "key": config.approval.approvers[one.statement.approver],
            "at": _moment(one.event.at),
            "event": one.event.seq,
        }
        for one in approvals_of(config, ledger, wave)
        if one.void not in UNSIGNED
    ]


def _phases(ledger: Ledger, wave: str) -> dict[str, int]:
    """Count the mailboxes in each phase: what arrived is in use if the phase is live."""
    counts = Counter(str(row.phase) for row in ledger.mailboxes(wave))
    return {str(phase): counts[phase] for phase in Phase}


def _score(ledger: Ledger, wave: str) -> dict[str, object]:
    """Describe the wave's rating; it has none as long as a mailbox has no score."""
    ids = [row.id for row in ledger.mailboxes(wave)]
    found = scores(ledger, ids)
    told = wave_score(found, len(ids) - len(found))
    return {
        "rating": None if told.rating is None else str(told.rating),
        "distribution": {str(rating): count for rating, count in told.distribution.items()},
        "not_verified": told.unscored,
    }


def _number(basis: Basis) -> int:
    return 1 if basis.newest is None else basis.newest.number + 1


def _corrects(order: SealRequest, found: Outlook) -> int | None:
    return None if order.reason is None or found.newest is None else found.newest.number


def folder_of(out: Path, wave: str) -> Path:
    """Return the folder in which a pack is written before it gets its place."""
    return out / f".wave-{wave}.sealing"


def _moment(seconds: float) -> str:
    """Return a time as RFC 3339 writes it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
