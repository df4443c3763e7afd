"""Put the entries of changelog/unreleased together, at a release or to read them.

    python -m handbook.changelog                       prints what the next release has
    python -m handbook.changelog 0.2.0 2027-01-31      moves it into CHANGELOG.md

An entry is a file of Markdown. Its first line is `KIND, AREA: what changed`. Below a blank line it says what
was wrong, and what happens now. The kinds are those of KINDS, and the area is one word, such as `imap`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).parents[1]
KINDS = ("Security", "Fix", "Change", "Enhancement")
"""In the order in which a release has them."""
FIRST = re.compile(rf"({'|'.join(KINDS)}), ([a-z][a-z-]*): (\S.*)")
BEGIN = "## Unreleased\n"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """Hold one change.

    Attributes:
        kind: its place in KINDS.
        area: a part of the program, or a system.
        title: what changed, in one sentence.
        text: what was wrong, and what happens now; "" if the title says it.
    """

    kind: int
    area: str
    title: str
    text: str


def parse(content: str) -> Entry:
    """Read an entry.

    Raises:
        ValueError: its first line has another form, or no blank line follows.
    """
    first, _, rest = content.partition("\n")
    found = FIRST.fullmatch(first)
    if found is None or (rest and not rest.startswith("\n")):
        raise ValueError(f"not an entry: {first[:60]!r}")
    return Entry(KINDS.index(found[1]), found[2], found[3], rest.strip())


def entries(folder: Path) -> list[Entry]:
    """Read all entries of a folder, in the order of a release.

    Raises:
        ValueError: a file is not an entry; its name is in the text.
    """
    found = []
    for path in folder.glob("*.md"):
        try:
            found.append(parse(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
    return sorted(found)


def together(found: list[Entry]) -> str:
    """Return the section of a release: a heading for each kind, then one bullet an entry, by area."""
    return "\n".join(line for kind, name in enumerate(KINDS) for line in _section(name, kind, found))


def _section(name: str, kind: int, found: list[Entry]) -> Iterator[str]:
    own = [one for one in found if one.kind == kind]
    if own:
        yield f"### {name}\n"
        for one in own:
            yield f"- **{one.area}: {one.title}**"
            if one.text:
                yield f"\n{indent(one.text, '  ')}\n"
        yield ""


def release(changelog: str, version: str, date: str, found: list[Entry]) -> str:
    """Return the text of CHANGELOG.md with a section for a version, below the one for what is unreleased."""
    head, begin, rest = changelog.partition(BEGIN)
    note, _, older = rest.partition("\n## ")
    return f"{head}{begin}{note.rstrip()}\n\n## {version} ({date})\n\n{together(found)}\n## {older}"


def main(arguments: list[str]) -> None:
    """Print the entries, or move them into CHANGELOG.md as the section of a version and a date."""
    folder, changelog = ROOT / "changelog/unreleased", ROOT / "CHANGELOG.md"
    found = entries(folder)
    if not arguments:
        print(together(found))
        return
    version, date = arguments
    changelog.write_text(
        release(changelog.read_text(encoding="utf-8"), version, date, found), encoding="utf-8"
    )
    for path in folder.glob("*.md"):
        path.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
