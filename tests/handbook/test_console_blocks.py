"""The commands of a guide are read, and what they print is compared with what the guide shows."""

from __future__ import annotations

import pytest

from handbook.console_blocks import blocks, difference

GUIDE = """\
# A guide

```console
$ kogge check --wave pilot
line  wave
…
$ kogge approve \\
    --wave pilot
```

<!-- exit code 1 -->
```console
$ kogge status
```

<!-- not run: it needs a real server -->
```console
$ kogge worker
```

```
$ not a block of a terminal
```
"""


def test_blocks_and_their_commands_are_read_in_order() -> None:
    first, second, third = blocks(GUIDE)
    check, approve = first.commands
    assert (check.line, check.text, check.shown, check.code) == (
        4,
        "kogge check --wave pilot",
        ("line  wave", "…"),
        0,
    )
    assert (approve.text, approve.shown) == ("kogge approve \\\n    --wave pilot", ())
    assert [one.code for one in second.commands] == [1]
    assert third.reason == "it needs a real server"


@pytest.mark.parametrize("note", ["exit 1", "run it"])
def test_an_unknown_comment_above_a_block_is_an_error(note: str) -> None:
    with pytest.raises(ValueError, match="unknown comment"):
        blocks(f"<!-- {note} -->\n```console\n$ kogge status\n```\n")


def test_a_block_without_a_command_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no line"):
        blocks("```console\nkogge status\n```\n")


PRINTED = """\
wave pilot: 25 of 25 workloads
m-1f4ce926  mail   verified    80   799.4 kB
m-2f4ce926  mail   verified   100     1.2 MB

every item is accounted for
"""


@pytest.mark.parametrize(
    "shown",
    [
        [],
        ["…"],
        ["wave pilot: 5 of 5 workloads", "…", "every item is accounted for"],
        ["…", "m-00000000  mail  verified  7  9 kB", "…"],
        ["wave …: … workloads", "m-00000000 mail … kB", "m-00000000 … MB", "every item is accounted for"],
    ],
)
def test_numbers_ids_widths_and_what_an_ellipsis_stands_for_are_not_compared(shown: list[str]) -> None:
    assert difference(shown, PRINTED) == ""


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (["every item is accounted for"], "every item is accounted for"),
        (["…", "NOT every item is accounted for"], "NOT every item is accounted for"),
        (
            ["…", "every item is accounted for", "…", "wave pilot: 1 of 1 workloads"],
            "wave pilot: 0 of 0 workloads",
        ),
        (["wave pilot: 1 of 1 workloads"], "the end; it went on with: m-0 mail verified 0 0"),
    ],
)
def test_what_is_shown_and_was_not_printed_is_named(shown: list[str], missing: str) -> None:
    assert difference(shown, PRINTED) == missing
