"""What has a name in a folder, and folders that nothing is in: seen and removed by the target alone."""

from __future__ import annotations

import pytest
from files_desk import Desk, file, folder
from results import stored

from model.errors import Blocked


def test_every_name_is_told_folders_too(desk: Desk) -> None:
    target = desk.target()
    assert target.ensure(folder("A", "B")) == "/A/B"
    stored(target.write("/A", [file("a", b"a")]))
    assert sorted(target.names("/A")) == ["B", "file a.txt"]
    assert list(target.names("")) == ["A"]
    with pytest.raises(Blocked, match="no longer there"):
        list(target.names("/X"))


def test_only_what_is_empty_goes(desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("A", "B"))
    stored(target.write("/A/B", [file("a", b"a")]))
    assert not target.clear("/A/B")
    assert not target.clear("/A")
    assert not target.clear("")
    assert [one.id for one in target.containers()] == ["", "/A", "/A/B"]
    target.ensure(folder("A", "C"))
    assert target.clear("/A/C")
    assert target.clear("/A/C")
    assert [one.id for one in target.containers()] == ["", "/A", "/A/B"]


def test_what_was_cleared_can_be_made_anew(desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("A"))
    assert target.clear("/A")
    assert target.ensure(folder("A")) == "/A"
    assert [one.id for one in desk.target().containers()] == ["", "/A"]


def test_in_the_live_phase_nothing_goes(desk: Desk) -> None:
    desk.target().ensure(folder("A"))
    with pytest.raises(Blocked, match="works there"):
        desk.target(live=True).clear("/A")
