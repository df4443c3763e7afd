"""`kogge approve --wave W` and `kogge approvals`: a wave's plan is signed, and who signed it is told."""

from __future__ import annotations

import json
import shlex
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from flows.display.prefect_events import tell
from kogge.approve.plan_summary import counted, show
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    Exit,
    Wave,
    chosen,
    echo,
    emit,
    refuse_unsure,
    say,
    screen,
)
from kogge.terminal.tables import BAD, GOOD, table
from model.errors import Misconfigured
from model.plural import many
from model.private_files import open_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from engine.approvals.plan_approval import Approval, Statement, WavePlan
    from ledger.store import Ledger

VOID = {
    "approver-unknown": "[approval.approvers] names nobody of this name",
    "given-twice": "the same approver has approved this plan already",
    "plan-changed": "the plan is another one now",
    "signature-invalid": "it was not signed with this approver's key, or not for this",
}
"""Why an approval does not count."""

NEXT = {"start": "migrate --wave {wave}", "cutover": "cutover --wave {wave} --by NAME"}
"""By stage, what the plan's approval allows."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """Hold what was asked for.

    Attributes:
        key: the key to sign with here.
        passphrase: of the key.
        print_to: where to write what is signed elsewhere.
        signed: what was signed elsewhere.
        list_to: where to write the document that is signed.
    """

    wave: str
    stage: str
    reason: str | None
    by: str | None
    key: Path | None
    passphrase: str | None
    print_to: Path | None
    signed: Path | None
    list_to: Path | None
    accept_not_ready: bool
    yes: bool


def approve_plan(path: Path, order: ApprovalRequest) -> None:
    """Show the plan of a wave and list it, sign it, print what to sign, or take in what was signed.

    Raises:
        Misconfigured: with whatever speaks against it.
    """
    ways = sum(one is not None for one in (order.key, order.print_to, order.signed))
    if ways > 1 or (ways == 0 and order.list_to is None):
        raise Misconfigured(
            "approve", "give one of --key (to sign), --print and --signed (to sign elsewhere), or --list"
        )
    from engine.approvals.plan_approval import plan_of
    from engine.planning.load_plan import renew
    from kogge.approve.plan_list import write_list
    from model.signing_keys import read_key

    config = load(path)
    with opened_ledger(config) as ledger:
        renew(config, ledger, order.wave)
        chosen(config, ledger, order.wave)
        key = None if order.key is None else read_key(order.key, order.passphrase)
        plan = plan_of(config, ledger, order.wave)
        show(config, ledger, plan, order.stage)
        if order.list_to is not None:
            write_list(ledger, plan, order.list_to)
        if ways == 0:
            return
        refuse_unready(ledger, plan, order)
        if order.signed is not None:
            _take_in(config, ledger, plan, order, order.signed)
        elif order.print_to is not None:
            _print(config, _statement(plan, order, _approver(config, order.by)), order.print_to)
        elif key is not None:
            _sign(config, ledger, plan, order, key)


def refuse_unready(ledger: Ledger, plan: WavePlan, order: ApprovalRequest) -> None:
    """Refuse to sign what was not checked as it is planned now."""
    from engine.approvals.plan_approval import unverified

    if plan.unchecked:
        raise Misconfigured(
            "--wave",
            f"{len(plan.unchecked)} of its mailboxes were never checked as they are planned now:"
            f" `kogge check --wave {order.wave}`",
        )
    if order.accept_not_ready:
        return
    if plan.left_out:
        raise Misconfigured(
            "--wave",
            f"{len(plan.left_out)} of its mailboxes are not ready"
            f" ({counted(row.code for row in plan.left_out)}). Repair them and check"
            " again; or --accept-not-ready, and they stay out",
        )
    if order.stage == "cutover" and (states := unverified(ledger, plan.wave.name)):
        raise Misconfigured(
            "--stage",
            f"not all of it is moved and verified ({counted(states)}): `kogge migrate`; or"
            " --accept-not-ready, and they stay out",
        )


def _approver(config: Config, name: str | None) -> str:
    if name is None or name not in config.approval.approvers:
        raise Misconfigured("--by", "give the name of one of [approval.approvers]")
    return name


def _statement(plan: WavePlan, order: ApprovalRequest, approver: str) -> Statement:
    from engine.approvals.plan_approval import new_statement

    reason = (order.reason or "").strip()
    if not reason:
        raise Misconfigured("--reason", "is empty; an auditor will ask")
    return new_statement(order.wave, order.stage, plan, approver, reason)


def _sign(
    config: Config, ledger: Ledger, plan: WavePlan, order: ApprovalRequest, key: Ed25519PrivateKey
) -> None:
    from model.signing_keys import public_of

    name = config.approval.name_of(public_of(key))
    if name is None:
        raise Misconfigured("--key", "is no approver's: [approval.approvers] does not name it")
    if order.by is not None and order.by != name:
        raise Misconfigured("--key", "is another approver's than --by says")
    statement = _statement(plan, order, name)
    if not order.yes:
        ask(name, "this plan")
    _record(config, ledger, plan, statement, key.sign(statement.to_sign()))


def ask(name: str, what: str) -> None:
    """Ask an approver at a terminal for confirmation. Raise Misconfigured without it."""
    refuse_unsure(f"{name}: do you approve {what}?", "approve", Misconfigured("approve", "not approved"))


def _print(config: Config, statement: Statement, path: Path) -> None:
    from engine.approvals.plan_approval import command_to_approve

    try:
        with open(path, "wb", opener=open_private) as file:
            file.write(statement.to_sign())
    except OSError as error:
        raise Misconfigured("--print", f"cannot be written ({error.strerror})") from None
    how = command_to_approve(config, statement.wave, statement.stage, "--list PLAN")
    say(f'Its "plan" is the SHA-256 of what `{how}` writes: read that, and compare with `sha256sum PLAN`.')
    say(f"To be signed as it is: openssl pkeyutl -sign -rawin -inkey KEY -in {path} -out {path}.sig")
    then = command_to_approve(config, statement.wave, statement.stage, f"--signed {path}")
    say(f"Then: {then}")


def _take_in(config: Config, ledger: Ledger, plan: WavePlan, order: ApprovalRequest, path: Path) -> None:
    statement, signature = _read(path)
    if (statement.wave, statement.stage) != (order.wave, order.stage):
        raise Misconfigured("--signed", "is about another wave or stage")
    if not plan.is_signed_by(statement.plan):
        raise Misconfigured("--signed", "is about another plan: it changed since it was printed")
    _record(config, ledger, plan, statement, signature)


def _read(path: Path) -> tuple[Statement, bytes]:
    from engine.approvals.plan_approval import DOMAIN, FIELDS, Statement

    fields, signature, text = read_signed(path, DOMAIN, FIELDS)
    statement = Statement(**fields)
    if statement.to_sign() != text:
        raise Misconfigured("--signed", "is not what --print wrote")
    return statement, signature


def read_signed(path: Path, domain: bytes, names: Sequence[str]) -> tuple[dict[str, str], bytes, bytes]:
    """Read a statement that --print wrote: its fields, its signature, which lies next to it, and its bytes.

    Raises:
        Misconfigured: for --signed.
    """
    try:
        text = path.read_bytes()
        signature = path.with_name(path.name + ".sig").read_bytes()
        fields = json.loads(text.removeprefix(domain))
        found = {name: str(fields[name]) for name in names}
        if len(signature) != 64:
            signature = b64decode(signature)
    except OSError as error:
        raise Misconfigured(
            "--signed", f"FILE and FILE.sig are both needed; one cannot be read ({error.strerror})"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise Misconfigured(
            "--signed", "is not what --print wrote, or its signature is no signature"
        ) from None
    return found, signature, text


def _record(config: Config, ledger: Ledger, plan: WavePlan, statement: Statement, signature: bytes) -> None:
    from engine.approvals.plan_approval import approvals_of, command_to_approve, detail_of
    from flows.deploy.wave_missing import setup_advice
    from ledger.plan.approvals import record
    from model.signing_keys import is_signed

    key = config.approval.key_of(statement.approver)
    if key is None or not is_signed(key, signature, statement.to_sign()):
        raise Misconfigured("--signed", "it was not signed with the key of the approver that it names")
    given = approvals_of(config, ledger, statement.wave, statement.stage)
    valid = {one.statement.approver for one in given if one.void is None}
    if statement.approver in valid:
        say("This approver has approved this plan already; an approver counts once.")
    elif any(one.statement == statement for one in given):
        raise Misconfigured("--signed", "was recorded before, and has ended since: --print it anew")
    else:
        text = plan.text.decode() if statement.plan == plan.hash else None
        event = record(ledger, statement.wave, statement.stage, detail_of(statement), signature, text)
        say(f"Recorded as event {event.seq} of wave {event.wave}.")
    count, required = len(valid | {statement.approver}), config.approval.required
    echo(f"{statement.stage} of wave {statement.wave}: {count} of {many(required, 'approval', 'approvals')}")
    if count < required:
        again = command_to_approve(config, statement.wave, statement.stage, "--key KEY --reason TEXT")
        say(f"Next, by another approver: {again}")
    else:
        tell("wave.approved", statement.wave, stage=statement.stage, approvals=count)
        going_on = NEXT[statement.stage].format(wave=shlex.quote(statement.wave))
        say(f"Next: {next_command(config.path, going_on)}")
        if (advice := setup_advice(config, statement.wave)) is not None:
            say(advice)


def approvals(
    wave: Wave = None,
    config: ConfigPath = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Lists who approved a wave's plan, and whether each approval counts; checks every signature.

    Without --wave it lists those of every wave. Exit code 0 when the start of each is approved as its plan is
    now.

    Example: kogge approvals --wave pilot
    """
    from engine.approvals.plan_approval import approvals_of, plan_of

    settings = load(config)
    required = settings.approval.required
    with opened_ledger(settings) as ledger:
        names = sorted({row.wave for row in chosen(settings, ledger, wave)})
        found = [
            _Approved(plan_of(settings, ledger, name), approvals_of(settings, ledger, name), required)
            for name in names
        ]
    if as_json:
        documents = [one.document() for one in found]
        emit(documents[0] if wave is not None else {"waves": documents})
    else:
        for one in found:
            one.show()
    raise typer.Exit(Exit.OK if all(one.is_approved for one in found) else Exit.OPEN)


@dataclass(frozen=True, slots=True)
class _Approved:
    """Hold a wave's plan, the approvals that were given, and how many it takes."""

    plan: WavePlan
    given: Sequence[Approval]
    required: int

    @property
    def valid(self) -> Counter[str]:
        """Count the approvals that count, by stage."""
        return Counter(one.statement.stage for one in self.given if one.void is None)

    @property
    def is_approved(self) -> bool:
        return self.valid["start"] >= self.required

    def document(self) -> dict[str, object]:
        return {
            "wave": self.plan.wave.name,
            "plan": self.plan.hash,
            "required": self.required,
            "approved": self.is_approved,
            "approvals": [_document(one) for one in self.given],
        }

    def show(self) -> None:
        stages = ", ".join(f"{self.valid[stage]} of its {stage}" for stage in NEXT)
        of = f"of {many(self.required, 'approval', 'approvals')}, {stages}"
        screen().print(f"wave {self.plan.wave.name}, plan {self.plan.hash}: {of}", soft_wrap=True)
        if self.given:
            columns = ("when", "stage", "approver", "plan", "counts", "reason")
            rows = (_row(one, self.plan) for one in self.given)
            screen().print(table(columns, rows, wrap=("reason", "counts")))


def _document(one: Approval) -> dict[str, object]:
    return {
        "event": one.event.seq,
        "at": one.event.moment,
        "stage": one.statement.stage,
        "approver": one.statement.approver,
        "plan": one.statement.plan,
        "reason": one.statement.reason,
        "void": one.void,
    }


def _row(one: Approval, plan: WavePlan) -> Sequence[str | Text]:
    from engine.approvals.plan_approval import CHANGED, WAS_ANOTHER

    back = one.void == CHANGED and plan.is_signed_by(one.statement.plan)
    verdict = "yes" if one.void is None else f"no: it was {WAS_ANOTHER}" if back else f"no: {VOID[one.void]}"
    counts = Text(verdict, style=GOOD if one.void is None else BAD)
    statement = one.statement
    when = f"{one.event.moment:%Y-%m-%d %H:%M}"
    return [when, statement.stage, statement.approver, statement.plan[:12], counts, statement.reason]
