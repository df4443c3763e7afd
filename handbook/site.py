"""Build the site: pages of docs/, pages that come from the program, and some of the project's root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from engine.control.code_book import handbook
from handbook import commands, configuration, decisions

ROOT = Path(__file__).parent.parent
OF_THE_ROOT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"(!?)\[([^\]\[]*)\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"[a-z]+:|#")
"""Begins a link that leads to another site, or to a place of the same page."""


def pages(root: Path = ROOT) -> dict[str, str]:
    """Return the pages that come from the program, by their path below docs/."""
    return {
        "reference/commands.md": commands.page(),
        "reference/configuration.md": configuration.page(),
        "adr/index.md": decisions.page(root / "docs" / "adr"),
    }


def write_codes(root: Path = ROOT) -> bool:
    """Write the codes into their page, which is kept in the repository: the program names it.

    Returns:
        True if that changed the page.
    """
    path = root / "docs" / "reference" / "codes.md"
    begin, end = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"
    old = path.read_text()
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    new = before + begin + handbook() + end + after
    path.write_text(new)
    return new != old


def stage(folder: Path, root: Path = ROOT) -> None:
    """Copy all pages to a folder, so that each link leads to a page of the site.

    Args:
        folder: is made anew.
        root: the project.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "docs", folder)
    for name, text in pages(root).items():
        (folder / name).write_text(text)
    for name in OF_THE_ROOT:
        (folder / name).write_text(without_sources((root / name).read_text(), "docs/"))
    for path in folder.rglob("*.md"):
        path.write_text(_of_the_root(path.read_text()))


def without_sources(text: str, folder: str) -> str:
    """Return a page of the project's root with links into the site alone.

    Args:
        text: the page.
        folder: where the site's pages are, seen from the root.
    """

    def link(found: re.Match[str]) -> str:
        mark, words, target = found.groups()
        if ELSEWHERE.match(target) or target.partition("#")[0] in OF_THE_ROOT:
            return found[0]
        inside = target.startswith(folder) and target.partition("#")[0].endswith(".md")
        return f"{mark}[{words}]({target.removeprefix(folder)})" if inside else words

    return LINK.sub(link, text)


def _of_the_root(text: str) -> str:
    """Return a page whose links to pages of the project's root lead to their copies in the site."""
    names = "|".join(map(re.escape, OF_THE_ROOT))
    return re.sub(rf"\]\(((?:\.\./)*)\.\./({names})", r"](\1\2", text)


def build(root: Path = ROOT, *, strict: bool = False) -> int:
    """Build the site to build/site, and return the exit code: 1 if a link leads nowhere.

    Args:
        root: the project.
        strict: True if the page of the codes must not change, as in CI: nobody would commit it there.
    """
    if write_codes(root) and strict:
        print("docs/reference/codes.md is not what the program says: run `make docs`", file=sys.stderr)
        return 1
    stage(root / "build" / "docs", root)
    program = str(Path(sys.executable).with_name("zensical"))
    environment = {**os.environ, "NO_COLOR": "1"}
    command = [program, "build", "--clean", "--strict"]
    if subprocess.run(command, cwd=root, env=environment, check=False).returncode:
        return 1
    name_languages(root / "build" / "site")
    strangers = loaded_from_elsewhere(root / "build" / "site")
    for one in strangers:
        print(f"loaded from elsewhere: {one}", file=sys.stderr)
    return 1 if strangers else 0


def name_languages(site: Path) -> None:
    """Let a page in another language than the site's say so: its name ends in the language, as NAME.de.html.

    A screen reader takes its voice from that, and a browser offers no translation.
    """
    for page in site.glob("*.??.html"):
        language = page.name.split(".")[-2]
        text = re.sub(r'(<html\b[^>]*\blang=)"?en"?', rf'\1"{language}"', page.read_text(), count=1)
        page.write_text(text)


def loaded_from_elsewhere(site: Path) -> set[str]:
    """Return the addresses that a browser fetches from other servers when it shows a page of the site."""
    return {
        address
        for page in site.rglob("*.html")
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", page.read_text())
        for address in re.findall(r"\b(?:src|href)=[\"']?((?:https?:)?//[^\s\"'>]+)", tag)
    }
