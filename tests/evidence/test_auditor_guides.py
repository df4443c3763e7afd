"""The guides say the same in three languages, and quote the verifier as it speaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evidence import verifier

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = {
    name: (DOCS / name).read_text()
    for name in ("auditors-guide.md", "auditors-guide.de.md", "auditors-guide.fr.md")
}
ENGLISH = GUIDES["auditors-guide.md"]


def blocks(text: str) -> list[str]:
    return re.findall(r"(?ms)^```\n(.*?)^```$", text)


def numbers(text: str) -> list[list[str]]:
    """The table of sample sizes."""
    return re.findall(r"(?m)^\| (\d+) % \| (\d+) \| (\d+) \| (\d+) \|$", text)


@pytest.mark.parametrize("name", GUIDES)
def test_what_the_verifier_says_is_quoted_alike_in_each_language(name: str) -> None:
    text = GUIDES[name]
    assert blocks(text) == blocks(ENGLISH)
    assert numbers(text) == numbers(ENGLISH)
    assert len(re.findall("(?m)^## ", text)) == len(re.findall("(?m)^## ", ENGLISH))
    assert {other for other in GUIDES if f"]({other})" in text} == set(GUIDES) - {name}
    rows = re.findall(r"(?m)^\| (\w[\w ]*?)(?: \(.*?\))? \| (\d) \|", text)
    assert {(word, int(code)) for word, code in rows} == set(zip(verifier.WORDS, range(5), strict=False))


def test_the_verifier_still_speaks_as_it_is_quoted() -> None:
    _, good, bad, _ = blocks(ENGLISH)
    for block, code in ((good, verifier.OK), (bad, verifier.TAMPERED)):
        assert block.endswith(f"{verifier.MEANINGS[code]}\nverdict: {verifier.WORDS[code]}\n")
    source = Path(verifier.__file__).read_text()
    for told in ("time stamp: {why}", "anchor: all that it states is anchored; ", "} was changed"):
        assert told in source


def test_the_quoted_line_has_the_form_of_a_line() -> None:
    line = blocks(ENGLISH)[3].strip().encode()
    assert len(verifier.RESULTS_LINE.findall(line)) == 1


def test_the_table_of_sizes_is_that_of_the_formula() -> None:
    rows = numbers(ENGLISH)
    assert len(rows) == 4
    for share, *sizes in rows:
        for size, confidence in zip(sizes, verifier.CONFIDENCES, strict=True):
            most = int(share) / 100
            assert verifier.most_faulty(int(size), 0, confidence) <= most
            assert verifier.most_faulty(int(size) - 1, 0, confidence) > most


def test_the_options_in_the_guides_are_options_of_the_verifier() -> None:
    source = Path(verifier.__file__).read_text()
    commands = [
        line for text in GUIDES.values() for line in re.findall(r"verify_kogge\.py [^`\n]*--[^`\n]*", text)
    ]
    named = set(re.findall(r"--[a-z-]+", " ".join(commands)))
    assert named == {"--pubkey", "--root", "--report", "--sample", "--word", "--sheet", "--proof"}
    assert all(f'"{option}"' in source for option in named)
