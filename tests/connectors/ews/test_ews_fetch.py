"""Items by EWS from a scripted server: batches, order, faults of single items."""

from __future__ import annotations

import gzip
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from ews_responder import (
    Answer,
    Request,
    envelope,
    error,
    fault,
    item,
    items,
    message,
    responder,
    root_folder,
)
from ews_scripts import BODIES, INBOX, REFS, Open, expected, flawed, friendly, outcome, unwrapped

from model.errors import Blocked, Transient
from model.protocols import Native, Ref, key_of


def test_items_arrive_with_their_bytes(source: Open) -> None:
    with responder(friendly) as server:
        found = list(source(server).fetch(INBOX, REFS))
        assert outcome(iter(found)) == expected()
        assert all(isinstance(one, Native) and one.ref.version == "K1" for one in found)
        assert len(server.of("GetItem")) == 1
        xml = server.requests[0].xml
        assert "<t:PrimarySmtpAddress>anna@example.org</t:PrimarySmtpAddress>" in xml
        assert server.requests[0].headers["User-Agent"] == "Kogge"


def test_properties_without_bodies(source: Open) -> None:
    with responder(friendly) as server:
        found = list(source(server).fetch(INBOX, REFS, bodies=False))
        assert len(found) == len(REFS)
        assert all(isinstance(one, Native) and one.body is None for one in found)
        assert not server.requests[0].mime


def test_batches_are_made_by_bytes_and_by_count(source: Open) -> None:
    with responder(friendly) as server:
        refs = [Ref(ref.id, "", size=3_000_000) for ref in REFS]
        assert outcome(source(server).fetch(INBOX, refs)) == expected()
        assert [len(one.ids) for one in server.requests] == [3, 3, 3, 1]
    with responder(friendly) as server:
        assert outcome(source(server, batch_items=4).fetch(INBOX, REFS)) == expected()
        assert [len(one.ids) for one in server.requests] == [4, 4, 2]


def test_order_means_nothing(source: Open) -> None:
    def script(request: Request, _: int) -> Answer:
        parts = [item(one, BODIES[one]) for one in reversed(request.ids)]
        return Answer(envelope("GetItem", *parts, item("stranger", b"not asked for"), parts[0]))

    with responder(flawed(script)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected()


def test_one_vanished_item_is_named_among_others(source: Open) -> None:
    with responder(flawed(lambda _, __: None)) as server:
        refs = [*REFS[:5], Ref("gone", ""), *REFS[5:]]
        assert outcome(source(server).fetch(INBOX, refs)) == {**expected(), key_of("gone"): "vanished"}
        assert len(server.requests) == 1


def test_busy_items_are_asked_for_again_alone_after_the_delay(source: Open) -> None:
    def script(request: Request, number: int) -> Answer | None:
        if number:
            return None
        busy = error("GetItem", "ErrorServerBusy", {"BackOffMilliseconds": "300"})
        return Answer(
            envelope(
                "GetItem",
                *(busy if one in {"id3=", "id7="} else item(one, BODIES[one]) for one in request.ids),
            )
        )

    with responder(flawed(script)) as server:
        began = time.monotonic()
        assert outcome(source(server).fetch(INBOX, REFS)) == expected()
        assert time.monotonic() - began >= 0.3
        assert server.requests[1].ids == ["id3=", "id7="]


@pytest.mark.parametrize("length", [True, False])
def test_a_cut_reply_costs_only_what_was_not_whole(source: Open, length: bool) -> None:
    whole = {id_: body * 20_000 for id_, body in BODIES.items()}

    def script(request: Request) -> Answer:
        if request.operation != "GetItem":
            return root_folder()
        answer = items(request, whole)
        if len(seen) == 0:
            answer.cut = 2_000_000
            answer.length = length
        seen.append(request.ids)
        return answer

    seen: list[list[str]] = []
    with responder(script) as server:
        refs = [Ref(ref.id, "", size=len(whole[ref.id])) for ref in REFS]
        found = outcome(source(server).fetch(INBOX, refs))
        assert found == {key_of(id_): body for id_, body in whole.items()}
    assert len(seen) == 2
    assert 0 < len(seen[1]) < len(REFS)


@pytest.mark.parametrize(
    "poison",
    [
        fault("ErrorInternalServerError"),
        Answer("<html>Runtime Error</html>", status=500, kind="text/html"),
        Answer("half", cut=2),
        Answer("not xml at all"),
    ],
)
def test_a_poison_item_is_found_by_halves(source: Open, poison: Answer) -> None:
    with responder(flawed(lambda request, _: poison if "id6=" in request.ids else None)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected(id6="poison-item")
        assert len(server.of("GetItem")) < 20


NOTHING = message("GetItem", "<m:Items/>")


def silent_about_six(request: Request, _: int) -> Answer:
    parts = [NOTHING if one == "id6=" else item(one, BODIES[one]) for one in request.ids]
    return Answer(envelope("GetItem", *parts))


def test_an_item_that_is_never_told_is_blamed_alone(source: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    with responder(flawed(silent_about_six)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected(id6="poison-item")
        assert outcome(source(server).fetch(INBOX, REFS[6:7])) == {key_of("id6="): "poison-item"}


def test_a_server_that_tells_no_item_at_all_is_waited_for(
    source: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    with responder(flawed(lambda *_: Answer(envelope("GetItem", NOTHING)))) as server:
        with pytest.raises(Transient) as caught:
            list(source(server).fetch(INBOX, REFS))
        assert caught.value.code == "reply-incomplete"


def test_an_outage_is_not_blamed_on_items(source: Open) -> None:
    with responder(lambda _: Answer("half", cut=2)) as server:
        with pytest.raises(Transient) as caught:
            list(source(server, patience_seconds=0.5).fetch(INBOX, REFS[:2]))
        assert caught.value.code == "connection-cut"


def test_mixed_errors_are_never_paired_by_position(source: Open) -> None:
    codes = {"id1=": "ErrorItemNotFound", "id4=": "ErrorCorruptData", "id8=": "ErrorDataSizeLimitExceeded"}

    def script(request: Request, _: int) -> Answer:
        good = [item(one, BODIES[one]) for one in request.ids if one not in codes]
        bad = [error("GetItem", codes[one]) for one in request.ids if one in codes]
        return Answer(envelope("GetItem", *bad, *good))

    with responder(flawed(script)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected(
            id1="vanished", id4="corrupt-at-source", id8="too-large-to-read"
        )


def test_damaged_base64_is_read_once_more_and_then_refused(source: Open) -> None:
    def script(request: Request, number: int) -> Answer:
        bad = {"id2=": "QUJ" if number == 0 else None, "id5=": "QUJDR"}
        parts = [item(one, bad.get(one) or BODIES[one]) for one in request.ids]
        return Answer(envelope("GetItem", *parts))

    with responder(flawed(script)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected(id5="mime-damaged")
        assert [one.ids for one in server.requests[1:]] == [["id2="], ["id5="]]


def test_a_slow_batch_is_halved_and_grows_back(source: Open) -> None:
    def script(request: Request, _: int) -> Answer | None:
        return Answer(stall=1.2) if len(request.ids) > 4 else None

    with responder(flawed(script)) as server:
        one = source(server, timeout_seconds=0.5, batch_items=8)
        assert outcome(one.fetch(INBOX, REFS)) == expected()
        sizes = [len(request.ids) for request in server.of("GetItem")]
        assert sizes[:3] == [8, 4, 4]
        assert max(sizes[1:]) <= 6
        list(one.fetch(INBOX, REFS[:4]))
        assert unwrapped(one)._pace._items > 4


def test_a_reader_that_stops_early_leaves_the_source_usable(source: Open) -> None:
    big = {id_: body * 30_000 for id_, body in BODIES.items()}
    script = lambda request: items(request, big) if request.operation == "GetItem" else root_folder()  # noqa: E731 (a line is enough)
    with responder(script) as server:
        one = source(server)
        reading = one.fetch(INBOX, REFS)
        next(reading)
        one.server()  # another request while a reply is being read
        reading.close()  # type: ignore[attr-defined]
        assert len(list(one.fetch(INBOX, REFS))) == len(REFS)


@pytest.mark.parametrize("kind", ["full", "unusable"])
def test_a_body_that_cannot_be_spooled_needs_a_person(
    source: Open, full_disk: AbstractContextManager[None], tmp_path: Path, kind: str
) -> None:
    whole = {**BODIES, "id4=": b"x" * 3_000_000}
    script = lambda request: items(request, whole) if request.operation == "GetItem" else root_folder()  # noqa: E731 (a line is enough)
    with responder(script) as server:
        one = source(server, spool_above=100_000)
        if kind == "unusable":
            (tmp_path / "spool").write_text("in the way")
        with full_disk, pytest.raises(Blocked) as caught:
            list(one.fetch(INBOX, REFS))
        assert caught.value.code == f"spool-{kind}"
        assert len(server.of("GetItem")) == 1
        if kind == "unusable":
            (tmp_path / "spool").unlink()
        assert outcome(one.fetch(INBOX, REFS)) == {key_of(id_): body for id_, body in whole.items()}


def test_a_reply_may_be_compressed(source: Open) -> None:
    def script(request: Request, _: int) -> Answer:
        answer = items(request, BODIES)
        packed = gzip.compress(str(answer.body).encode())
        return Answer(packed, headers={"Content-Encoding": "gzip"})

    with responder(flawed(script)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected()

    def broken(request: Request, number: int) -> Answer | None:
        packed = gzip.compress(str(items(request, BODIES).body).encode())[:-20] + b"x" * 20
        return Answer(packed, headers={"Content-Encoding": "gzip"}) if number == 0 else None

    with responder(flawed(broken)) as server:
        assert outcome(source(server).fetch(INBOX, REFS)) == expected()
