"""The guides say the same in three languages, and quote the verifier as it speaks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from evidence import verifier
from kogge.audit.audit import audit

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
    good, bad = (one for one in blocks(ENGLISH) if "verdict: " in one)
    for block, code in ((good, verifier.OK), (bad, verifier.TAMPERED)):
        assert block.endswith(f"{verifier.MEANINGS[code]}\nverdict: {verifier.WORDS[code]}\n")
    source = Path(verifier.__file__).read_text()
    for told in (
        "there is no time stamp in the pack, which needs none{request}",
        "; {REQUEST} is the request for one",
        "anchor: all that it states is anchored; ",
        "} was changed",
    ):
        assert told in source


def test_the_quoted_line_has_the_form_of_a_line() -> None:
    line = blocks(ENGLISH)[-1].strip().encode()
    assert len(verifier.RESULTS_LINE.findall(line)) == 1


def test_the_table_of_sizes_is_that_of_the_formula() -> None:
    rows = numbers(ENGLISH)
    assert len(rows) == 4
    for share, *sizes in rows:
        for size, confidence in zip(sizes, verifier.CONFIDENCES, strict=True):
            most = int(share) / 100
            assert verifier.most_faulty(int(size), 0, confidence) <= most
            assert verifier.most_faulty(int(size) - 1, 0, confidence) > most


def commands(text: str, program: str) -> list[list[str]]:
    """The arguments of each command of a page, as a shell gives them; a long one is broken over lines."""
    lines = [*re.findall("(?m)^(?:    )?(kogge .*|python .*|curl .*)$", text.replace("\\\n", ""))]
    words = [
        shlex.split(line.partition("  # ")[0])
        for line in [*lines, *re.findall(r"`([^`\n]+)`", text)]
        if program in line and (line in lines or " --" in line) and line.count("'") % 2 == 0
    ]
    found = [one[len(program.split()) :] for one in words if one[: len(program.split())] == program.split()]
    root = "0" * 64
    return [[root if word == "HEX" or word.startswith("35542d09") else word for word in one] for one in found]


PAGES = {name: (DOCS / name).read_text() for name in (*GUIDES, "evidence.md")}


@pytest.mark.parametrize("name", PAGES)
def test_the_verifier_takes_the_commands_of_a_page_as_they_stand(name: str) -> None:
    found = commands(PAGES[name], "python -I verify_kogge.py")
    assert len(found) >= 3
    for arguments in found:
        assert verifier.parse_options("verify_kogge.py", arguments).pubkey == ["operator.pub"]


@pytest.mark.parametrize("name", PAGES)
def test_a_command_of_a_page_lacks_no_option_that_it_needs(name: str) -> None:
    found = commands(PAGES[name], "kogge audit")
    assert {one[0] for one in found} >= {"locate", "prove", "reconcile", "keys"}
    for arguments in found:
        command, rest = get_command(audit), arguments
        while hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(arguments[0], rest)


@pytest.mark.parametrize("name", GUIDES)
def test_the_proof_in_a_guide_says_of_which_message_it_is(name: str) -> None:
    proofs = [one for one in commands(GUIDES[name], "python -I verify_kogge.py") if "--proof" in one]
    assert len(proofs) == 1
    assert {"--message-id", "--keys"} <= set(proofs[0])
