"""The mailboxes of a wave in Prefect's UI, a row each, what needs a person first.

Pure; random ids, counts and codes alone.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from engine.control.remedies import is_explained
from engine.cutover.stopped import Stop
from flows.deploy.deployments import RESUME, WAVE
from flows.display.advice_commands import actions
from flows.display.advice_list import advice_list
from flows.display.ui_links import artifact, linked, tasks_of
from ledger.db.rows import URGENCY, LegRow, MailboxRow, Phase
from reports.mailbox_facts import MailboxFacts, count, workload_of
from reports.plan_gaps import by_mailbox
from reports.progress import slug

CANARY_FAILED = "canary-failed"
SHOWN = 15
"""So many rows an artifact has, the most urgent first: they fit a screen, and the rest is counted."""
BY_ITSELF = "What goes on by itself"
NOTHING = "**Nothing needs a person.**"


def mailbox_lines(
    legs: Iterable[LegRow],
    mailboxes: Iterable[MailboxRow],
    checked: Mapping[str, int],
    low: Collection[str] = (),
    stopped: Mapping[str, Stop] | None = None,
) -> list[MailboxFacts]:
    """Return a line for each mailbox that has a workload here, the most urgent first.

    Args:
        legs: the workloads.
        mailboxes: the mailboxes of the wave, for their phases.
        checked: items that `kogge check` counted, by mailbox.
        low: mailboxes that a cutover would stop for their score.
        stopped: by mailbox, what engine.cutover.stopped found.
    """
    boxes = {row.id: row for row in mailboxes}
    lines = (
        MailboxFacts(
            number,
            boxes[number].wave if number in boxes else "",
            boxes[number].phase if number in boxes else Phase.STAGING,
            {row.workload: workload_of(row) for row in rows},
            checked.get(number, 0),
            stop=(stopped or {}).get(number),
            low=number in low,
        )
        for number, rows in by_mailbox(legs).items()
    )
    return sorted(lines, key=_urgency)


def _urgency(line: MailboxFacts) -> tuple[bool, bool, bool, int, str]:
    stuck = line.phase is Phase.FROZEN
    calm = not (stuck or line.needs_person)
    return not line.locked, calm, not stuck, URGENCY.index(line.state), line.mailbox


def stopped_at(lines: Iterable[MailboxFacts], canary: str, cause: str) -> list[MailboxFacts]:
    """Return the lines of a wave that stopped at its first mailbox: that one comes first, and says why.

    Args:
        lines: the mailboxes.
        canary: the first mailbox.
        cause: the code why it is not verified, or its state if it has no code.
    """
    codes = (CANARY_FAILED, cause) if is_explained(cause) else (CANARY_FAILED,)
    named = [replace(line, instead=codes) if line.mailbox == canary else line for line in lines]
    return sorted(named, key=lambda line: line.mailbox != canary)


def mailboxes_text(
    wave: str, lines: Sequence[MailboxFacts], now: datetime, ui: str, paused: datetime | None = None
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


def _head(wave: str, lines: Sequence[MailboxFacts], paused: datetime | None) -> list[str]:
    """Return what a page begins with: how the wave is, and what a person has to do."""
    head = [f"## {wave_named(wave, paused)}: {mailboxes_phrase(lines)}", ""]
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


def _table(wave: str, lines: Sequence[MailboxFacts], ui: str) -> list[str]:
    """Return a row for each of the most urgent mailboxes, and how many more there are."""
    table = ["", "### Mailboxes", "", "| mailbox | phase | state | done | code | |"]
    table += ["|---|---|---|---:|---|---|", *(_row(line, ui) for line in lines[:SHOWN])]
    if rest := lines[SHOWN:]:
        table += ["", f"and {_rest(rest)}. `kogge status --wave {shlex.quote(wave)} --all` lists them."]
    return table


def _advice(wave: str, lines: Sequence[MailboxFacts], heading: str) -> list[str]:
    """Return what to do about the codes of these mailboxes, with what to type."""
    codes = Counter(code for line in lines for code in line.codes)
    own = {code: [line.mailbox for line in lines if code in line.codes] for code in codes}
    asked = {code: actions(code, found, wave) for code, found in own.items()}
    return advice_list(codes, "mailbox", "mailboxes", asked, heading)


def wave_named(wave: str, paused: datetime | None) -> str:
    """Return how a heading names a wave. paused: since when it is; None if it is not."""
    return f"Wave {wave}" if paused is None else f"Wave {wave} is {pause_phrase(paused)}"


def pause_phrase(since: datetime) -> str:
    """Return in one phrase since when a wave is paused."""
    return f"paused since {since.astimezone(UTC):%a %H:%M} UTC"


def mailboxes_phrase(lines: Sequence[MailboxFacts], paused: datetime | None = None) -> str:
    """Return a wave's mailboxes in one phrase that fits on a card. paused: since when the wave is."""
    counts = count(lines)
    needs = f"{counts.person:,} need a person"
    if counts.person < 2:
        needs = "1 needs a person" if counts.person else "none needs a person"
    frozen = f", {counts.frozen:,} frozen" if counts.frozen else ""
    first = f"{pause_phrase(paused)}, " if paused is not None else ""
    return f"{first}{counts.verified:,} of {counts.mailboxes:,} verified, {needs}{frozen}"


def _rest(rest: Sequence[MailboxFacts]) -> str:
    """Return how many more there are: by their states and codes, what needs a person first."""
    counts = Counter(
        (not line.needs_person, str(line.state), line.codes[0] if line.codes else "") for line in rest
    )
    named = [
        f"{count:,} {state} (`{code}`)" if code else f"{count:,} {state}"
        for (_, state, code), count in sorted(counts.items(), key=lambda one: (one[0][0], -one[1], one[0]))
    ]
    return f"{len(rest):,} more: {', '.join(named)}"


def _row(line: MailboxFacts, ui: str) -> str:
    codes = ", ".join(f"`{code}`" for code in line.codes)
    cells = [
        f"`{line.mailbox}`",
        str(line.stands),
        f"{line.state} ({', '.join(line.only)})" if line.only else str(line.state),
        f"{line.percent:.0f} %",
        codes,
        linked("tasks", tasks_of(ui, line.mailbox)) if ui else "",
    ]
    return f"| {' | '.join(cells)} |"
