"""No regular expression of the program takes time that grows with the square of what a stranger sends.

`re` holds the interpreter's lock: while one runs, nobody renews a lease.
"""

from __future__ import annotations

import pytest
from hostile.expressions import expressions
from hostile_runs import survives


def test_the_expressions_are_found() -> None:
    places = {one.where.partition(" ")[0].partition(":")[0] for one in expressions()}
    assert {
        "mappings/mail/canonical.py",
        "mappings/contacts/communication.py",
        "connectors/imap/wire/connection.py",
    } <= places
    assert len(places) > 40


@pytest.mark.timeout(3600)
def test_every_expression_is_linear_in_hostile_text() -> None:
    assert survives("hostile.expressions")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_text_of_200_kb_takes_twice_as_long() -> None:
    assert survives("hostile.expressions", "200000")
