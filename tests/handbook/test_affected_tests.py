"""Which tests a change can affect."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from handbook.affected_tests import EVERYTHING, Tree, affected, changed_since
from handbook.site import ROOT

FILES = {
    "model/__init__.py": "",
    "model/noun.py": "",
    "model/words/noun.toml": "",
    "model/read.py": "WORDS = 'words'",
    "engine/__init__.py": "",
    "engine/walk.py": "def walk():\n    from model import noun\n",
    "engine/other.py": "",
    "kogge/__init__.py": "",
    "kogge/start.py": "TABLE = {'walk': 'engine.walk:walk'}",
    "docs/guide.md": "",
    "tests/conftest.py": "import shared\nfrom engine import other",
    "tests/support/shared.py": "",
    "tests/support/started.py": "import subprocess\nNAME = 'kogge'",
    "tests/one/conftest.py": "from engine import other",
    "tests/one/test_own.py": "",
    "tests/two/harness.py": "import started",
    "tests/two/test_process.py": "from harness import anything",
    "tests/two/test_words.py": "from model.read import WORDS",
    "tests/two/test_page.py": "PAGE = 'docs/guide.md'",
    "tests/two/test_nothing.py": "WORD = 'kogge'",
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Tree(tmp_path, tuple(FILES), ("tests", "tests/support", ""), {"kogge": "kogge.start"})


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ("engine/other.py", ["own"]),
        ("model/noun.py", ["process"]),
        ("model/__init__.py", ["process", "words"]),
        ("tests/two/harness.py", ["process"]),
        ("tests/two/test_nothing.py", ["nothing"]),
        ("model/words/noun.toml", ["words"]),
        ("docs/guide.md", ["page"]),
        ("docs/gone.md", ["page"]),
        ("tests/support/shared.py", ["own", "process", "words", "page", "nothing"]),
        ("uv.lock", ["own", "process", "words", "page", "nothing"]),
    ],
)
def test_a_change_affects_what_reaches_it(tree: Tree, changed: str, names: list[str]) -> None:
    found = affected(tree, [changed])
    assert sorted(Path(one).stem.removeprefix("test_") for one in found) == sorted(names)


def test_what_is_not_committed_is_a_change(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@a.example"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "main")
    for name in ("same", "moved", "edited"):
        (tmp_path / name).write_text(name)
    git("add", ".")
    git("commit", "-m", "all")
    git("switch", "-c", "mine")
    git("mv", "moved", "elsewhere")
    git("commit", "-m", "mine")
    (tmp_path / "edited").write_text("otherwise")
    (tmp_path / "new").write_text("new")
    assert sorted(changed_since("main", tmp_path)) == ["edited", "elsewhere", "moved", "new"]


def test_this_checkout_reaches_what_it_should() -> None:
    tree = Tree.read()
    assert {*tree.files} >= EVERYTHING
    read = affected(tree, ["ledger/leg/matching.py"])
    for name in ("tests/process/test_killed.py", "tests/crash/test_every_step.py", "tests/test_layout.py"):
        assert name in read, "through a process, through imports, and always"
    assert "tests/mappings/test_fidelity.py" not in read
    codes = affected(tree, ["model/codes/mailbox.toml"])
    assert len(codes) > 300, "most tests reach them through errors"
    assert ROOT.samefile(tree.root)
