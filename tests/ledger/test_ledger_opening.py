"""One engine in a process for each ledger, whose schema is looked at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from ledger import open_ledgers, store
from ledger.open_ledgers import held_open, opened
from ledger.store import Ledger
from model.errors import Misconfigured

pytestmark = pytest.mark.migrates


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Ledger]]:
    """Every ledger that is opened, and closed again."""
    made: list[Ledger] = []

    class Counted(Ledger):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            made.append(self)
            self.closed = 0

        def close(self) -> None:
            self.closed += 1
            super().close()

    monkeypatch.setattr(open_ledgers, "Ledger", Counted)
    monkeypatch.setattr(open_ledgers, "_open", {})
    yield made
    for one in made:
        one.close()


def closed(ledger: Ledger) -> int:
    return int(getattr(ledger, "closed", -1))


def test_who_opens_it_again_shares_it(
    url: str, engines: list[Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    look = store.migrations.upgrade
    monkeypatch.setattr(store.migrations, "upgrade", lambda engine: (looked.append(engine), look(engine)))
    with opened(url, upgrade=True) as first:
        with opened(url) as second, opened(url, upgrade=True) as third:
            assert first is second is third is held_open(url)
        assert closed(first) == 0
    assert len(engines) == len(looked) == 1


def test_the_last_one_closes_it(url: str, engines: list[Ledger]) -> None:
    with opened(url) as first, pytest.raises(ZeroDivisionError), opened(url):
        raise ZeroDivisionError
    assert closed(first) == 1
    with opened(url) as again:
        assert again is not first
    assert [closed(one) for one in engines] == [1, 1]


def test_what_could_not_be_opened_is_not_kept(
    url: str, engines: list[Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Ledger) -> None:
        raise Misconfigured("ledger", "is older")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "ready", refused)
        with pytest.raises(Misconfigured), opened(url):
            pass
    with opened(url) as ledger:
        assert ledger.mailboxes() == []
    assert [closed(one) for one in engines] == [1, 1]


def test_a_connection_is_kept_for_whoever_asks_next(url: str) -> None:
    """Each leg at work holds one. PostgreSQL starts a process for every new one."""
    ledger = Ledger(url)
    made: list[object] = []
    event.listen(ledger.engine, "connect", lambda connection, _: made.append(connection))
    for _ in range(3):
        held = [ledger.engine.connect() for _ in range(12)]
        for one in held:
            one.close()
    ledger.close()
    assert len(made) == 12


def test_only_a_few_stay_open(tmp_path: Path, engines: list[Ledger]) -> None:
    urls = [f"sqlite:///{tmp_path}/{number}.db" for number in range(open_ledgers.KEPT_MOST + 2)]
    for url in urls:
        assert held_open(url) is held_open(url)
    assert [closed(one) for one in engines] == [1, 1, *[0] * open_ledgers.KEPT_MOST]
