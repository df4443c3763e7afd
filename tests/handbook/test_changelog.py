"""Entries of the changelog: each can be read, and a release has all of them, by kind and area."""

from __future__ import annotations

from pathlib import Path

import pytest

from handbook import changelog

FIRST_LINE = 160
"""Characters of an entry's first line, at most."""
CURRENT = "# Changelog\n\n## Unreleased\n\nSee changelog/unreleased.\n\n## 0.1.0\n\nThe first version.\n"


def test_every_entry_of_the_next_release_can_be_read() -> None:
    """Its first line is one plain sentence, as a list of changes shows it; the rest is its text."""
    found = changelog.entries(changelog.ROOT / "changelog/unreleased")
    assert found
    lines = [f"{changelog.KINDS[one.kind]}, {one.area}: {one.title}" for one in found]
    assert [line for line in lines if len(line) > FIRST_LINE] == []


def test_what_is_unreleased_stands_in_entries_and_not_in_the_file() -> None:
    text = (changelog.ROOT / "CHANGELOG.md").read_text()
    note = text.partition(changelog.BEGIN)[2].partition("\n## ")[0]
    assert len(note.strip().splitlines()) <= 3, "move it to a file of changelog/unreleased"


def test_a_release_has_the_entries_by_kind_and_area(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Fix, imap: Copy it once\n\nIt was copied twice.\n")
    (tmp_path / "b.md").write_text("Security, hooks: Refuse it\n")
    (tmp_path / "c.md").write_text("Fix, ews: Ask again\n")
    assert changelog.release(CURRENT, "0.2.0", "2027-01-31", changelog.entries(tmp_path)) == (
        "# Changelog\n\n## Unreleased\n\nSee changelog/unreleased.\n\n## 0.2.0 (2027-01-31)\n\n"
        "### Security\n\n- **hooks: Refuse it**\n\n"
        "### Fix\n\n- **ews: Ask again**\n- **imap: Copy it once**\n\n  It was copied twice.\n\n\n"
        "## 0.1.0\n\nThe first version.\n"
    )


@pytest.mark.parametrize("content", ["", "Bug, imap: what\n", "Fix: what\n", "Fix, imap: what\nat once\n"])
def test_another_form_is_named_with_its_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "odd.md").write_text(content)
    with pytest.raises(ValueError, match=r"odd\.md"):
        changelog.entries(tmp_path)
