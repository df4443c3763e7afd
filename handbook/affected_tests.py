"""Choose the tests that a change can affect: `python -m handbook.affected_tests BASE`.

A test is affected by each file that it reaches by imports, late ones and those of its `conftest.py` among
them. Names of modules in texts count as imports, since tables name modules. A file that is no Python
affects the tests that reach a module which names it, or its folder, and lies below the same folder of the
project; tests of all folders and the handbook may name any file. What is chosen is rather too much than too
little: a landing runs all tests anyway.

One thing is left out: what `tests/conftest.py` imports of the product, since each test would reach it. It
prepares ledgers and practice servers for the tests that use them, and these reach them by themselves.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from handbook.site import ROOT

ALWAYS = ("tests/test_layout.py", "tests/handbook")
"""Tests that read all sources, or all pages."""
FOR_ALL = "tests/conftest.py"
EVERYTHING = frozenset({"pyproject.toml", "uv.lock", "Makefile", FOR_ALL})
"""Files whose change affects every test."""
STARTS = re.compile(r"\bsubprocess\b|\bexecutable\b")
WORDS = 200
"""A text that is longer names no module and no file."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a checkout, and how its tests find modules.

    Attributes:
        root: the checkout's folder.
        files: all files under version control, as paths from the root.
        roots: folders whose modules are imported by their bare names.
        programs: the module that each console script runs.
    """

    root: Path
    files: tuple[str, ...]
    roots: tuple[str, ...]
    programs: Mapping[str, str]

    @classmethod
    def read(cls, root: Path = ROOT) -> Tree:
        """Read what Git and pyproject.toml say of a checkout."""
        project = tomllib.loads((root / "pyproject.toml").read_text())
        roots = project["tool"]["pytest"]["ini_options"]["pythonpath"]
        scripts = project["project"]["scripts"]
        programs = {name: target.partition(":")[0] for name, target in scripts.items()}
        return cls(root, tuple(_git(root, "ls-files")), (*roots, ""), programs)

    def modules(self) -> dict[str, str]:
        """Return the file of each module by every name under which it can be imported."""
        found: dict[str, str] = {}
        for root in self.roots:
            for file in self.files:
                if file.endswith(".py") and file.startswith(f"{root}/" if root else ""):
                    inner = PurePosixPath(file).relative_to(root or ".").with_suffix("")
                    found.setdefault(".".join(inner.parts).removesuffix(".__init__"), file)
        return found


class Reach:
    """Which files each file reaches."""

    def __init__(self, tree: Tree) -> None:
        """Prepare for the files of a checkout."""
        self._tree = tree
        self._modules = tree.modules()
        self._files = frozenset(tree.files)
        self._next = cache(self._read)
        self._for_all = self._closure([FOR_ALL] if FOR_ALL in self._files else [], "tests/")

    def of(self, file: str) -> frozenset[str]:
        """Return the Python files that a test file reaches, itself among them."""
        return self._closure([file, *self._conftests(file)], "") | self._for_all

    def words(self, file: str) -> frozenset[str]:
        """Return the words of a file's texts."""
        return self._next(file)[1]

    def _closure(self, files: list[str], below: str) -> frozenset[str]:
        """Return what files reach among the files below a folder."""
        ahead, seen = files, set[str]()
        while ahead:
            if (one := ahead.pop()) not in seen and one.startswith(below):
                seen.add(one)
                ahead += self._next(one)[0]
        return frozenset(seen)

    def _conftests(self, file: str) -> list[str]:
        named = [str(folder / "conftest.py") for folder in PurePosixPath(file).parents]
        return [one for one in named if one in self._files and one != FOR_ALL]

    def _read(self, file: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return the files that a file imports or names, and the words of its texts."""
        files, words = set[str](), set[str]()
        text = (self._tree.root / file).read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                files.update(self._imported(file, node))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= WORDS:
                words.update(node.value.split("/"))
                files.update(self._named(node.value, text))
        return frozenset(files), frozenset(words)

    def _imported(self, file: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        else:
            names = [f"{node.module}.{one.name}" for one in node.names] + [node.module or ""]
        for name in names:
            beside = str(PurePosixPath(file).parent / (name.replace(".", "/") + ".py"))
            yield from {beside} & self._files
            yield from self._with_packages(name)

    def _named(self, word: str, text: str) -> Iterator[str]:
        """Yield the file of a module that a word of a text names, as `module` or `module:thing`.

        The name of a console script stands for its module in a file that starts processes.
        """
        if word in self._tree.programs and STARTS.search(text):
            yield from self._with_packages(self._tree.programs[word])
        yield from self._with_packages(word.partition(":")[0])

    def _with_packages(self, name: str) -> Iterator[str]:
        """Yield the file of a module and those of the packages around it: they are imported before."""
        if name in self._modules:
            parts = name.split(".")
            names = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
            yield from (self._modules[one] for one in names if one in self._modules)


def affected(tree: Tree, changed: Iterable[str]) -> list[str]:
    """Return the test files that changed files can affect.

    Args:
        tree: the checkout after the change.
        changed: paths from the root of the checkout; those that are gone are among them.
    """
    paths = {*changed}
    tests = [one for one in tree.files if one.startswith("tests/") and _is_test(one)]
    if paths & EVERYTHING:
        return tests
    reach = Reach(tree)
    readers = _readers(tree, reach, (one for one in paths if not one.endswith(".py")))
    return [one for one in tests if one.startswith(ALWAYS) or reach.of(one) & (paths | readers)]


def _is_test(file: str) -> bool:
    return PurePosixPath(file).match("test_*.py")


def _readers(tree: Tree, reach: Reach, data: Iterable[str]) -> set[str]:
    """Return the Python files that may read these files, by the words of their texts."""
    python = [one for one in tree.files if one.endswith(".py")]
    found = set[str]()
    for file in data:
        path = PurePosixPath(file)
        names = {path.name, path.stem, f"*{path.suffix}", f"**/*{path.suffix}", *path.parent.parts}
        near = ("tests/", "handbook/", f"{path.parts[0]}/")
        found |= {one for one in python if one.startswith(near) and reach.words(one) & names}
    return found


def _git(root: Path, *words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def changed_since(base: str, root: Path = ROOT) -> list[str]:
    """Return the files that differ from where this checkout left a branch, also those not yet committed.

    Args:
        base: the name of the branch, or a commit.
        root: the checkout's folder.
    """
    (fork,) = _git(root, "merge-base", base, "HEAD")
    tracked = _git(root, "diff", "--name-only", "--no-renames", fork)
    return [*tracked, *_git(root, "ls-files", "--others", "--exclude-standard")]


def main() -> None:
    """Print the affected test files of this checkout, one a line."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit("usage: python -m handbook.affected_tests BASE   (a branch, or a commit)")
    try:
        changed = changed_since(sys.argv[1])
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{sys.argv[1]}: git says: {error.stderr.strip()}") from None
    print("\n".join(affected(Tree.read(), changed)))


if __name__ == "__main__":
    main()
