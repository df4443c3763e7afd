"""The cutover of a wave in Prefect's UI: who is frozen, since when, what is missing, what to type.

Random ids, steps and codes alone.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.cutover.steps import FREEZE, FROZEN, HOOK_FAILED, NOT_VERIFIED
from engine.cutover.stopped import why_stopped
from flows.deploy.deployments import CUTOVER
from flows.display.advice_list import advice_list
from ledger.db.rows import SCORE_LOW, MailboxRow, Phase
from ledger.leg.cutover_steps import BACK, DONE, FAILED, RELEASE, StepRow, Steps
from ledger.store import Ledger
from model.plural import many

SHOWN = 15
"""So many rows the artifact has, the most urgent first: they fit a screen, and the rest is counted."""
NOW_TOLD = "Now, while the run goes on; this does not disturb it:"
AFTER_TOLD = "Once the run has ended:"
BACK_TOLD = (
    "Or give people the old mailbox back: `cutover --back` does it for everybody who is not released,"
    " `give-back` for one person, and takes back first what Kogge wrote for somebody who is released:"
)
WORKING = "**A run is at work on it. There is nothing to do.**"
WORKING_ON_OTHERS = "**A run is at work on the others.**"
NAMED = 5
"""So many mailboxes a message names."""


@dataclass(frozen=True, slots=True)
class CutoverLine:
    """Describe where the cutover of one mailbox is.

    Attributes:
        mailbox: its random id.
        phase: staging, frozen or live.
        since: when its first freeze hook began, or when it was frozen; None if that is not recorded, or if
            its user is not kept from it.
        step: the newest step, with its state; "" if none was begun.
        code: what keeps it from going on; None if nothing is known to.
        released: True if it only goes forward.
    """

    mailbox: str
    phase: Phase
    since: datetime | None
    step: str = ""
    code: str | None = None
    released: bool = False

    @property
    def held(self) -> bool:
        """Return True if its user is kept from the mailbox, wholly or in part.

        From the first freeze hook on, although the phase changes only after the last one.
        """
        return self.phase is Phase.FROZEN or (self.since is not None and self.phase is not Phase.LIVE)

    @property
    def stands(self) -> Phase:
        """Return how it stands, for people."""
        return Phase.FROZEN if self.held else self.phase


def cutover_lines(
    rows: Iterable[MailboxRow], steps: Mapping[str, Sequence[StepRow]], codes: Mapping[str, str | None]
) -> list[CutoverLine]:
    """Return a line for each mailbox, those that are held first, and of them the longest held.

    Args:
        rows: the mailboxes.
        steps: their recorded steps, in the order in which they last changed.
        codes: why a cutover ended, or would not begin, by mailbox.
    """
    lines = [_line(row, steps.get(row.id, ()), codes.get(row.id)) for row in rows]
    return sorted(lines, key=_urgency)


def read_lines(
    ledger: Ledger, rows: Sequence[MailboxRow], codes: Mapping[str, str | None]
) -> list[CutoverLine]:
    """Return a line for each mailbox as the ledger is now; see cutover_lines."""
    return cutover_lines(rows, Steps(ledger).of(row.id for row in rows), codes)


def _urgency(line: CutoverLine) -> tuple[bool, bool, bool, float, str]:
    since = line.since.timestamp() if line.since is not None else 0.0
    calm = line.code is None and not line.held
    return not line.held, line.phase is Phase.LIVE, calm, since, line.mailbox


def _line(row: MailboxRow, steps: Sequence[StepRow], code: str | None) -> CutoverLine:
    begun = [one.at for one in steps if one.name.startswith(f"{FREEZE}:") or one.name == FROZEN]
    newest = steps[-1] if steps else None
    if newest is not None and newest.state == FAILED:
        code = code or why_stopped(newest)[0]
    return CutoverLine(
        row.id,
        row.phase,
        None if row.phase is Phase.LIVE else min(begun, default=None),
        "" if newest is None else f"{newest.name} {newest.state}",
        None if row.phase is Phase.LIVE else code,
        any(one.name == RELEASE and one.state == DONE for one in steps)
        and not any(one.name == BACK for one in steps),
    )


def cutover_phrase(lines: Sequence[CutoverLine]) -> str:
    """Return the state of a cutover in one phrase."""
    phases = Counter(line.phase for line in lines)
    held = sum(line.held for line in lines)
    told = [f"{phases[Phase.LIVE]:,} of {many(len(lines), 'mailbox', 'mailboxes')} live"]
    told += [f"{held:,} frozen"] if held else []
    waiting = sum(line.code is not None for line in lines)
    told += [f"{waiting:,} stopped"] if waiting else []
    return ", ".join(told)


def work_phrase(lines: Sequence[CutoverLine]) -> str:
    """Return in one line how far a cutover at work is, and at which steps its mailboxes are."""
    told = f"{cutover_phrase(lines)}."
    if not any(line.held for line in lines):
        return f"{told} Nobody is kept from a mailbox."
    counts = Counter(line.step.partition(" ")[0] or "none yet" for line in lines if line.held)
    steps = ", ".join(f"{step} ({count:,})" for step, count in sorted(counts.items()))
    return f"{told} Newest steps: {steps}."


def held_phrase(lines: Sequence[CutoverLine], now: datetime, *, at_work: bool = False) -> str:
    """Return who is kept from their mailbox and since when, by random ids; "" if that is no one.

    Args:
        lines: the mailboxes.
        now: the time.
        at_work: a run brings them live, so that this is as it should be.
    """
    held = [line for line in lines if line.held]
    if not held:
        return ""
    names = ", ".join(line.mailbox for line in held[:NAMED])
    names += f" and {len(held) - NAMED:,} more" if len(held) > NAMED else ""
    since = _since_phrase(held, now)
    if at_work:
        told = many(len(held), "mailbox is frozen", "mailboxes are frozen")
        return f"{told}, {since}: {names}."
    told = many(len(held), "mailbox is frozen: its user", "mailboxes are frozen: their users")
    return f"{told} may be locked out, {since}: {names}"


def _since_phrase(held: Sequence[CutoverLine], now: datetime) -> str:
    """Return since when mailboxes are frozen, and for how long."""
    known = [line.since for line in held if line.since is not None]
    if not known:
        return "it is not recorded since when"
    minutes = max(0, int((now - min(known)).total_seconds() // 60))
    first = "the first" if len(known) == len(held) else "the first that is recorded"
    return f"{first} since {moment(min(known))} ({many(minutes, 'minute', 'minutes')})"


def next_steps(wave: str, lines: Sequence[CutoverLine]) -> list[str]:
    """Return the commands to type now, in their order; [] if all are live."""
    return [*_harmless(wave, lines), *_afterwards(wave, lines)]


def _harmless(wave: str, lines: Sequence[CutoverLine]) -> list[str]:
    """Return the commands that disturb no run: they look, or record a decision."""
    name = shlex.quote(wave)
    codes = {line.code for line in lines if line.code}
    commands = []
    if SCORE_LOW in codes:
        commands += [f"kogge score --wave {name}"]
        commands += [f"kogge approve score-low --wave {name} --by NAME --reason TEXT"]
    if HOOK_FAILED in codes:
        commands += [f"kogge cutover --wave {name} --status"]
    return commands


def _afterwards(wave: str, lines: Sequence[CutoverLine]) -> list[str]:
    """Return the commands by which the cutover goes on once no run is at work on it; [] if all are live."""
    if all(line.phase is Phase.LIVE for line in lines):
        return []
    name = shlex.quote(wave)
    first = [f"kogge migrate --wave {name}"] if any(line.code == NOT_VERIFIED for line in lines) else []
    return [*first, f"kogge cutover --wave {name} --by NAME"]


def way_back(wave: str, lines: Sequence[CutoverLine]) -> list[str]:
    """Return the commands that give people their old mailbox again; [] if they would for nobody.

    What is released does not go back by hooks alone: `kogge give-back` takes back first what Kogge wrote.
    """
    released = [line.mailbox for line in lines if line.held and line.released]
    commands = []
    if any(line.held and not line.released for line in lines):
        commands += [f"kogge cutover --wave {shlex.quote(wave)} --back --by NAME"]
    if released:
        whose = f"-m {released[0]}" if len(released) == 1 else "-m MAILBOX"
        commands += [f"kogge give-back {whose} --by NAME --reason TEXT"]
    return commands


def cutover_text(
    wave: str,
    lines: Sequence[CutoverLine],
    now: datetime,
    waits: str | None = None,
    *,
    at_work: str | None = None,
) -> str:
    """Return the artifact `cutover-NAME`.

    Args:
        wave: the wave.
        lines: its mailboxes, the most urgent first.
        now: when they were read.
        waits: why the run waits for approval, with the command; None if it does not.
        at_work: what else the page says while a run brings mailboxes live; None if none does. It then parts
            what disturbs no run from what is typed after it.
    """
    working = at_work is not None
    text = [f"## Cutover of wave {wave}: {cutover_phrase(lines)}", ""]
    text += [f"**It waits for a person.** {waits}", ""] if waits else []
    text += _held_text(lines, now, working=working)
    text += advice_list(Counter(line.code for line in lines if line.code), "mailbox", "mailboxes")
    if not working:
        text += _to_type(wave, lines, waits=waits is not None)
    elif stopped := [line for line in lines if line.code is not None]:
        text += _to_type_meanwhile(wave, stopped)
    text += _table(lines)
    text += ["", at_work] if at_work else []
    return "\n".join([*text, "", f"As of {moment(now)}"]) + "\n"


def _to_type(wave: str, lines: Sequence[CutoverLine], *, waits: bool) -> list[str]:
    """Return what to type next, as Markdown. waits: the run goes on when it is resumed, without a command."""
    commands = next_steps(wave, lines)
    text: list[str] = []
    if commands := commands[:-1] if waits else commands:
        text += ["", "### What to type next", "", *_block(commands)]
        text += [] if waits else ["", _pressed(wave)]
    return [*text, *_back_text(wave, lines)]


def _to_type_meanwhile(wave: str, stopped: Sequence[CutoverLine]) -> list[str]:
    """Return what to type about mailboxes that stopped while a run is at work on others, as Markdown."""
    harmless = _harmless(wave, stopped)
    text = ["", NOW_TOLD, "", *_block(harmless)] if harmless else []
    text += ["", AFTER_TOLD, "", *_block(_afterwards(wave, stopped)), "", _pressed(wave)]
    return [*text, *_back_text(wave, stopped)]


def _back_text(wave: str, lines: Sequence[CutoverLine]) -> list[str]:
    back = way_back(wave, lines)
    return ["", BACK_TOLD, "", *_block(back)] if back else []


def _block(commands: Iterable[str]) -> list[str]:
    return [f"    {command}" for command in commands]


def _pressed(wave: str) -> str:
    """Return what in Prefect does the same as the last of the commands."""
    return f'The last one is also the deployment "{CUTOVER.name_of(wave)}" in Prefect.'


def _table(lines: Sequence[CutoverLine]) -> list[str]:
    """Return a row for each of the most urgent mailboxes, and how many more there are."""
    table = ["", "### Mailboxes", "", "| mailbox | state, code | frozen since | newest step |"]
    table += ["|---|---|---|---|", *(_row(line) for line in lines[:SHOWN])]
    if rest := lines[SHOWN:]:
        stopped = sum(line.code is not None for line in rest)
        table += ["", f"and {len(rest):,} more, of which {stopped:,} are stopped."]
    return table


def _held_text(lines: Sequence[CutoverLine], now: datetime, *, working: bool) -> list[str]:
    """Return who is kept from a mailbox.

    While a run is at work it is an emergency only if a mailbox has stopped.
    """
    if not working:
        return [held_phrase(lines, now) or "Nobody is kept from a mailbox.", ""]
    stopped = [line for line in lines if line.code is not None]
    going = [line for line in lines if line.code is None]
    held = held_phrase(stopped, now)
    first = [f"{held}.", ""] if held else []
    else_ = "else " if held else ""
    working_told = WORKING_ON_OTHERS if stopped else WORKING
    return [
        *first,
        working_told,
        "",
        held_phrase(going, now, at_work=True) or f"Nobody {else_}is kept from a mailbox.",
        "",
    ]


def _row(line: CutoverLine) -> str:
    since = "" if line.since is None else moment(line.since)
    code = f", `{line.code}`" if line.code else ""
    return f"| `{line.mailbox}` | {line.stands}{code} | {since} | {line.step} |"


def moment(at: datetime) -> str:
    """Return a moment as people write it down at night."""
    return f"{at.astimezone(UTC):%d %b %H:%M} UTC"
