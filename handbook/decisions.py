"""Write the list of the decisions (ADRs)."""

from __future__ import annotations

from pathlib import Path

INTRO = """\
# Decisions

Each page says what was decided, why, and what was considered besides. A decision that a later one changes
stays as it was written, and names the later one.

"""


def page(folder: Path) -> str:
    """Return the page for a folder of decisions, newest last.

    Args:
        folder: holds one Markdown file for each decision, which begins with "# NUMBER. TITLE".
    """
    files = sorted(folder.glob("[0-9]*.md"))
    return INTRO + "".join(f"- [{_title(path)}]({path.name})\n" for path in files)


def _title(path: Path) -> str:
    return path.read_text().partition("\n")[0].removeprefix("# ")
