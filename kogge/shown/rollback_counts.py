"""Show what a rollback removes, or would remove, by workload, and what prevented it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.hints import each_mailbox, next_command
from engine.control.remedies import PASSING
from kogge.shown.fault_lines import fault_lines
from kogge.terminal.options import screen
from kogge.terminal.tables import table
from reports.progress import LATER

if TYPE_CHECKING:
    from engine.rollback.run_many import RollbackResult

WORDS = {
    "changed": "changed by somebody since: they stay",
    "gone": "not where we wrote them any more (deleted or moved by somebody)",
    "added": "not ours: they stay",
    "shared": "meetings on which an attendee's copy rests: they stay",
    "found": "there before us: they stay",
    "unreadable": "cannot be read: they stay",
    "refused": "the server does not let go of: they stay",
    "shares": "shares of ours",
    "containers": "folders that we made and that are empty then",
    "containers-staying": "folders that we made and that stay: something is in or below them, or the server "
    "keeps them",
}
DONE = {
    "shares": "shares of ours: taken back",
    "containers": "folders that we made and that were empty then: removed",
}
"""The words that differ from WORDS once it is done."""
OF_ONE = {
    "changed": "changed by somebody since: it stays",
    "added": "not ours: it stays",
    "shared": "a meeting on which an attendee's copy rests: it stays",
    "found": "there before us: it stays",
    "unreadable": "cannot be read: it stays",
    "refused": "the server does not let go of: it stays",
    "shares": "share of ours",
    "containers": "folder that we made and that is empty then",
    "containers-staying": "folder that we made and that stays: something is in or below it, or the server "
    "keeps it",
}
"""The words that differ from WORDS for a count of one."""
DONE_OF_ONE = {
    "shares": "share of ours: taken back",
    "containers": "folder that we made and that was empty then: removed",
}
READ = {
    "read": "read",
    "answered": "answered",
    "forwarded": "forwarded",
    "read-before": "had been read before",
}


def show_counts(ended: Sequence[RollbackResult], execute: bool) -> None:
    """Print what goes and what stays, by workload, and the codes of what prevented it.

    Args:
        ended: how each workload ended.
        execute: True if it was removed, False if it was only looked at.
    """
    out = screen()
    cells = _done_cells(ended) if execute else _look_cells(ended)
    out.print(table(["workload", "mailboxes", "items", ""], cells, wrap=("",)))
    causes = {f"{one.code}: {one.report.cause}" for one in ended if one.report.cause}
    for line in fault_lines(codes_of(ended), causes):
        out.print(line, soft_wrap=True)


def codes_of(ended: Sequence[RollbackResult]) -> dict[str, int]:
    """Count the workloads that have each code, sorted by code."""
    return dict(sorted(Counter(one.code for one in ended if one.code is not None).items()))


def passes(ended: Sequence[RollbackResult]) -> bool:
    """Return True if everything that prevented it may be different next time."""
    return codes_of(ended).keys() <= PASSING.keys() | LATER.keys()


def after_look(ended: Sequence[RollbackResult], nothing: str, command: str) -> str:
    """Return what to say after a look.

    It names the command only if the look saw something, and if another look would not see more.

    Args:
        ended: what was looked at.
        nothing: a sentence that nothing was done.
        command: the command that does it.
    """
    codes = codes_of(ended)
    if not codes or (any(one.code is None for one in ended) and not codes.keys() & PASSING.keys()):
        return f"{nothing} To do it: {command}"
    when = "the servers answer" if passes(ended) else "that is put right"
    return f"{nothing} What would be is not known in full. Look again when {when}: run this command again"


def _done_cells(ended: Sequence[RollbackResult]) -> Iterator[list[str]]:
    for workload, some in _by_workload(ended):
        yield from _cells(workload, some, "removed", WORDS | DONE, OF_ONE | DONE_OF_ONE)


def _look_cells(ended: Sequence[RollbackResult]) -> Iterator[list[str]]:
    """Yield the rows of a look. Counts of a look that ended early are left out, for they are not whole."""
    for workload, some in _by_workload(ended):
        seen = [one for one in some if one.code is None]
        if seen:
            yield from _cells(workload, seen, "would be removed", WORDS, OF_ONE)
        for code, count in codes_of(some).items():
            yield [workload, f"{count:,}", "unknown", f"what would be removed ({code})"]


def _by_workload(ended: Sequence[RollbackResult]) -> list[tuple[str, list[RollbackResult]]]:
    groups: defaultdict[str, list[RollbackResult]] = defaultdict(list)
    for one in ended:
        groups[str(one.leg.workload)].append(one)
    return sorted(groups.items())


def _cells(
    workload: str, some: Sequence[RollbackResult], goes: str, words: dict[str, str], of_one: dict[str, str]
) -> Iterator[list[str]]:
    """Yield how much goes, and then how much stays, with the reason."""
    from engine.rollback.run_many import total

    counts = total(some)
    yield [workload, f"{len(some):,}", f"{counts['ours']:,}", goes]
    for name, said in READ.items():
        if counts[name]:
            yield ["", "", f"{counts[name]:,}", f"of them {said}"]
    for name, said in words.items():
        if counts[name]:
            yield ["", "", f"{counts[name]:,}", of_one.get(name, said) if counts[name] == 1 else said]


def lines_of_added(ended: Sequence[RollbackResult], path: Path) -> list[str]:
    """Return the commands for approvals that are needed before some of these mailboxes move again.

    They are those in whose new accounts something stays that Kogge did not write.

    Args:
        ended: how each workload ended.
        path: of the configuration.
    """
    boxes = sorted({one.leg.mailbox for one in ended if one.report.counts["added"]})
    commands = [f"approve target-not-empty {one} --by NAME --reason TEXT" for one in each_mailbox(boxes)]
    return [f"First, if what people added may stay there: {next_command(path, one)}" for one in commands]
