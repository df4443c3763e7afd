"""A practice eXo with two users, and targets on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from agenda_desk import PASSWORD_ENV, Desk
from servers.exo.agenda import USER_PASSWORD, ExoAgenda


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with ExoAgenda(["anna", "bert"]) as exo:
        made = Desk(exo)
        yield made
        made.close()
