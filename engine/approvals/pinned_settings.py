"""A configuration that asks for less than the ledger is held to is refused.

The first start of a wave pins how many approvals a wave takes, the approvers' keys and the deny list. What
asks for more is pinned by the next start. What asks for less (fewer approvals, another's key, an entry that
is no longer denied) moves and removes nothing, until as many of the pinned approvers as a wave takes have
signed the change: `kogge approve-settings`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from engine.approvals.signed_plan import canonical, digest_of
from engine.assembly import deny_list
from engine.config.hints import next_command
from engine.config.load import Config
from ledger.db.audit_log import Event
from ledger.plan.pinned_settings import AGREED, CHAIN, PINNED, Pin, put_pin, read_pin
from ledger.store import Ledger
from model.errors import Misconfigured
from model.key_line import public_bytes
from model.signing_keys import is_signed

DOMAIN = b"kogge approval settings 1\n"
"""Begins whatever is signed about them."""
FIELDS = ("before", "after", "approver", "reason", "at")


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What an approver signs: from which settings to which, by their hashes. at: by the approver's clock."""

    before: str
    after: str
    approver: str
    reason: str
    at: str

    def detail(self) -> dict[str, str | int]:
        return {name: getattr(self, name) for name in FIELDS}

    def to_sign(self) -> bytes:
        return DOMAIN + canonical(self.detail())


def asked_by(config: Config) -> Pin:
    """What a configuration asks for. Raises Misconfigured for a deny list that cannot be read."""
    keys = {public_bytes(line).hex(): name for name, line in config.approval.approvers.items()}
    denied = frozenset(map(_fingerprint, deny_list(config).entries))
    return Pin(config.approval.required, keys, denied, config.path.name)


def _fingerprint(entry: str) -> str:
    return hashlib.blake2b(entry.encode(), digest_size=16).hexdigest()


def hash_of(pin: Pin) -> str:
    """What names it in a signature: names of approvers count, too."""
    return digest_of(pin.document())


def weaker(pinned: Pin, asked: Pin) -> list[str]:
    """In what asked asks for less than is pinned, in words; empty: in nothing. Where no approval was
    required, nobody's key counts. Whose key stands under another name would sign as somebody else. To name
    fewer approvers is no more power; but what another configuration pinned is not taken away, else the two
    lock each other out at every start."""
    return list(_less(pinned, asked))


def _less(pinned: Pin, asked: Pin) -> Iterator[str]:
    if asked.required < pinned.required:
        yield f"a wave takes {asked.required} approvals, not {pinned.required} (approval.required)"
    strangers = asked.keys.keys() - pinned.keys.keys()
    if pinned.required and strangers:
        yield f"approvers' keys that nobody agreed to: {len(strangers)} (approval.approvers)"
    renamed = [key for key, name in pinned.keys.items() if asked.keys.get(key, name) != name]
    if pinned.required and renamed:
        yield f"approvers' keys under another name: {len(renamed)} (approval.approvers)"
    if _of_another(pinned, asked) and (missing := pinned.keys.keys() - asked.keys.keys()):
        yield f"approvers that it lacks: {len(missing)} (approval.approvers)"
    if gone := pinned.deny - asked.deny:
        yield f"entries that the deny list lacks: {len(gone)} (gate.deny)"


def _of_another(pinned: Pin, asked: Pin) -> bool:
    return bool(pinned.configuration) and pinned.configuration != asked.configuration


def refuse_weaker(config: Config, ledger: Ledger) -> None:
    """Raises Misconfigured for a configuration that asks for less than this ledger is held to."""
    pinned, asked = read_pin(ledger), asked_by(config)
    less = [] if pinned is None else weaker(pinned, asked)
    if pinned is None or not less:
        return
    told, also = "; ".join(less), ""
    if _of_another(pinned, asked):
        also = (
            f" This was pinned by {pinned.configuration}: both have to name the same approvals, approvers and"
            " deny list."
        )
    raise Misconfigured(
        f"{config.path.name}: approval",
        f"asks for less than this ledger is held to: {told}.{also}"
        f" See {next_command(config.path, 'approve-settings')}",
    )


def pin_at_start(config: Config, ledger: Ledger, wave: str) -> None:
    """Pins what the configuration asks for, when a wave starts, if it is new or more. Raises as
    refuse_weaker."""
    while (pinned := read_pin(ledger)) != (asked := asked_by(config)):
        refuse_weaker(config, ledger)
        if put_pin(ledger, pinned, asked, {"wave": wave}) is not None:
            return


def agreed(pinned: Pin, after: str, events: list[Event]) -> dict[str, Event]:
    """Who of the pinned approvers signed the change from what is pinned to these settings, by public key."""
    found: dict[str, Event] = {}
    for event in events:
        if event.kind == PINNED:
            found.clear()  # what was agreed to before is done, or over
        if event.kind != AGREED:
            continue
        change = SettingsChange(**{name: str(event.detail.get(name, "")) for name in FIELDS})
        if (change.before, change.after) != (hash_of(pinned), after):
            continue
        for key, name in pinned.keys.items():
            if name == change.approver and is_signed(
                bytes.fromhex(key), event.signature or b"", change.to_sign()
            ):
                found.setdefault(key, event)
    return found


def events_of(ledger: Ledger) -> list[Event]:
    """The chain of these settings, the oldest first."""
    return ledger.events(CHAIN)
