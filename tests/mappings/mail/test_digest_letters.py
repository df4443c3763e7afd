"""Every kind of practice letter: its two renderings are equal by the tolerant digest, no two kinds are."""

from __future__ import annotations

import io

import pytest

from mappings.mail.digest import canonical, tolerant
from practice.mail.letters import Letter, Scene
from practice.mail.recipes import RECIPES
from practice.world.people import Directory


def letter(name: str) -> Letter:
    people = Directory(7, 10)
    return RECIPES[name](Scene("one key", people.at(3), people))


def soft(raw: bytes) -> bytes:
    return tolerant(io.BytesIO(raw))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_re_read_of_a_rebuilt_message_is_equal(name: str) -> None:
    one = letter(name)
    assert soft(one.mime(0)) == soft(one.mime(1))
    assert soft(one.mime(0)) != soft(one.mime(0).replace(b"Subject:", b"Subject: x", 1) + b"x")


def test_different_letters_differ() -> None:
    # empty_body is no_end_of_headers with the blank line that ends the headers
    raws = [letter(name).mime() for name in RECIPES if name != "no_end_of_headers"]
    forms = {canonical(io.BytesIO(raw)).digest for raw in raws}
    assert len({soft(raw) for raw in raws}) == len(forms)
