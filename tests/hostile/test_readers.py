"""What reads a stranger's mail, page, appointment or card takes no time that grows with the square of it."""

from __future__ import annotations

import pytest
from hostile_runs import survives


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", ["mails", "others"])
def test_every_reader_is_linear_in_hostile_input(group: str) -> None:
    assert survives("hostile.readers", group)
