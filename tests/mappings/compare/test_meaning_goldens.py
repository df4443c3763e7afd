"""What the mappings write: nothing of it escapes comparison untold, and a card is the same in 3.0 and 4.0."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from meaning_written import NOT_AFTER, differing

from mappings.compare.semantic_digest import calendar_digest, card_digest
from model.errors import Rejected

GOLDENS = Path(__file__).parents[1] / "goldens"
OBJECTS = sorted([*GOLDENS.rglob("*.ics"), *GOLDENS.rglob("*.vcf")])
CARDS = sorted(GOLDENS.rglob("*.3.vcf"))

UNTOLD = re.compile(
    "PRODID|VERSION|CALSCALE|METHOD|DTSTAMP|CREATED|LAST-MODIFIED|SEQUENCE|REV|X-APPLE-STRUCTURED-LOCATION"
    # defaults
    "|STATUS:(CONFIRMED|NEEDS-ACTION)|CLASS:PUBLIC|TRANSP:OPAQUE|PRIORITY:0|ACTION:DISPLAY|PERCENT-COMPLETE:(0|100)"
    "|X-MICROSOFT-CDO-BUSYSTATUS:(BUSY|FREE|TENTATIVE)|DTEND;VALUE=DATE"
    # an N without any name
    "|N:;;;;"
    # an organizer who comes; the text of an alarm
    "|ATTENDEE;.*PARTSTAT=ACCEPTED|DESCRIPTION:"
)


def unfolded(body: bytes) -> list[bytes]:
    return re.sub(rb"\r\n[ \t]", b"", body).split(b"\r\n")


def one_less(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Every property, and the object without it; those of zones apart."""
    lines, inside = unfolded(body), ""
    for index, line in enumerate(lines):
        if line == b"BEGIN:VTIMEZONE" or line == b"END:VTIMEZONE":
            inside = "zone" if line.startswith(b"BEGIN") else ""
        if line and not inside and not line.startswith((b"BEGIN:", b"END:")):
            yield line.decode(), b"\r\n".join(lines[:index] + lines[index + 1 :])


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.relative_to(GOLDENS).as_posix())
def test_nothing_that_is_written_goes_unseen(path: Path) -> None:
    body = path.read_bytes()
    digest = card_digest if path.suffix == ".vcf" else calendar_digest
    whole = digest(io.BytesIO(body), NOT_AFTER)
    unseen = []
    for line, rest in one_less(body):
        try:
            same = digest(io.BytesIO(rest), NOT_AFTER) == whole
        except Rejected:
            continue
        if same and not UNTOLD.match(line):
            unseen.append(line)
    assert unseen == []


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.name)
def test_a_card_means_the_same_in_both_versions(path: Path) -> None:
    modern = path.with_name(path.name.replace(".3.vcf", ".4.vcf")).read_bytes()
    if b"^'" in modern:  # a quotation mark in a parameter, which 3.0 cannot write
        assert differing(path.read_bytes(), modern) == ("members",)
    else:
        assert differing(path.read_bytes(), modern) == ()


def test_there_are_objects_of_every_kind() -> None:
    assert {path.relative_to(GOLDENS).parts[0] for path in OBJECTS} >= {"event", "task", "contact"}
    assert len(CARDS) > 5
