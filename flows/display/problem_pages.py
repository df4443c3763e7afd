"""What failed, what was lost and where links lead, in Prefect's UI.

Pure; counts and codes alone, and no line for an item: the commands that the texts name have those.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flows.display.advice_list import advice_list
from ledger.db.rows import Finding, State
from ledger.views.reports import LegSummary
from ledger.views.scores import Absent
from mappings.losses.severity import Class, class_of
from model.kinds import Kind
from model.plural import many
from reports.facts import LINKS, finding_code
from reports.loss_texts import by_concern

SENTENCES = {Class.CONTENT: 60, Class.FUNCTIONAL: 30, Class.COSMETIC: 0}
"""So many kinds of loss of each class get a sentence; the rest is counted."""


@dataclass(slots=True)
class Failing:
    """Count the items that failed with one code, and the mailboxes that have such."""

    items: int = 0
    mailboxes: set[str] = field(default_factory=set)

    def add(self, mailbox: str, count: int) -> None:
        """Add items of a mailbox."""
        self.items += count
        self.mailboxes.add(mailbox)


def failing(absent: Mapping[str, Iterable[Absent]], summaries: Iterable[LegSummary]) -> dict[str, Failing]:
    """Return what failed by code: rejected items, and what the newest verification found to be wrong."""
    found: defaultdict[str, Failing] = defaultdict(Failing)
    for mailbox, rows in absent.items():
        for row in rows:
            if row.state is State.REJECTED and row.code:
                found[row.code].add(mailbox, row.items)
    for leg in summaries:
        for (outcome, detail), count in leg.findings.items():
            code = finding_code(Finding(outcome, None, None, detail))
            if code is not None:
                found[code].add(leg.mailbox, count)
    return dict(found)


def failures_phrase(found: Mapping[str, Failing]) -> str:
    """Return in one phrase how much failed."""
    items = sum(one.items for one in found.values())
    codes = many(len(found), "code", "codes")
    return f"{many(items, 'item', 'items')} failed, by {codes}" if found else "no item failed"


def failures_text(wave: str, found: Mapping[str, Failing], now: datetime) -> str:
    """Return the artifact `failures-NAME`: by code, the most items first."""
    lines = [f"## Failures of wave {wave}: {failures_phrase(found)}", ""]
    if found:
        lines += ["| code | items | mailboxes |", "|---|---:|---:|"]
        for code, one in sorted(found.items(), key=lambda pair: (-pair[1].items, pair[0])):
            lines.append(f"| `{code}` | {one.items:,} | {len(one.mailboxes):,} |")
        lines += advice_list({code: one.items for code, one in found.items()}, "item", "items")
        command = f"kogge failures --wave {shlex.quote(wave)}"
        lines += ["", f"`{command}` names each of them, and where its owner finds it."]
    return "\n".join([*lines, "", _as_of(now)]) + "\n"


def losses_phrase(counts: Mapping[tuple[Kind, str, str], int]) -> str:
    """Return in one phrase how many losses of which class there are, the gravest class first."""
    by_class: Counter[Class] = Counter()
    for (_, name, reason), count in counts.items():
        by_class[class_of(name, reason)] += count
    told = [f"{by_class[one]:,} {one}" for one in Class if by_class[one]]
    return ", ".join(told) or "none"


def losses_text(wave: str, counts: Mapping[tuple[Kind, str, str], int], now: datetime) -> str:
    """Return the artifact `losses-NAME`: sentences by concern, the gravest first.

    What concerns appearance is folded into its number.
    """
    lines = [f"## Losses of wave {wave}: {losses_phrase(counts)}"]
    for one in by_concern(counts, SENTENCES):
        said = [f"- {line}" for line in one.lines]
        lines += ["", f"### {one.title}", "", *said, *([one.rest] if one.rest else [])]
    if counts:
        command = f"kogge failures --losses --wave {shlex.quote(wave)}"
        lines += ["", f"`{command}` names the items. An item that lost several things counts with each."]
    return "\n".join([*lines, "", _as_of(now)]) + "\n"


def links_phrase(ends: Mapping[str, int]) -> str:
    """Return in one phrase where links lead. ends: counts by `moved` or why not."""
    told = [f"{ends[name]:,} {name.replace('-', ' ')}" for name in LINKS if ends.get(name)]
    return f"links: {', '.join(told)}" if told else "no links into OneDrive or SharePoint"


def links_text(wave: str, ends: Mapping[str, int], now: datetime) -> str:
    """Return the artifact `links-NAME`."""
    lines = [f"## Links of wave {wave} into OneDrive and SharePoint: {sum(ends.values()):,}", ""]
    lines += [] if ends else ["No mail and no document of this wave points there."]
    if ends:
        lines += ["| | links | what that means |", "|---|---:|---|"]
        lines += [f"| {name} | {ends[name]:,} | {text} |" for name, text in LINKS.items() if ends.get(name)]
        command = f"kogge links --wave {shlex.quote(wave)} --csv links.csv"
        lines += ["", f"`{command}` lists each with its file's new place. Nothing is rewritten."]
    return "\n".join([*lines, "", _as_of(now)]) + "\n"


def _as_of(now: datetime) -> str:
    return f"As of {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
