"""How many older versions of each file the target should have: as intended, unless it told otherwise."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from ledger_world import begin, mapped, page, ref

from ledger.db.rows import ContainerRow
from ledger.leg.leg_session import LegLedger
from model.file_versions import Older
from model.kinds import Kind
from model.protocols import Mapped, Stored, key_of

A, B = key_of("a"), key_of("b")


def file(key: bytes, versions: int, *, replaces: Stored | None = None) -> Mapped:
    one = mapped(key)
    older = (Older(b"x" * 32, 1, io.BytesIO),) * versions
    return replace(one, item=replace(one.item, kind=Kind.FILES, versions=older, replaces=replaces))


@pytest.fixture
def begun(session: LegLedger, inbox: ContainerRow) -> int:
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    begin(session, inbox.id, [A, B], ":0")
    return inbox.id


def test_what_is_intended_is_expected_until_the_target_tells(session: LegLedger, begun: int) -> None:
    session.intend(begun, [file(A, 3), file(B, 0)])
    assert session.versions.of(begun) == {A: 3}
    session.settle(begun, [Stored(A, "a"), Stored(B, "b")])
    assert session.versions.of(begun) == {A: 3}


def test_what_the_target_tells_is_expected(session: LegLedger, begun: int) -> None:
    session.intend(begun, [file(A, 3), file(B, 2)])
    session.settle(begun, [Stored(A, "a", versions=1), Stored(B, "b", versions=0)])
    assert session.versions.of(begun) == {A: 1}


def test_who_begins_again_means_it_anew(session: LegLedger, begun: int) -> None:
    session.intend(begun, [file(A, 3), file(B, 2)])
    session.intend(begun, [file(A, 1), file(B, 0)])
    assert session.versions.of(begun) == {A: 1}


def test_what_replaces_a_file_leaves_it_its_versions(session: LegLedger, begun: int) -> None:
    session.intend(begun, [file(A, 3)])
    session.intend(begun, [file(A, 0, replaces=Stored(A, "a"))])
    assert session.versions.of(begun) == {A: 3}
