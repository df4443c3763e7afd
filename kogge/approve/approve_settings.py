"""`kogge approve-settings`: the approvers agree to a configuration that asks for less than before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from kogge.prepare.keys import PassphraseEnv, PassphraseFile, PrintTo, Signed, passphrase_of
from kogge.terminal.options import ConfigPath, Reason, Yes, given, say, screen, write_private
from model.errors import Misconfigured

if TYPE_CHECKING:
    from engine.approvals.pinned_settings import SettingsChange
    from ledger.plan.pinned_settings import Pin
    from ledger.store import Ledger

WHY = "an auditor will ask"
KeyFile = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="Sign the change with this private key.")
]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides, or is to sign.")]


def approve_settings(
    key: KeyFile = None,
    by: By = None,
    reason: Reason = None,
    passphrase_env: PassphraseEnv = None,
    passphrase_file: PassphraseFile = None,
    print_to: PrintTo = None,
    signed: Signed = None,
    yes: Yes = False,
    config: ConfigPath = DEFAULT,
) -> None:
    """Shows what the ledger holds its configurations to, and agrees to one that asks for less.

    The first start of a wave pins approval.required, the approvers' keys and the deny list in the ledger. A
    configuration that asks for more is pinned by the next start. One that asks for less (fewer approvals, a
    new key, an entry that is no longer denied) is refused by migrate, cutover and rollback, until as many of
    the approvers that are pinned as a wave takes have signed the change. Change the configuration first, then
    let each sign. Where no approval is required, give --by and --reason. Without any of these it only shows.

    Exit code 0 when the configuration holds.

    Example: kogge approve-settings --key approver.pem --reason "C. Approver takes over from B."
    """
    from engine.approvals.pinned_settings import asked_by, hash_of, weaker
    from ledger.plan.pinned_settings import read_pin

    settings = load(config)
    if sum(one is not None for one in (key, print_to, signed)) > 1:
        raise Misconfigured("approve-settings", "give one of --key, --print and --signed")
    with opened_ledger(settings) as ledger:
        pinned, asked = read_pin(ledger), asked_by(settings)
        if pinned is None:
            say("Nothing is pinned yet: the first start of a wave does that.")
            return
        _show(pinned, asked)
        less = weaker(pinned, asked)
        if not less:
            say("This configuration asks for no less than the ledger is held to; the next start pins it.")
            return
        for one in less:
            screen().print(f"less        {one}", soft_wrap=True)
        screen().print(f"change      {hash_of(pinned)[:12]} to {hash_of(asked)[:12]}")
        signing = _Signing(settings, ledger, pinned, asked, reason, by)
        if signed is not None:
            signing.take_in(signed)
        elif print_to is not None:
            signing.print(print_to)
        elif key is not None:
            signing.sign(key, passphrase_of(passphrase_env, passphrase_file), yes=yes)
        elif by is not None and pinned.required == 0:
            signing.decide()
        else:
            signing.tell_missing()
    raise typer.Exit(0 if signing.done else 1)


def _show(pinned: Pin, asked: Pin) -> None:
    """Show numbers and approvers' names, and no name of the deny list."""
    out = screen()
    out.print(f"required    {pinned.required} pinned, {asked.required} asked for")
    new, gone = (
        sorted(one.keys[key] for key in one.keys.keys() - other.keys.keys())
        for one, other in ((asked, pinned), (pinned, asked))
    )
    out.print(f"approvers   {len(pinned.keys)} pinned, {len(asked.keys)} asked for", soft_wrap=True)
    for title, names in (("new", new), ("gone", gone)):
        if names:
            out.print(f"  {title:9} {', '.join(names)}", soft_wrap=True, markup=False)
    more, fewer = len(asked.deny - pinned.deny), len(pinned.deny - asked.deny)
    out.print(f"deny list   {len(pinned.deny):,} pinned, {more:,} new, {fewer:,} gone")


class _Signing:
    """Sign one change of the pinned settings; `done` is True if the configuration holds by now."""

    def __init__(
        self, config: Config, ledger: Ledger, pinned: Pin, asked: Pin, reason: str | None, by: str | None
    ) -> None:
        self.done = False
        self._config = config
        self._ledger = ledger
        self._pinned = pinned
        self._asked = asked
        self._reason = reason
        self._by = by

    def decide(self) -> None:
        """Record the word of one person, which is enough if no approval is required."""
        by = given("--by", self._by, WHY)
        self._put({"by": by, "reason": given("--reason", self._reason, WHY)})

    def sign(self, path: Path, passphrase: str | None, *, yes: bool) -> None:
        from kogge.approve.approve import ask
        from model.signing_keys import public_of, read_key

        private = read_key(path, passphrase)
        name = self._pinned.keys.get(public_of(private).hex())
        if name is None:
            raise Misconfigured("--key", "is none of the keys that are pinned")
        change = self._change(name)
        if not yes:
            ask(name, "this change")
        self._record(change, private.sign(change.to_sign()))

    def print(self, path: Path) -> None:
        name = given("--by", self._by, "the statement names who signs it")
        write_private(path, self._change(name).to_sign(), "--print")
        say(f"To be signed as it is: openssl pkeyutl -sign -rawin -inkey KEY -in {path} -out {path}.sig")
        say(f"Then: kogge approve-settings --signed {path}")

    def take_in(self, path: Path) -> None:
        from engine.approvals.pinned_settings import DOMAIN, FIELDS, SettingsChange
        from kogge.approve.approve import read_signed

        fields, signature, text = read_signed(path, DOMAIN, FIELDS)
        change = SettingsChange(**fields)
        if change.to_sign() != text:
            raise Misconfigured("--signed", "is not what --print wrote")
        expected = self._change(change.approver, reason=change.reason)
        if (change.before, change.after) != (expected.before, expected.after):
            raise Misconfigured("--signed", "is about another change")
        self._record(change, signature)

    def tell_missing(self) -> None:
        signed = len(self._agreed())
        if self._pinned.required == 0:
            say("Give --by and --reason to agree to it.")
        else:
            say(f"{signed} of {self._pinned.required} approvers agreed to it: sign with --key and --reason.")

    def _change(self, name: str, reason: str | None = None) -> SettingsChange:
        from engine.approvals.pinned_settings import SettingsChange, hash_of

        why = reason or given("--reason", self._reason, WHY)
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        return SettingsChange(hash_of(self._pinned), hash_of(self._asked), name, why, at)

    def _record(self, change: SettingsChange, signature: bytes) -> None:
        from ledger.plan.pinned_settings import agree
        from model.signing_keys import is_signed

        keys = [bytes.fromhex(key) for key, name in self._pinned.keys.items() if name == change.approver]
        if not any(is_signed(key, signature, change.to_sign()) for key in keys):
            raise Misconfigured("--signed", "it was not signed with the pinned key of whom it names")
        if keys[0].hex() in self._agreed():
            say("This approver agreed to this change already; an approver counts once.")
        else:
            agree(self._ledger, change.detail(), signature)
        signed = self._agreed()
        say(f"{len(signed)} of {self._pinned.required} approvers agreed to this change")
        if len(signed) >= self._pinned.required:
            self._put({"by": ", ".join(sorted(self._pinned.keys[key] for key in signed))})

    def _agreed(self) -> dict[str, object]:
        from engine.approvals.pinned_settings import agreed, events_of, hash_of

        return dict(agreed(self._pinned, hash_of(self._asked), events_of(self._ledger)))

    def _put(self, detail: dict[str, str | int]) -> None:
        from ledger.plan.pinned_settings import put_pin

        if put_pin(self._ledger, self._pinned, self._asked, detail) is None:
            raise Misconfigured("approve-settings", "somebody changed what is pinned meanwhile; look again")
        self.done = True
        say("The ledger is held to this configuration from now on.")
