"""The steps of a guide, word for word: its indented blocks and its tables of kogge.toml."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:^    .*\n(?:^\n(?=    ))?)+", re.MULTILINE)
FENCED = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def chapter(guide: str, title: str) -> str:
    """What stands below the heading, up to the next one."""
    text = (ROOT / "docs" / guide).read_text()
    _, found, rest = text.partition(f"# {title}\n")
    assert found, f"{guide} has no chapter {title!r}"
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def steps(guide: str, title: str, here: Mapping[str, str]) -> list[str]:
    """The blocks of a chapter. here: what is another thing in this place; each has to be in a block."""
    blocks = [textwrap.dedent(one) for one in BLOCK.findall(FENCED.sub("", chapter(guide, title)))]
    for said in here:
        assert any(said in block for block in blocks), f"{title!r} does not say {said!r}"
    return [_here(block, here) for block in blocks]


def tables(guide: str, title: str, here: Mapping[str, str] | None = None) -> str:
    """The tables of kogge.toml in a chapter."""
    (found,) = FENCED.findall(chapter(guide, title))
    return _here(found, here or {})


def _here(text: str, here: Mapping[str, str]) -> str:
    for said, meant in here.items():
        text = text.replace(said, meant)
    return text
