"""Refuse a configuration that asks for less than the ledger is held to.

The first start of a wave pins how many approvals a wave takes, the approvers' keys and the deny list. A
configuration that asks for more is pinned by the next start. One that asks for less (fewer approvals, another
person's key, an entry that is no longer denied) moves and removes nothing, until as many of the pinned
approvers as a wave takes have signed the change: `kogge approve-settings`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from engine.approvals.signed_plan import canonical, digest_of
from engine.config.hints import next_command
from engine.config.load import Config
from engine.opening.gate_files import deny_list
from ledger.db.audit_log import Event
from ledger.plan.pinned_settings import AGREED, CHAIN, PINNED, Pin, put_pin, read_pin
from ledger.store import Ledger
from model.errors import Misconfigured
from model.key_line import public_bytes
from model.plural import many
from model.signing_keys import is_signed

DOMAIN = b"kogge approval settings 1\n"
"""The beginning of everything that is signed about settings."""
FIELDS = ("before", "after", "approver", "reason", "at")


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """Hold what an approver signs: the change from one set of settings to another.

    Attributes:
        before: the hash of the pinned settings.
        after: the hash of the new settings.
        approver: the approver's name.
        reason: why.
        at: the time, by the approver's clock.
    """

    before: str
    after: str
    approver: str
    reason: str
    at: str

    def detail(self) -> dict[str, str | int]:
        """Return the fields for an event."""
        return {name: getattr(self, name) for name in FIELDS}

    def to_sign(self) -> bytes:
        """Return the bytes that are signed."""
        return DOMAIN + canonical(self.detail())


def asked_by(config: Config) -> Pin:
    """Return what a configuration asks for.

    Raises:
        Misconfigured: if the deny list cannot be read.
    """
    keys = {public_bytes(line).hex(): name for name, line in config.approval.approvers.items()}
    denied = frozenset(map(_fingerprint, deny_list(config).entries))
    return Pin(config.approval.required, keys, denied, config.path.name)


def _fingerprint(entry: str) -> str:
    return hashlib.blake2b(entry.encode(), digest_size=16).hexdigest()


def hash_of(pin: Pin) -> str:
    """Return the hash that names settings in a signature; names of approvers count too."""
    return digest_of(pin.document())


def weaker(pinned: Pin, pin: Pin) -> list[str]:
    """Return, in words, where the configuration asks for less than is pinned.

    If no approval was required, keys do not count. A key under another name would sign as another person. To
    name fewer approvers gives no more power; but what another configuration pinned must not be dropped,
    because two configurations would lock each other out at every start.

    Args:
        pinned: what is pinned.
        pin: what the configuration asks for.

    Returns:
        The differences; empty if there are none.
    """
    return list(_weaknesses(pinned, pin))


def _weaknesses(pinned: Pin, asked: Pin) -> Iterator[str]:
    if asked.required < pinned.required:
        now = many(asked.required, "approval", "approvals")
        yield f"a wave takes {now}, not {pinned.required} (approval.required)"
    strangers = asked.keys.keys() - pinned.keys.keys()
    if pinned.required and strangers:
        yield f"approvers' keys that nobody agreed to: {len(strangers)} (approval.approvers)"
    renamed = [key for key, name in pinned.keys.items() if asked.keys.get(key, name) != name]
    if pinned.required and renamed:
        yield f"approvers' keys under another name: {len(renamed)} (approval.approvers)"
    if _is_other_configuration(pinned, asked) and (missing := pinned.keys.keys() - asked.keys.keys()):
        yield f"approvers that it lacks: {len(missing)} (approval.approvers)"
    if missing_entries := pinned.deny - asked.deny:
        yield f"entries that the deny list lacks: {len(missing_entries)} (gate.deny)"


def _is_other_configuration(pinned: Pin, asked: Pin) -> bool:
    return bool(pinned.configuration) and pinned.configuration != asked.configuration


def refuse_weaker(config: Config, ledger: Ledger) -> None:
    """Refuse a configuration that asks for less than this ledger is held to.

    Raises:
        Misconfigured: with the differences and the command to approve them.
    """
    pinned, asked = read_pin(ledger), asked_by(config)
    less = [] if pinned is None else weaker(pinned, asked)
    if pinned is None or not less:
        return
    differences, also = "; ".join(less), ""
    if _is_other_configuration(pinned, asked):
        also = (
            f" This was pinned by {pinned.configuration}: both have to name the same approvals, approvers and"
            " deny list."
        )
    raise Misconfigured(
        f"{config.path.name}: approval",
        f"asks for less than this ledger is held to: {differences}.{also}"
        f" See {next_command(config.path, 'approve-settings')}",
    )


def pin_at_start(config: Config, ledger: Ledger, wave: str) -> None:
    """Pin what the configuration asks for, when a wave starts, if it is new or more. Idempotent.

    Raises:
        Misconfigured: see refuse_weaker.
    """
    while (pinned := read_pin(ledger)) != (asked := asked_by(config)):
        refuse_weaker(config, ledger)
        if put_pin(ledger, pinned, asked, {"wave": wave}) is not None:
            return


def agreed(pinned: Pin, after: str, events: list[Event]) -> dict[str, Event]:
    """Return, by public key, the events of those pinned approvers who signed the change to these settings.

    Args:
        pinned: what is pinned.
        after: the hash of the new settings.
        events: the chain of the settings, oldest first.
    """
    signed: dict[str, Event] = {}
    recorded: set[SettingsChange] = set()
    used: set[SettingsChange] = set()
    for event in events:
        if event.kind == PINNED:
            signed.clear()  # earlier agreements are used up or void, also where one is recorded again
            used |= recorded
        if event.kind != AGREED:
            continue
        change = SettingsChange(**{name: str(event.detail.get(name, "")) for name in FIELDS})
        recorded.add(change)
        if change in used or (change.before, change.after) != (hash_of(pinned), after):
            continue
        for key, name in pinned.keys.items():
            if name == change.approver and is_signed(
                bytes.fromhex(key), event.signature or b"", change.to_sign()
            ):
                signed.setdefault(key, event)
    return signed


def events_of(ledger: Ledger) -> list[Event]:
    """Return the chain of these settings, oldest first."""
    return ledger.events(CHAIN)
