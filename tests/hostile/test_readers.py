"""What reads a stranger's mail, page, appointment or card takes no time that grows with the square of it."""

from __future__ import annotations

import pytest
from hostile_runs import survives


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", ["mails", "others"])
def test_every_reader_is_linear_in_hostile_input(group: str) -> None:
    assert survives("hostile.readers", group)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", ["mails", "others"])
def test_input_of_200_kb_takes_twice_as_long(group: str) -> None:
    assert survives("hostile.readers", group, "200000")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_mail_of_a_megabyte_takes_ten_times_as_long() -> None:
    """As anybody may send it."""
    assert survives("hostile.readers", "mails", "1000000")
