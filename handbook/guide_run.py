"""Run the commands of guides in one practice world: `python -m handbook.guide_run [docs/GUIDE.md ...]`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from handbook.console_blocks import Command, blocks, difference
from handbook.site import ROOT
from practice.harness.practice_run import PracticeRun, practice_run

FIRST = "quick-start.md"
"""The guide that builds up what the others look at."""
WORLD = ("--plain", "3", "--people", "2", "--items", "8", "--pim", "3", "--cloud", "0")


class GuideUntrue(AssertionError):
    """A command of a guide does not end, or does not print, as the guide says."""


def guides(root: Path = ROOT) -> list[Path]:
    """Return the pages that show a terminal, in the order in which they are run."""
    pages = (path for path in (root / "docs").rglob("*.md") if "```console\n" in path.read_text())
    return sorted(pages, key=lambda path: (path.name != FIRST, path))


def run(pages: Iterable[Path], world: PracticeRun, tell: Callable[[str], object]) -> int:
    """Run the commands of guides, in order, and return how many ran.

    Args:
        pages: the guides.
        world: where they run.
        tell: is called with each command and what it printed.

    Raises:
        GuideUntrue: a command ended or printed otherwise than its guide says.
    """
    ran = 0
    for page in pages:
        for block in blocks(page.read_text()):
            for command in () if block.reason else block.commands:
                tell(_try(world, f"{page.name}:{command.line}", command))
                ran += 1
    return ran


def _try(world: PracticeRun, place: str, command: Command) -> str:
    """Return what is to be told of a command that ran as its guide says."""
    ended = world.shell(command.text)
    told = f"{place}\n$ {command.text}\n{ended.output}"
    if ended.code != command.code:
        raise GuideUntrue(f"{told}\nIt ended with {ended.code}; the guide says {command.code}.")
    missing = difference(command.shown, ended.output)
    if missing:
        raise GuideUntrue(f"{told}\nThe guide shows what was not printed: {missing}")
    return told


def main() -> None:
    """Run the guides that are named, or all."""
    chosen = [Path(name) for name in sys.argv[1:]] or guides()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        practice_run(Path(folder) / "practice-run", WORLD) as world,
    ):
        try:
            run(chosen, world, print)
        except GuideUntrue as untrue:
            sys.exit(str(untrue))


if __name__ == "__main__":
    main()
