"""The mailboxes of a wave in Prefect's UI, a row each, what needs a person first.

Pure; random ids, counts and codes alone.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from engine.control.remedies import is_explained
from engine.cutover.stopped import Stop
from flows.deploy.deployments import RESUME, WAVE
from flows.display.advice_commands import actions
from flows.display.advice_list import advice_list
from flows.display.ui_links import artifact, linked, tasks_of
from ledger.db.rows import NEEDS_PERSON, SCORE_LOW, URGENCY, LegRow, LegState, MailboxRow, Phase
from model.kinds import Kind
from model.plural import many
from reports.plan_gaps import by_mailbox
from reports.progress import DRY_RUN, Snapshot, expected, share, slug

CANARY_FAILED = "canary-failed"
SHOWN = 15
"""So many rows an artifact has, the most urgent first: they fit a screen, and the rest is counted."""
BY_ITSELF = "What goes on by itself"
NOTHING = "**Nothing needs a person.**"


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """Describe one mailbox.

    Attributes:
        mailbox: its random id.
        phase: staging, frozen or live.
        state: the most urgent state of its workloads.
        percent: how much is done, 0 to 100.
        codes: why, of the workloads in that state, in alphabetical order; of a cutover that stopped, its code
            first.
        stop: why only a person moves it on, whatever its workloads say; None if nothing is known.
        only: the workloads in that state, where others of the mailbox are further; otherwise empty.
    """

    mailbox: str
    phase: Phase
    state: LegState
    percent: int
    codes: tuple[str, ...]
    stop: Stop | None = None
    only: tuple[Kind, ...] = ()

    @property
    def needs_person(self) -> bool:
        """Return True if only a person can mend it."""
        named = SCORE_LOW in self.codes or CANARY_FAILED in self.codes
        return self.stop is not None or self.state in NEEDS_PERSON or named

    @property
    def locked(self) -> bool:
        """Return True if a cutover stopped, and its user may be kept from the mailbox."""
        return self.stop is not None and self.stop.locked

    @property
    def stands(self) -> Phase:
        """Return how it stands, for people: its first freeze hook locks out before the phase changes."""
        return Phase.FROZEN if self.locked and self.phase is Phase.STAGING else self.phase

    @property
    def cutover_begun(self) -> bool:
        """Return True if its cutover has begun, so that a page reports it."""
        return self.phase is not Phase.STAGING or (self.stop is not None and bool(self.stop.step))

    @property
    def well(self) -> bool:
        """Return True if no person has to look at it now."""
        return not self.needs_person and self.phase is not Phase.FROZEN and self.state is not LegState.WAITING


def mailbox_lines(
    legs: Iterable[LegRow],
    mailboxes: Iterable[MailboxRow],
    checked: Mapping[str, int],
    low: Collection[str] = (),
    stopped: Mapping[str, Stop] | None = None,
) -> list[MailboxLine]:
    """Return a line for each mailbox that has a workload here, the most urgent first.

    Args:
        legs: the workloads.
        mailboxes: the mailboxes of the wave, for their phases.
        checked: items that `kogge check` counted, by mailbox.
        low: mailboxes that a cutover would stop for their score.
        stopped: by mailbox, what engine.cutover.stopped found.
    """
    phases = {row.id: row.phase for row in mailboxes}
    lines = [
        _line(number, rows, phases.get(number, Phase.STAGING), checked)
        for number, rows in by_mailbox(legs).items()
    ]
    lines = [replace(line, codes=(SCORE_LOW,)) if _only_low(line, low) else line for line in lines]
    return sorted((_with_stop(line, (stopped or {}).get(line.mailbox)) for line in lines), key=_urgency)


def _with_stop(line: MailboxLine, stop: Stop | None) -> MailboxLine:
    if stop is None:
        return line
    rest = tuple(code for code in line.codes if code != stop.code)
    return replace(line, codes=(stop.code, *rest), stop=stop)


def _only_low(line: MailboxLine, low: Collection[str]) -> bool:
    return line.state is LegState.VERIFIED and line.mailbox in low


def _urgency(line: MailboxLine) -> tuple[bool, bool, bool, int, str]:
    stuck = line.phase is Phase.FROZEN
    calm = not (stuck or line.needs_person)
    return not line.locked, calm, not stuck, URGENCY.index(line.state), line.mailbox


def _line(number: str, rows: Sequence[LegRow], phase: Phase, checked: Mapping[str, int]) -> MailboxLine:
    state = min((row.state for row in rows), key=URGENCY.index)
    codes = {row.code for row in rows if row.state is state and row.code and row.code != DRY_RUN}
    if state is LegState.VERIFIED:
        return MailboxLine(number, phase, state, 100, ())
    done = round(share(Snapshot(tuple(rows)), expected(rows, checked)))
    own = [row.workload for row in rows if row.state is state]
    only = tuple(kind for kind in Kind if kind in own) if len(own) < len(rows) else ()
    return MailboxLine(number, phase, state, done, tuple(sorted(codes)), only=only)


def stopped_at(lines: Iterable[MailboxLine], canary: str, cause: str) -> list[MailboxLine]:
    """Return the lines of a wave that stopped at its first mailbox: that one comes first, and says why.

    Args:
        lines: the mailboxes.
        canary: the first mailbox.
        cause: the code why it is not verified, or its state if it has no code.
    """
    codes = (CANARY_FAILED, cause) if is_explained(cause) else (CANARY_FAILED,)
    told = [replace(line, codes=codes) if line.mailbox == canary else line for line in lines]
    return sorted(told, key=lambda line: line.mailbox != canary)


def mailboxes_text(
    wave: str, lines: Sequence[MailboxLine], now: datetime, ui: str, paused: datetime | None = None
) -> str:
    """Return the artifact `wave-NAME`.

    Args:
        wave: the wave.
        lines: its mailboxes, the most urgent first.
        now: when they were read.
        ui: the address of Prefect's UI; "" leaves the links out.
        paused: since when the wave is paused; None if it is not.
    """
    others = [line for line in lines if not line.needs_person]
    foot = ["", "`kogge show MAILBOX` tells all about one; `kogge who MAILBOX --by NAME` says whose it is."]
    pages = ("failures", "losses", *(["cutover"] if any(line.cutover_begun for line in lines) else []))
    more_pages = [linked(name, artifact(ui, slug(name, wave))) for name in pages]
    foot += ["", f"More of this wave: {', '.join(more_pages)}."] if ui else []
    at = ["", f"As of {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"]
    text = [*_head(wave, lines, paused), *_table(wave, lines, ui), *_advice(wave, others, BY_ITSELF)]
    return "\n".join([*text, *foot, *at]) + "\n"


def _head(wave: str, lines: Sequence[MailboxLine], paused: datetime | None) -> list[str]:
    """Return what a page begins with: how the wave is, and what a person has to do."""
    head = [f"## {wave_named(wave, paused)}: {mailboxes_told(lines)}", ""]
    head += [
        f"The first mailbox, `{line.mailbox}`, is not verified, so no other has begun.\n"
        for line in lines
        if CANARY_FAILED in line.codes
    ]
    if paused is not None:
        going_on = f'the deployment "{RESUME.name_of(wave)}", then "{WAVE.name_of(wave)}"'
        head += [f"Somebody paused it. When they say so: {going_on}.", ""]
    person = [line for line in lines if line.needs_person]
    return head + (_advice(wave, person, "What to do") if person else [NOTHING])


def _table(wave: str, lines: Sequence[MailboxLine], ui: str) -> list[str]:
    """Return a row for each of the most urgent mailboxes, and how many more there are."""
    table = ["", "### Mailboxes", "", "| mailbox | phase | state | done | code | |"]
    table += ["|---|---|---|---:|---|---|", *(_row(line, ui) for line in lines[:SHOWN])]
    if rest := lines[SHOWN:]:
        table += ["", f"and {_rest(rest)}. `kogge status --wave {shlex.quote(wave)} --all` lists them."]
    return table


def _advice(wave: str, lines: Sequence[MailboxLine], heading: str) -> list[str]:
    """Return what to do about the codes of these mailboxes, with what to type."""
    codes = Counter(code for line in lines for code in line.codes)
    own = {code: [line.mailbox for line in lines if code in line.codes] for code in codes}
    asked = {code: actions(code, found, wave) for code, found in own.items()}
    return advice_list(codes, "mailbox", "mailboxes", asked, heading)


def wave_named(wave: str, paused: datetime | None) -> str:
    """Return how a heading names a wave. paused: since when it is; None if it is not."""
    return f"Wave {wave}" if paused is None else f"Wave {wave} is {pause_told(paused)}"


def pause_told(since: datetime) -> str:
    """Return in one phrase since when a wave is paused."""
    return f"paused since {since.astimezone(UTC):%a %H:%M} UTC"


def mailboxes_told(lines: Sequence[MailboxLine], paused: datetime | None = None) -> str:
    """Return a wave's mailboxes in one phrase that fits on a card. paused: since when the wave is."""
    person = sum(line.needs_person for line in lines)
    verified = sum(line.state is LegState.VERIFIED for line in lines)
    frozen = sum(line.stands is Phase.FROZEN for line in lines)
    told = [many(person, "needs a person", "need a person") if person else "none needs a person"]
    told += [f"{frozen:,} frozen"] if frozen else []
    first = f"{pause_told(paused)}, " if paused is not None else ""
    return f"{first}{verified:,} of {len(lines):,} verified, {', '.join(told)}"


def _rest(rest: Sequence[MailboxLine]) -> str:
    """Return how many more there are: by their states and codes, what needs a person first."""
    counts = Counter(
        (not line.needs_person, str(line.state), line.codes[0] if line.codes else "") for line in rest
    )
    named = [
        f"{count:,} {state} (`{code}`)" if code else f"{count:,} {state}"
        for (_, state, code), count in sorted(counts.items(), key=lambda one: (one[0][0], -one[1], one[0]))
    ]
    return f"{len(rest):,} more: {', '.join(named)}"


def _row(line: MailboxLine, ui: str) -> str:
    codes = ", ".join(f"`{code}`" for code in line.codes)
    cells = [
        f"`{line.mailbox}`",
        str(line.stands),
        f"{line.state} ({', '.join(line.only)})" if line.only else str(line.state),
        f"{line.percent} %",
        codes,
        linked("tasks", tasks_of(ui, line.mailbox)) if ui else "",
    ]
    return f"| {' | '.join(cells)} |"
