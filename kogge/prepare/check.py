"""`kogge check`: look at everything, write to neither side."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from engine.control.remedies import advice
from engine.planning.mailbox_list_checks import mailboxes
from kogge.prepare.chosen_people import people
from kogge.shown.fault_lines import CAUSES_SHOWN, fault_lines
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    Exit,
    Mailboxes,
    Wave,
    emit,
    progress_bar,
    say,
    screen,
)
from kogge.terminal.tables import BAD, CARE, GOOD, bytes_cell, number_cell, table
from model.kinds import Kind
from model.plural import many

if TYPE_CHECKING:
    from engine.preflight.preflight import Power, PreflightResult
    from kogge.prepare.check_invitations import InvitationEvidence


MISSING, REFUSED = "mailbox-missing", "login-refused"

IMAPSIEVE = (
    "target.mail: runs users' scripts when mail arrives by IMAP (imapsieve): one that redirects would send"
    " old mail out again. Switch it off while the waves run."
)


EXPOSED = "every account of this machine may read this file: take that right away (chmod o-r)"

UNMET = (
    "nobody of the directory export or of the list has this address, domain or site. Check the"
    " spelling: such an entry denies nobody."
)

NOT_LISTED = "no mailbox of mailboxes.csv has this address, so that these rights are given to nobody."

MARKED_ELSEWHERE = (
    "target.mail: marks other folders (SPECIAL-USE) than special_folders names, for: {roles}. Mail goes into"
    " the marked ones. If the web client goes by the names, it shows two folders: make the names agree."
)


UNTOLD = (
    "unknown: the source has no count of these that costs no listing, so that estimates take a typical"
    " number; `kogge discover` lists and counts them."
)


SUSPENDED = (
    "wave {wave}: this is not what {names} signed, so no run of it begins. Their approvals count again once a"
    " check finds what they signed. They end for good if others sign this one and a run begins."
)


def check(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    probe_invitations: Annotated[
        bool,
        typer.Option("--probe-invitations", help="Try again whether calendar servers mail invitations."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Runs the preflight: opens both sides of every mailbox, proves whose it is, compares sizes.

    Writes nothing to any mailbox. The waves of the list are planned (with --wave only that one), and what
    was found is stored for those who approve them. A mailbox is named by its line in mailboxes.csv. Where it
    is not known whether a calendar server mails invitations, the two accounts of [invitation_probe] try it;
    that takes minutes.

    Example: kogge check --wave pilot
    """
    from engine.config.missing_secrets import naming_missing_secrets
    from engine.control.error_log import defect_log
    from engine.opening import gate_files
    from engine.planning.target_rates import target_rates
    from engine.preflight.check_results import (
        accepted_of_wave,
        keep,
        note_accepted,
        plan_what_was_seen,
        renew_plan,
        suspended_approvals,
    )
    from engine.preflight.exposed_secrets import exposed_secrets
    from engine.preflight.preflight import examine_all, powers, unreachable_sides
    from evidence.pack_keys import look_of
    from kogge.prepare.announced_waits import announced_waits
    from kogge.prepare.check_invitations import concerned, listen, said_by

    settings = load(config)
    chosen = people(settings, wave, mailbox)
    if wave is not None:
        renew_plan(settings, wave)
    rules = {kind: gate_files.rules(settings, kind, _unapproved) for kind in settings.workloads}
    begun, passes, live = _begun(settings), _passes(settings), _live(settings)
    with (
        announced_waits(settings),
        progress_bar("checking", len(chosen)) as seen,
        defect_log(settings.state_directory),
        naming_missing_secrets(settings, between="\n"),
    ):
        looks = examine_all(settings, chosen, rules, seen, begun, passes, live)
        power = powers(settings, unreachable_sides(looks))
    unloaded = None if wave is not None or mailbox else plan_what_was_seen(settings, looks)
    keep(settings, wave, looks, begun, all_listed=wave is None and not mailbox)
    note_accepted(settings, looks)
    unsigned = suspended_approvals(settings, {look.person.wave for look in looks if look.person.wave})
    accepted = accepted_of_wave(settings, wave)
    evidence = look_of(settings)
    exposed = exposed_secrets(settings)
    every = mailboxes(settings, unplanned=True)
    unmet, unlisted = gate_files.unmet_denials(settings, every), gate_files.unmet_rights(settings, every)
    heard: list[InvitationEvidence] = []
    said = said_by(looks)
    if probe_invitations or concerned(settings, said):
        with opened_ledger(settings) as ledger, naming_missing_secrets(settings, between="\n"):
            heard = listen(settings, ledger, chosen, again=probe_invitations, said=said)
    if as_json:
        document = _check_document(settings, looks, power)
        told: dict[str, object] = {"invitations": [one.document() for one in heard]}
        told["evidence"] = evidence.document()
        told["suspended_approvals"] = unsigned
        told["rate_limits"] = [one.document(_loads(settings, looks)) for one in target_rates(settings)]
        emit(
            {
                **document,
                **told,
                "accepted": sorted(accepted),
                "exposed_secrets": exposed,
                "unmet_denials": unmet,
                "unmet_rights": unlisted,
            }
        )
    else:
        screen().print(Text(evidence.line(), style="" if evidence.good else CARE))
        _show_check(settings, looks, power, heard)
        warnings = [f"{place}: {EXPOSED}" for place in exposed]
        warnings += _unmet_lines(settings.gate.deny, unmet, UNMET)
        warnings += _unmet_lines(gate_files.rights_file(settings), unlisted, NOT_LISTED)
        for line in warnings:
            screen().print(Text(line, style=CARE), soft_wrap=True)
        if accepted:
            screen().print(f"approved for this wave: {', '.join(sorted(accepted))}")
    _tell_approvers(unsigned, unloaded)
    code = _check_code(looks, power, accepted)
    if any(one.code is not None and not one.passing for one in heard) or not evidence.good:
        code = Exit.OPEN
    elif code == Exit.OK and any(one.passing for one in heard):
        code = Exit.AGAIN
    if not as_json:
        _say_next(settings, looks, code)
    raise typer.Exit(code)


def _tell_approvers(unsigned: Mapping[str, Sequence[str]], unloaded: str | None) -> None:
    """Print whose approvals are suspended.

    Args:
        unsigned: by wave, who signed another result.
        unloaded: why nothing was stored for them.
    """
    for name, signers in unsigned.items():
        say(SUSPENDED.format(wave=name, names=" and ".join(signers)))
    if unloaded is not None:
        say(f"not kept for the approvers: {unloaded}")


def _unmet_lines(file: Path | None, unmet: Sequence[int], meaning: str) -> Iterator[str]:
    """Yield which lines of a list name nobody that the other files know."""
    if unmet and file is not None:
        lines = ", ".join(map(str, unmet[:CAUSES_SHOWN])) + (", …" if len(unmet) > CAUSES_SHOWN else "")
        yield f"{file.name}: {'line' if len(unmet) == 1 else 'lines'} {lines}: {meaning}"


def _begun(config: Config) -> frozenset[str]:
    """Return the sources of mailboxes of which something was copied. It makes no ledger."""
    if config.ledger_file is not None and not config.ledger_file.exists():
        return frozenset()
    with opened_ledger(config) as ledger:
        ids = {leg.mailbox for leg in ledger.legs() if leg.done}
        return frozenset(row.source for row in ledger.mailboxes(ids=ids)) if ids else frozenset()


def _live(config: Config) -> frozenset[str]:
    """Return the sources of mailboxes that are live. It makes no ledger."""
    from ledger.db.rows import Phase

    if config.ledger_file is not None and not config.ledger_file.exists():
        return frozenset()
    with opened_ledger(config) as ledger:
        return frozenset(row.source for row in ledger.mailboxes() if row.phase is Phase.LIVE)


def _passes(config: Config) -> dict[tuple[str, Kind], tuple[str, int]]:
    """See Ledger.passes. Makes no ledger."""
    if config.ledger_file is not None and not config.ledger_file.exists():
        return {}
    with opened_ledger(config) as ledger:
        return ledger.passes()


def _unapproved(_code: str) -> bool:
    """Return False, because a preflight shows what would need an approval, also if one was given."""
    return False


def _check_code(looks: Sequence[PreflightResult], power: Sequence[Power], accepted: Set[str]) -> int:
    """Return the exit code; `accepted` are the codes of the credential that a person approved."""
    if (
        _excess(looks).keys() - accepted
        or (any(one.opens for one in power) and "control-mailbox" not in accepted)
        or any(one.open_warnings or len(one.faults) > one.passing for one in looks)
    ):
        return Exit.OPEN
    return Exit.AGAIN if any(one.faults for one in looks) else Exit.OK


def _check_document(
    config: Config, looks: Sequence[PreflightResult], power: Sequence[Power]
) -> dict[str, object]:
    from engine.preflight.preflight import hints

    return {
        "mailboxes": [
            {
                "line": look.person.line,
                "wave": look.person.wave,
                "proof": look.level,
                "self_stated": look.self_stated,
                "items": look.items,
                "kinds": {
                    str(kind): None if kind in look.untold else look.kinds[kind]
                    for kind in sorted({*look.kinds, *look.untold})
                },
                "bytes": look.bytes,
                "free": look.free,
                "faults": [
                    {"side": side, "code": code, "advice": advice(code)} for side, code in look.faults
                ],
                "warnings": [
                    {
                        "side": side,
                        "code": code,
                        "advice": advice(code),
                        "accepted": code in look.accepted,
                    }
                    for side, code in look.warnings
                ],
                "causes": [
                    {"code": code, "found": found}
                    for code, _, found in (cause.partition(": ") for cause in sorted(look.causes))
                ],
                "ready": look.ready,
                "earlier_result_stands": look.earlier_stands,
            }
            for look in looks
        ],
        "control": {one.side: one.opens for one in power},
        "permissions": {code: list(names) for code, names in _excess(looks).items()},
        "hints": [{"code": code, "advice": advice(code)} for _, code in hints(config, looks)],
        "servers": {side: dict(facts) for side, facts in _facts(config, looks)},
    }


def _excess(looks: Sequence[PreflightResult]) -> dict[str, tuple[str, ...]]:
    """Return surplus permissions by code; with one credential the first mailbox is enough."""
    from engine.preflight.credential_scope import excess

    return excess(next((look.rights for look in looks if look.rights is not None), None))


def _facts(config: Config, looks: Sequence[PreflightResult]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what the first mailbox that could be opened says of each side's server."""
    sides = dict.fromkeys(side for look in looks for side in look.facts)
    for side in dict.fromkeys((*config.sources, "target", *sides)):
        facts = next((look.facts[side] for look in looks if look.facts.get(side)), {})
        yield side, dict(facts)


def _show_check(
    config: Config,
    looks: Sequence[PreflightResult],
    power: Sequence[Power],
    heard: Sequence[InvitationEvidence],
) -> None:
    from engine.approvals.plan_approval import too_few
    from engine.preflight.side_settings import setting_of

    out = screen()
    for side, facts in _facts(config, looks):
        if side == "target" and not any(Kind.MAIL in look.person.moves(config.workloads) for look in looks):
            continue
        stated = ", ".join(f"{name} {value}" for name, value in facts.items())
        opened = any(side in look.facts for look in looks)
        silent = "it says nothing of itself" if opened else "could not be opened"
        out.print(Text.assemble((f"{setting_of(side)}: ", "bold"), stated or silent))
    out.print()
    columns = ("line", "wave", "proof", "items", "size", "free", "result")
    out.print(table(columns, map(_check_row, looks), wrap=("proof", "result")))
    out.print()
    show_kinds([look.kinds for look in looks], set[Kind]().union(*(look.untold for look in looks)))
    for line in _care(config, looks):
        out.print(Text(line, style=CARE), soft_wrap=True)
    for line in _target_care(dict(_facts(config, looks))["target"]):
        out.print(Text(line, style=CARE), soft_wrap=True)
    for target_line in _target_lines(config, looks, heard):
        out.print(target_line, soft_wrap=True)
    for one in power:
        out.print(_power_line(one))
    if not power:
        out.print("control mailbox: none set (gate.control), so the credentials' power was not tried")
    if (told := too_few(config)) is not None:
        out.print(Text(f"approval: {told}", style=CARE), soft_wrap=True)
    for line in _fault_lines(looks, config.mailboxes.name):
        out.print(Text(line), soft_wrap=True)
    _show_ready(config, looks)


def _target_care(facts: Mapping[str, str]) -> Iterator[str]:
    """Yield what to look after at the mail server."""
    if facts.get("imapsieve") == "yes":
        yield IMAPSIEVE
    if roles := facts.get("marked-elsewhere"):
        yield MARKED_ELSEWHERE.format(roles=roles)


def _target_lines(
    config: Config, looks: Sequence[PreflightResult], heard: Sequence[InvitationEvidence]
) -> Iterator[Text]:
    """Yield what to know of the targets' rate limits and invitations, a line each."""
    from engine.planning.target_rates import target_rates

    for rate in target_rates(config):
        yield from (Text(line) for line in rate.lines(_loads(config, looks)))
    yield from (one.line() for one in heard)


def _loads(config: Config, looks: Sequence[PreflightResult]) -> list[dict[Kind, int]]:
    """Return the items of each mailbox by workload; 0 if the source does not count them."""
    return [{kind: look.kinds[kind] for kind in look.person.moves(config.workloads)} for look in looks]


def _show_ready(config: Config, looks: Sequence[PreflightResult]) -> None:
    """Print how many mailboxes are ready, and how many still have the result of an earlier check."""
    out = screen()
    standing = sum(look.earlier_stands for look in looks)
    if standing:
        kept = many(standing, "mailbox keeps", "mailboxes keep")
        out.print(f"{kept} the result of an earlier check, as this one did not get through", soft_wrap=True)
    good = sum(look.ready for look in looks)
    style = GOOD if good == len(looks) else CARE
    boxes, are = many(len(looks), "mailbox", "mailboxes"), "is" if good == 1 else "are"
    out.print(Text(f"{good:,} of {boxes} of {_place(config, looks)} {are} ready", style=style))


def _place(config: Config, looks: Sequence[PreflightResult]) -> str:
    """Return where the mailboxes are from, and how many more there are."""
    listed, all_of_them = config.mailboxes.name, len(mailboxes(config, unplanned=True))
    if len(looks) == all_of_them:
        return listed
    waves = {look.person.wave for look in looks}
    wave = f"wave {waves.pop()} in " if len(waves) == 1 and waves != {""} else ""
    return f"{wave}{listed} ({all_of_them:,} in all)"


def _say_next(config: Config, looks: Sequence[PreflightResult], code: int) -> None:
    """Print what to type now; `code` is the exit code of this check."""
    from engine.approvals.plan_approval import START, command_to_approve, too_few

    waves = {look.person.wave for look in looks}
    again = next_command(config.path, "check")
    if code == Exit.AGAIN:
        say(f"Next, when the servers answer: {again}")
    elif code != Exit.OK or too_few(config) is not None:
        say(f"Next, when that is put right: {again}")
    elif len(waves) > 1 or "" in waves:
        say(f"Next: {next_command(config.path, 'plan')}")
    elif waves:
        (wave,) = waves
        if _is_approved(config, wave):
            say(f"Next: {next_command(config.path, f'migrate --wave {shlex.quote(wave)}')}")
        else:
            say(f"Next: {command_to_approve(config, shlex.quote(wave), START, '--key KEY --reason TEXT')}")


def _is_approved(config: Config, wave: str) -> bool:
    """Return True if as many signed the plan as it is now as have to."""
    from engine.approvals.plan_approval import START, approvals_of

    with opened_ledger(config) as ledger:
        valid = sum(one.void is None for one in approvals_of(config, ledger, wave, START))
    return valid >= config.approval.required


def _fault_lines(looks: Sequence[PreflightResult], listed: str) -> Iterator[str]:
    """Yield each code with its advice, and below it what this machine found.

    A wrong row comes first, because other faults follow from it.
    """
    codes = Counter(code for look in looks for _, code in (*look.faults, *look.open_warnings))
    causes = set().union(*(look.causes for look in looks))
    ranked = dict(sorted(codes.most_common(), key=lambda one: one[0] != MISSING))
    notes = {MISSING: _wrong_rows(looks, listed)} if MISSING in codes else {}
    return fault_lines(ranked, causes, notes)


def _wrong_rows(looks: Sequence[PreflightResult], listed: str) -> str:
    """Return which rows name a missing mailbox, and if refused logins probably follow from that."""
    wrong = [look for look in looks if any(code == MISSING for _, code in look.faults)]
    lines = ", ".join(str(look.person.line) for look in wrong[:CAUSES_SHOWN])
    more = ", …" if len(wrong) > CAUSES_SHOWN else ""
    told = f"{'line' if len(wrong) == 1 else 'lines'} {lines}{more} of {listed}: correct this first"
    refused = any(code == REFUSED for look in wrong for _, code in look.faults)
    return f"{told}; what is refused there ({REFUSED}) probably follows from it" if refused else told


def _care(config: Config, looks: Sequence[PreflightResult]) -> Iterator[str]:
    """Yield what to know of a side's settings and permissions, a line each."""
    from engine.preflight.preflight import hints

    for side, code in hints(config, looks):
        yield f"{side}: {code}: {advice(code)}"
    for code, names in _excess(looks).items():
        yield f"source: {code}: {', '.join(names)}. {advice(code)}"


def _check_row(look: PreflightResult) -> list[str | Text]:
    from engine.preflight.side_settings import setting_of

    result = Text("ready", style=GOOD)
    accepted = [f"{code}, approved" for _, code in look.warnings if code in look.accepted]
    if not look.ready:
        told = [f"{setting_of(side)}: {code}" for side, code in (*look.faults, *look.open_warnings)]
        result = Text("\n".join([*told, *accepted]), style=BAD if look.faults else CARE)
    elif accepted:
        result = Text("\n".join(["ready", *accepted]), style=GOOD)
    sizes = (number_cell(look.items), bytes_cell(look.bytes), bytes_cell(look.free))
    return [str(look.person.line), look.person.wave, look.proof or "-", *sizes, result]


def _power_line(power: Power) -> Text:
    if power.opens is None:
        if not power.tried:
            return Text(f"control mailbox: the {power.side} has a password a person; it was not tried there")
        return Text(f"control mailbox: the {power.side} could not be asked", style=CARE)
    if power.opens:
        text = (
            f"control mailbox: the {power.side}'s credential opens it: it has more power than the waves need."
        )
        return Text(f"{text} Restrict it, or `kogge approve control-mailbox --wave W`", style=CARE)
    return Text(f"control mailbox: closed to the {power.side}'s credential, as it should be", style=GOOD)


def show_kinds(counters: Sequence[Counter[Kind]], untold: Set[Kind] = frozenset()) -> None:
    """Print how many items there are of each workload. untold: kinds that some mailbox does not count."""
    whole: Counter[Kind] = Counter()
    for one in counters:
        whole.update(one)
    if whole or untold:
        counts = {kind: "unknown" if kind in untold else f"{whole[kind]:,}" for kind in {*whole, *untold}}
        told = ", ".join(f"{counts[kind]} {kind}" for kind in Kind if kind in counts)
        screen().print(f"items by workload: {told}")
    if untold:
        screen().print(UNTOLD, soft_wrap=True)
