"""`kogge approve`, `kogge phase` and `kogge who`: a person decides or asks; the ledger records it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from engine.approvals.acceptances import APPROVABLE
from engine.approvals.unneeded_approvals import refuse_needless
from engine.config.file_errors import unknown
from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from kogge.prepare.keys import PassphraseEnv, PassphraseFile, PrintTo, Signed, passphrase_of
from kogge.terminal.options import (
    AsJson,
    Asker,
    By,
    ConfigPath,
    CsvFile,
    Decider,
    Exit,
    Reason,
    Yes,
    chosen,
    echo,
    emit,
    given,
    refuse_unsure,
    say,
    screen,
)
from kogge.terminal.output import Column, Output
from ledger.db.rows import (
    HELD_ELSEWHERE,
    RULES_SEND_OUT,
    SCORE_LOW,
    LegState,
    Phase,
)
from model.errors import Blocked, Misconfigured
from model.kinds import Kind
from model.plural import many
from model.sites import one_spelling

if TYPE_CHECKING:
    from ledger.db.rows import MailboxRow
    from ledger.leg.phases import PhaseAcceptance
    from ledger.store import Ledger

AUDITOR = "an auditor will ask"
NEXT = {"recall": "rollback", "rollback": "rollback", SCORE_LOW: "cutover"}
"""What goes on by what was approved; after everything else, what _next_of says."""
Said: TypeAlias = Mapping[str, str | int]
"""What an event says."""

SHARES_LATER = ("held-back", "person-later")
"""Losses of shares that Kogge makes as long as a mailbox is frozen: once they are approved, or the other
person was run."""

Stage = Annotated[Literal["start", "cutover"], typer.Option("--stage", help="What of the wave is approved.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="Sign the plan with this private key.")
]
ListTo = Annotated[
    Path | None,
    typer.Option("--list", metavar="FILE", help="Write what is signed, and FILE.diff to what was last."),
]
AcceptNotReady = Annotated[
    bool, typer.Option("--accept-not-ready", help="Leave what is not ready out of the approval.")
]
One = Annotated[str | None, typer.Option("--mailbox", "-m", metavar="M", help="For this mailbox alone.")]
Whole = Annotated[
    str | None, typer.Option("--wave", "-w", metavar="W", help="For every mailbox of this wave.")
]
FromStaging = Annotated[
    bool, typer.Option("--from-staging", help="With live: move also what was never frozen; needs --reason.")
]


def approve(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help=f"What to take responsibility for: {', '.join(APPROVABLE)}."),
    ] = None,
    by: Decider = None,
    reason: Reason = None,
    mailbox: One = None,
    wave: Whole = None,
    stage: Stage = "start",
    key: KeyFile = None,
    passphrase_env: PassphraseEnv = None,
    passphrase_file: PassphraseFile = None,
    print_to: PrintTo = None,
    signed: Signed = None,
    list_to: ListTo = None,
    accept_not_ready: AcceptNotReady = False,
    yes: Yes = False,
    config: ConfigPath = DEFAULT,
) -> None:
    """Approves a wave's plan, or takes responsibility for what Kogge will not decide alone (CODE).

    A plan is signed: nothing of a wave is written before as many different approvers did as the configuration
    asks for, and a plan that changes needs them again. With a CODE, give --by, --reason, and --mailbox, or
    --wave for all of it; then what it tells; what needs no approval, as far as the ledger knows, is refused.
    Both are recorded in the wave's event chain.

    What is signed is the SHA-256 of a document, which --list writes for you to read: every mailbox, where it
    goes, how well that is proven.

    Example: kogge approve --wave pilot --list plan.json

    Example: kogge approve --wave pilot --key approver.pem --reason "as agreed on Monday"

    Example: kogge approve asserted --mailbox m-7f3a9c01 --by "A. Auditor" --reason "seen both accounts"
    """
    if code is None:
        if wave is None or mailbox is not None:
            raise Misconfigured("approve", "give --wave, whose plan is approved, or a CODE")
        from kogge.approve.approve import ApprovalRequest, approve_plan

        passphrase = passphrase_of(passphrase_env, passphrase_file)
        approve_plan(
            config,
            ApprovalRequest(
                wave, stage, reason, by, key, passphrase, print_to, signed, list_to, accept_not_ready, yes
            ),
        )
        return
    if key or print_to or signed or list_to:
        raise Misconfigured("CODE", "a plan is signed, a code is not: give one or the other")
    if code not in APPROVABLE:
        raise Misconfigured("CODE", unknown(code, APPROVABLE))
    if (mailbox is None) == (wave is None):
        raise Misconfigured("approve", "give either --mailbox or --wave")
    _answer_for(config, code, given("--by", by, AUDITOR), given("--reason", reason, AUDITOR), mailbox, wave)


def _answer_for(path: Path, code: str, by: str, reason: str, mailbox: str | None, wave: str | None) -> None:
    """Record who takes responsibility for a code, of the mailbox or of the whole wave."""
    settings = load(path)
    with opened_ledger(settings) as ledger:
        _plan_unplanned(settings, ledger, wave)
        rows = chosen(settings, ledger, wave, None if mailbox is None else [mailbox], by_line=False)
        whose = f"--wave {shlex.quote(str(wave))}" if mailbox is None else f"-m {rows[0].id}"
        if code == SCORE_LOW:
            _let_go_live(ledger, rows, by, reason, path, whose)
            return
        if code == RULES_SEND_OUT:
            _let_send_out(settings, ledger, rows, by, reason, whose)
            return
        refuse_needless(settings, ledger, code, rows, of_wave=mailbox is None)
        subject = f"wave:{wave}" if mailbox is None else rows[0].id
        event = ledger.approve(subject, code, by, reason)
        then = NEXT.get(code) or _next_of(ledger, {row.id for row in rows})
    echo(f"approved {code} for {subject}: {APPROVABLE[code]}")
    going_on = next_command(path, f"{then} {whose}")
    say(f"Recorded as event {event.seq} of wave {event.wave}. Next: {going_on}")


def _plan_unplanned(config: Config, ledger: Ledger, wave: str | None) -> None:
    """Take over the rows of a wave, or of the list, if the ledger has none yet.

    What `kogge check` found may be approved before the first run.
    """
    from engine.planning.load_plan import plan

    if not ledger.mailboxes(wave) and config.file(config.mailboxes).exists():
        plan(config, ledger, wave)


def _next_of(ledger: Ledger, ids: Collection[str]) -> str:
    """Return the next command: what is stopped has to be queued again, the rest only has to run."""
    stopped = any(leg.state is LegState.BLOCKED for leg in ledger.legs() if leg.mailbox in ids)
    return "retry" if stopped else "migrate"


def _let_go_live(
    ledger: Ledger, rows: Sequence[MailboxRow], by: str, reason: str, path: Path, whose: str
) -> None:
    """Accept the score of each mailbox that waits for that, and show its numbers.

    Args:
        ledger: records it.
        rows: the mailboxes.
        by: who decides.
        reason: why.
        path: of the configuration.
        whose: the mailboxes, as options.
    """
    from engine.approvals.low_score_approval import accept

    for event in accept(ledger, rows, by, reason):
        counts = f"{event.detail['missing']:,} of {event.detail['items']:,} items did not arrive"
        counts += f", {event.detail['lacking']:,} lack content"
        echo(f"approved {SCORE_LOW} for {event.subject} ({event.detail['rating']}): {counts}")
        say(f"Recorded as event {event.seq} of wave {event.wave}.")
    say(f"Next: {next_command(path, f'{NEXT[SCORE_LOW]} {whose} --by NAME')}")


def phase(
    to: Annotated[str, typer.Argument(metavar="PHASE", help=f"The phase: {', '.join(Phase)}.")],
    by: By,
    mailbox: One = None,
    wave: Whole = None,
    reason: Reason = None,
    from_staging: FromStaging = False,
    yes: Yes = False,
    config: ConfigPath = DEFAULT,
) -> None:
    """Moves mailboxes to a phase: staging (no user works at the target), frozen (the final delta), live.

    frozen and live need the approvals of the stage "cutover", as `kogge cutover` does. In the live phase the
    target belongs to its user, and Kogge only adds; only `kogge give-back` leads back, so it asks first. It
    goes there from frozen; from staging only with --from-staging and a --reason. One that scores investigate
    or poor, or has no score, goes there only with a --reason. No hook is run by this, as `kogge cutover`
    does: with hooks configured, live needs a --reason too. The phase column of mailboxes.csv counts only when
    a mailbox is planned for the first time.

    Example: kogge phase frozen --wave pilot --by "Cutover team"
    """
    if to not in list(Phase):
        raise Misconfigured("PHASE", f"give one of {', '.join(Phase)}")
    if (mailbox is None) == (wave is None):
        raise Misconfigured("phase", "give either --mailbox or --wave")
    decider = given("--by", by, "who decides is recorded")
    settings = load(config)
    with opened_ledger(settings) as ledger:
        rows = chosen(settings, ledger, wave, [mailbox] if mailbox is not None else None, by_line=False)
        _refuse_move(ledger, rows, to)
        asked = ledger.phase_asked([row.id for row in rows])
        changing = [row for row in rows if row.phase != to or (to != Phase.LIVE and row.id in asked)]
        _refuse_unapproved_move(settings, ledger, [row for row in changing if row.id not in asked], to)
        unrun = _hooks_left(settings, ledger, changing, to)
        epochs = {leg.id: leg.epoch for leg in ledger.legs(of=[row.id for row in changing])}
        answers: dict[str, PhaseAcceptance] = {}
        if to == Phase.LIVE:
            leaping = _leaping(changing, asked, reason, said=from_staging)
            answers = _answers(ledger, changing, unrun, decider, reason, leaping)
            if changing and not yes:
                question = f"{many(len(changing), 'mailbox goes', 'mailboxes go')} live, for good. Do they?"
                refuse_unsure(question, "go live", Misconfigured("phase", "nothing was changed"))
        refused = _move(ledger, changing, Phase(to), decider, answers, epochs)
        moved = [row.id for row in changing if row.id not in refused]
        _leave_moves(settings, ledger, moved)
        _show_pages(settings, ledger, moved)
        waiting = _waiting(ledger, moved) if to == Phase.LIVE else {}
    echo(_moved(len(moved), len(rows) - len(changing), to))
    if unrun := {number: names for number, names in unrun.items() if number in moved}:
        say(f"Not run: {_named(unrun)}. `{next_command(config, 'cutover')}` runs hooks.")
    for code, count in sorted(waiting.items()):
        shares = many(
            count, "share was not made, and is its owner's", "shares were not made, and are their owners'"
        )
        say(f"{shares} now: kogge failures --losses --code {code}")
    if refused:
        _tell_refused(refused, config)
        raise typer.Exit(Exit.OPEN)


def _move(
    ledger: Ledger,
    rows: Sequence[MailboxRow],
    to: Phase,
    by: str,
    answers: Mapping[str, PhaseAcceptance],
    epochs: Mapping[int, int],
) -> dict[str, str]:
    """Move one mailbox after the other, each with the answers that are recorded for it.

    Returns:
        By mailbox, why one stays as it is: a worker holds it, or held it since all this was looked at.
    """
    from ledger.leg.phases import PhaseAcceptance

    refused = {}
    for row in rows:
        try:
            ledger.set_phase(row.id, to, by, answers=answers.get(row.id, PhaseAcceptance()), epochs=epochs)
        except Blocked as error:
            refused[row.id] = error.code
    return refused


def _leave_moves(settings: Config, ledger: Ledger, moved: Sequence[str]) -> None:
    """Note the moves in the state directory, where a restored ledger finds them.

    What cannot be noted now is noted by the next pass.
    """
    from engine.control.remedies import advice
    from engine.steps.beginning.ledger_generation import Generations, leave_move

    for number in moved:
        try:
            leave_move(ledger, number, Generations(settings.state_directory))
        except Blocked as error:
            say(f"The state directory does not know the new phases yet: {advice(error.code)}")
            return


def _show_pages(settings: Config, ledger: Ledger, moved: Sequence[str]) -> None:
    """Renew the pages of cutovers in a Prefect that runs, which would count as before."""
    from flows.deploy.api import running_api

    if running_api(settings) is not None:
        from flows.display.from_command import show_cutovers  # loads Prefect

        show_cutovers(settings, ledger, dict.fromkeys(moved))


def _tell_refused(refused: Mapping[str, str], config: Path) -> None:
    by_code: dict[str, list[str]] = {}
    for number, code in sorted(refused.items()):
        by_code.setdefault(code, []).append(number)
    for code, numbers in sorted(by_code.items()):
        say(f"{many(len(numbers), 'mailbox keeps its phase', 'mailboxes keep their phases')} ({code}):")
        say(f"  {', '.join(numbers)}")
    if HELD_ELSEWHERE in by_code:
        say(f"A worker holds those, or died there: let `{next_command(config, 'migrate')}` end first.")


def _moved(now: int, before: int, to: str) -> str:
    return f"{many(now, 'mailbox is', 'mailboxes are')} {to} now; {many(before, 'was', 'were')} already"


def _refuse_move(ledger: Ledger, rows: Sequence[MailboxRow], to: str) -> None:
    from ledger.leg.cutover_steps import Steps

    if to != Phase.LIVE and any(row.phase == Phase.LIVE for row in rows):
        raise Misconfigured(
            "PHASE",
            "a live mailbox is its user's, whose changes a pass would revert; `kogge rollback` takes back"
            " what nobody has changed",
        )
    if to != Phase.LIVE and Steps(ledger).of(row.id for row in rows):
        raise Misconfigured("PHASE", "a cutover of it was begun: `kogge cutover --back`")


def _refuse_unapproved_move(config: Config, ledger: Ledger, rows: Sequence[MailboxRow], to: str) -> None:
    """Refuse a move that a cutover makes only with the approvals of its stage.

    The rows have no mailbox that a pass found to be in another phase than the ledger says: there the phase is
    a fact and no decision.

    Raises:
        Blocked: `not-approved`.
    """
    from engine.approvals.plan_approval import CUTOVER, refuse_unapproved_mailbox

    for row in rows if to != Phase.STAGING else ():
        refuse_unapproved_mailbox(config, ledger, row, CUTOVER)


def _leaping(
    rows: Sequence[MailboxRow], asked: Collection[str], reason: str | None, *, said: bool
) -> dict[str, str]:
    """Return, by mailbox that goes live from staging, why.

    Args:
        rows: the mailboxes.
        asked: those whose phase is a fact, which need no reason.
        reason: as given.
        said: --from-staging was given.

    Raises:
        Misconfigured: --from-staging or the reason is missing.
    """
    leaping = [row.id for row in rows if row.phase is Phase.STAGING and row.id not in asked]
    if not leaping:
        return {}
    are = many(len(leaping), "mailbox is", "mailboxes are")
    if not said:
        raise Misconfigured(
            "PHASE",
            f"{are} in staging, where mail still arrives at the source: `kogge phase frozen` first, then a"
            " last `kogge migrate`; or --from-staging, with a --reason",
        )
    why = given("--reason", reason, f"{are} in staging; {AUDITOR} why they were never frozen")
    return dict.fromkeys(leaping, why)


def _hooks_left(config: Config, ledger: Ledger, rows: Sequence[MailboxRow], to: str) -> dict[str, list[str]]:
    """Return, by mailbox, the hooks that a cutover would have run and that are not recorded as done."""
    from engine.cutover.steps import hook_steps
    from ledger.leg.cutover_steps import DONE, Steps

    wanted = hook_steps(config.hooks, Phase(to))
    if not wanted:
        return {}
    steps = Steps(ledger).of(row.id for row in rows)
    done = {number: {one.name for one in some if one.state == DONE} for number, some in steps.items()}
    left = {row.id: [name for name in wanted if name not in done.get(row.id, ())] for row in rows}
    return {number: names for number, names in left.items() if names}


def _answers(
    ledger: Ledger,
    rows: Sequence[MailboxRow],
    unrun: Mapping[str, Sequence[str]],
    by: str,
    reason: str | None,
    leaping: Mapping[str, str],
) -> dict[str, PhaseAcceptance]:
    """Return, by mailbox, what a person takes responsibility for when it goes live.

    Args:
        ledger: is read.
        rows: the mailboxes.
        unrun: by mailbox, the hooks that were not run.
        by: who decides.
        reason: as given.
        leaping: by mailbox that was never frozen, why.
    """
    from ledger.leg.phases import PhaseAcceptance

    hooks = _answer_for_hooks(unrun, by, reason)
    scores = _answer_for_scores(ledger, rows, by, reason)
    return {
        row.id: PhaseAcceptance(hooks.get(row.id), scores.get(row.id), leaping.get(row.id)) for row in rows
    }


def _answer_for_hooks(unrun: Mapping[str, Sequence[str]], by: str, reason: str | None) -> dict[str, Said]:
    """Return who takes responsibility for what was not run. Raise Misconfigured without a reason."""
    if not unrun:
        return {}
    why = f"`kogge cutover` would run {_named(unrun)}; {AUDITOR} why they go live without"
    detail = {"by": by, "reason": given("--reason", reason, why)}
    return {number: {**detail, "hooks": ", ".join(names)} for number, names in unrun.items()}


def _named(hooks: Mapping[str, Sequence[str]]) -> str:
    names = dict.fromkeys(name for some in hooks.values() for name in some)
    return f"the hooks {', '.join(names)} ({many(len(hooks), 'mailbox', 'mailboxes')})"


def _answer_for_scores(
    ledger: Ledger, rows: Sequence[MailboxRow], by: str, reason: str | None
) -> dict[str, Said]:
    """Return who takes responsibility for those that score low or have no score.

    Raises:
        Misconfigured: there is no reason.
    """
    from engine.approvals.low_score_approval import answer, unaccepted

    low = unaccepted(ledger, rows)
    if not low:
        return {}
    unrated = sum(score is None for score in low.values())
    counts = {"score investigate or poor": len(low) - unrated, "are not verified": unrated}
    told = " and ".join(f"{count} of them {words}" for words, count in counts.items() if count)
    why = f"{told} (`kogge score`); {AUDITOR} why they go live"
    said = given("--reason", reason, why)
    return {number: answer(score, by, said) for number, score in low.items()}


def _waiting(ledger: Ledger, mailboxes: Collection[str]) -> Counter[str]:
    """Count, by code, the shares that another frozen pass might have made."""
    legs = [leg.id for leg in ledger.legs(workload=Kind.FILES) if leg.mailbox in mailboxes]
    found = (loss.reason for leg in legs for _, _, loss in ledger.losses(leg))
    return Counter(code for code in found if code in SHARES_LATER)


def who(
    name: Annotated[
        str | None, typer.Argument(metavar="ID|ADDRESS", help="A random id, or an address to find one.")
    ] = None,
    by: Asker = None,
    config: ConfigPath = DEFAULT,
    wave: Annotated[
        str | None, typer.Option("--wave", "-w", metavar="W", help="List instead every mailbox of this wave.")
    ] = None,
    csv_file: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Resolves a random id to its accounts, or an address to its id. The question itself is recorded.

    With --wave it lists line, id and both accounts of every mailbox of a wave, on the screen or with --csv in
    a file for you alone; --csv without --wave lists every wave. That is recorded once for each wave. Who asks
    is --by, or KOGGE_BY, or your login.

    Example: kogge who m-7f3a9c01 --by "Night shift"
    """
    from kogge.terminal.asker import asker

    if csv_file is not None and name is not None:
        raise Misconfigured("--csv", "is for whole waves: give --wave, or neither it nor ID|ADDRESS")
    if csv_file is None and (name is None) == (wave is None):
        raise Misconfigured(
            "who", "give either ID|ADDRESS or --wave; with --csv FILE neither, for every wave"
        )
    asking, settings = asker(by, "who asks is recorded"), load(config)
    with opened_ledger(settings) as ledger:
        if name is not None:
            _show_one(_resolved(ledger, name, asking), as_json)
            return
        rows = chosen(settings, ledger, wave)
        for asked, count in sorted(Counter(row.wave for row in rows).items()):
            ledger.event(asked, "who", {"by": asking, "mailboxes": count}, subject=f"wave:{asked}")
    _show_waves(settings, rows, csv_file, as_json)


def _resolved(ledger: Ledger, name: str, asking: str) -> dict[str, str]:
    try:
        row = ledger.who(one_spelling(name), asking)
    except Blocked:
        raise Misconfigured(
            "ID|ADDRESS", "the ledger has no such mailbox; `kogge status` lists the ids"
        ) from None
    return {
        "mailbox": row.id,
        "wave": row.wave,
        "phase": str(row.phase),
        "source": row.source,
        "target": row.target,
    }


def _show_one(found: Mapping[str, str], as_json: bool) -> None:
    if as_json:
        emit(found)
        return
    for key, value in found.items():
        echo(f"{key:8} {value}")


def _show_waves(config: Config, rows: Sequence[MailboxRow], csv_file: Path | None, as_json: bool) -> None:
    """Show the mailboxes in the order of the list; those that no row names any more come last."""
    from kogge.shown.mailbox_name import listed

    lines = {one.source: one.line for one in listed(config)}
    last = max(lines.values(), default=0) + 1

    def of_list(row: MailboxRow) -> int | None:
        return lines.get(row.source)

    found = sorted(rows, key=lambda row: (lines.get(row.source, last), row.id))
    output: Output[MailboxRow] = Output(
        (
            Column("line", of_list, "line", lambda row: str(of_list(row) or "-")),
            Column("mailbox", lambda row: row.id, "mailbox"),
            Column("source", heading="source"),
            Column("target", heading="target"),
            Column("wave"),
        )
    )
    output.put(found, "mailboxes", csv_file, lambda: screen().print(output.grid(found)), as_json=as_json)


def _let_send_out(
    config: Config, ledger: Ledger, rows: Sequence[MailboxRow], by: str, reason: str, whose: str
) -> None:
    """Allow the rules of each mailbox that are switched off for what they send out, and say how many.

    Args:
        config: has the key of the evidence.
        ledger: records it.
        rows: the mailboxes.
        by: who decides.
        reason: why.
        whose: the mailboxes, as options.
    """
    from engine.approvals.sending_rules import accept
    from engine.config.evidence_key import proven_key

    for event in accept(ledger, rows, by, reason, proven_key(config, ledger)):
        count = int(event.detail["rules"])
        echo(f"approved {RULES_SEND_OUT} for {event.subject}: {many(count, 'rule', 'rules')}")
        say(f"Recorded as event {event.seq} of wave {event.wave}.")
    say(f"Next: {next_command(config.path, f'migrate {whose}')}, before the cutover")
