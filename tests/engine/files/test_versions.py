"""Files move with what they were before, as many as are wanted; what stays is named, what goes is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dying import Countdown
from share_office import Office, opened
from sqlalchemy import event
from walking import Died

from connectors.http.client import HttpClient
from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Outcome, Phase
from practice.drive.drive import Node

FIRST = datetime(2021, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NAME = "Akte.txt"
LASTING = {"commit", "PUT done", "MOVE done", "DELETE done"}


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with opened(tmp_path, monkeypatch) as made:
        made.versions = 2
        yield made


def save(office: Office, *contents: bytes) -> Node:
    """Once a day."""
    for data in contents:
        there = office.drive.root.children.get(NAME)
        date = FIRST if there is None else there.modified + DAY
        node = office.drive.write(office.drive.root, NAME, data, date)
    return node


def verified(office: Office) -> None:
    result = office.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None), office.findings()


def kept(office: Office) -> list[tuple[int, bytes]]:
    """The older versions at the target, by days since the first save."""
    found = office.cloud.shelves["anna"].history.older((NAME,))
    return [((datetime.fromtimestamp(date, UTC) - FIRST) // DAY, data) for date, data in found.items()]


def current(office: Office) -> bytes:
    return office.cloud.shelves["anna"].real((NAME,)).read_bytes()


def written(office: Office, since: int) -> set[str]:
    """The requests that change files, from one on."""
    return {one.method for one in office.cloud.requests[since:]} & {"PUT", "MOVE", "POST", "DELETE"}


def test_the_newest_ones_move_and_the_others_are_named(office: Office) -> None:
    save(office, b"one", b"two", b"three", b"four")
    verified(office)
    assert (kept(office), current(office)) == ([(1, b"two"), (2, b"three")], b"four")
    assert office.losses("versions") == ["left-behind"]
    since = len(office.cloud.requests)
    verified(office)
    assert written(office, since) == set()


def test_all_of_them_move_where_so_many_are_wanted(office: Office) -> None:
    save(office, b"one", b"two", b"three")
    verified(office)
    assert kept(office) == [(0, b"one"), (1, b"two")]
    assert office.losses("versions") == []
    assert office.run(Task(Level.BOTH, copy=False)).state is LegState.VERIFIED


def test_none_moves_unless_it_is_wanted(office: Office) -> None:
    office.versions = 0
    save(office, b"one", b"two")
    verified(office)
    assert (kept(office), current(office), office.losses("versions")) == ([], b"two", [])


def test_what_changes_between_two_passes_becomes_a_version_by_itself(office: Office) -> None:
    save(office, b"one", b"two")
    verified(office)
    save(office, b"three")
    verified(office)
    assert (kept(office), current(office)) == ([(0, b"one"), (1, b"two")], b"three")
    assert office.losses("versions") == []


def test_what_changes_from_pass_to_pass_is_all_there(office: Office) -> None:
    save(office, b"one")
    for data in (b"two", b"three", b"four"):
        verified(office)
        save(office, data)
    verified(office)
    assert (kept(office), current(office)) == ([(0, b"one"), (1, b"two"), (2, b"three")], b"four")
    assert office.losses("versions") == []


def test_what_stayed_behind_is_still_named_under_another_name(office: Office) -> None:
    node = save(office, b"one", b"two", b"three", b"four")
    verified(office)
    office.drive.rename(node, "Neu.txt")
    verified(office)
    assert office.losses("versions") == ["left-behind"]


def test_what_was_saved_twice_in_between_is_named(office: Office) -> None:
    save(office, b"one")
    verified(office)
    save(office, b"two", b"three")
    verified(office)
    assert (kept(office), current(office)) == ([(0, b"one")], b"three")
    assert office.losses("versions") == ["left-behind"]


def test_one_that_the_source_spoils_stays(office: Office) -> None:
    office.drive.spoil(save(office, b"one", b"two", b"three"), 1, infected=True)
    verified(office)
    assert (kept(office), office.losses("versions")) == ([(1, b"two")], ["left-behind"])


def test_one_that_the_target_drops_later_is_found_and_nothing_is_written_for_it(office: Office) -> None:
    node = save(office, b"one", b"two", b"three")
    verified(office)
    shelf, since = office.cloud.shelves["anna"], len(office.cloud.requests)
    shelf.history.forget((NAME,), int(FIRST.timestamp()))
    for task in (Task(copy=False), Task(), Task(copy=False)):
        assert office.run(task).state is not LegState.VERIFIED
        assert office.findings() == [(Outcome.DIFFERS, office.key(node), "versions")]
    assert written(office, since) == set()


def test_what_arrives_late_has_none(office: Office) -> None:
    save(office, b"one", b"two")
    office.ledger.set_phase(office.id, Phase.LIVE, "test")
    office.run()
    assert (kept(office), current(office)) == ([], b"two")
    assert office.losses("versions") == ["left-behind"]


def test_a_file_that_got_lost_at_the_target_comes_with_its_versions_again(office: Office) -> None:
    save(office, b"one", b"two")
    verified(office)
    office.cloud.shelves["anna"].remove((NAME,))
    for _ in range(2):
        office.run()
    verified(office)
    assert (kept(office), current(office)) == ([(0, b"one")], b"two")


def test_a_full_account_goes_on_where_it_stopped(office: Office) -> None:
    save(office, b"one" * 20, b"two" * 100)
    shelf = office.cloud.shelves["anna"]
    shelf.quota = 150
    assert office.run().code == "over-quota"
    shelf.quota = None
    office.ledger.requeue()
    verified(office)
    assert (kept(office), current(office)) == ([(0, b"one" * 20)], b"two" * 100)


def interrupted(office: Office, monkeypatch: pytest.MonkeyPatch, count: Countdown) -> None:
    """One run, which may die before and after every request to the target, and before every commit."""
    sent = HttpClient._send

    def step(client: HttpClient, method: str, *rest: Any) -> Any:
        count(method)
        response = sent(client, method, *rest)
        try:
            count(f"{method} done")
        except Died:
            response.close()
            raise
        return response

    def commit(connection: Any) -> None:
        if connection.get_execution_options().get("writes"):
            count()

    event.listen(office.ledger.engine, "commit", commit)
    with monkeypatch.context() as patch, suppress(Died):
        patch.setattr(HttpClient, "_send", step)
        office.run()
    event.remove(office.ledger.engine, "commit", commit)


def state(office: Office) -> Any:
    root = office.cloud.shelves["anna"].real(())
    files = {one.relative_to(root).as_posix(): one.read_bytes() for one in root.rglob("*") if one.is_file()}
    return files, kept(office), office.losses("versions")


def dies(folder: Path, monkeypatch: pytest.MonkeyPatch, lasting: set[str] | None) -> int:
    """At every step, or before the commits and after the requests that last; returns at how many."""
    counted, wanted, moments = Countdown(), None, [0]
    for number in moments:
        where = folder / str(number)
        where.mkdir()
        with opened(where, monkeypatch) as office:
            office.versions = 2
            save(office, b"one", b"two", b"three", b"four")
            interrupted(office, monkeypatch, Countdown(number) if number else counted)
            if not number:
                steps = counted.steps
                moments += [at for at, step in enumerate(steps, 1) if lasting is None or step in lasting]
                wanted = state(office)
                continue
            result = office.run()
            if result.state is not LegState.VERIFIED:
                result = office.run()
            assert (result.state, result.code) == (LegState.VERIFIED, None), counted.steps[number - 1]
            assert state(office) == wanted, f"died at step {number}: {counted.steps[number - 1]}"
    return len(moments)


def test_dying_at_every_lasting_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on leaves the same files with the same versions, and nothing else."""
    assert dies(tmp_path, monkeypatch, LASTING) > 15


@pytest.mark.soak
def test_dying_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dies(tmp_path, monkeypatch, None) > 40
