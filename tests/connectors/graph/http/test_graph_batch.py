"""Twenty requests in one: paired by id, and only what was told to wait is asked again."""

from __future__ import annotations

from pathlib import Path

import pytest
from graph_script import ACCOUNT, ORIGIN, Answer, Ask, Cloud, error

from connectors.graph_api.batch import BatchReader, BatchReply
from connectors.graph_api.client import GraphClient
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.settings import GraphSettings
from connectors.settings import Secret
from model.errors import Blocked, Transient


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGGE_GRAPH_SECRET", "x")


def batch(cloud: Cloud, tmp_path: Path) -> BatchReader:
    secret = Secret(env="KOGGE_GRAPH_SECRET")
    settings = GraphSettings(
        tenant="t",
        client_id="c",
        client_secret=secret,
        graph_url=f"{ORIGIN}/v1.0",
        patience_seconds=5,
    )
    return BatchReader(GraphClient(settings, ACCOUNT, tmp_path, cloud.network))


def asked(count: int) -> dict[str, str]:
    return {f"n{at}": f"/things/{at}" for at in range(count)}


def outcomes(found: BatchReader, asks: dict[str, str]) -> dict[str, BatchReply | GraphRefusal]:
    listed = list(found.run(asks))
    paired = dict(listed)
    assert len(listed) == len(paired) == len(asks), "one outcome for each name"
    return paired


def number(ask: Ask) -> int:
    return int(ask.path.rpartition("/")[2])


def test_parts_are_paired_by_id_in_batches_of_twenty(tmp_path: Path) -> None:
    cloud = Cloud(lambda ask: Answer({"number": number(ask)}))
    found = outcomes(batch(cloud, tmp_path), asked(45))
    assert {name: one.json["number"] for name, one in found.items() if isinstance(one, BatchReply)} == {
        f"n{at}": at for at in range(45)
    }
    assert [len(one) for one in cloud.batches] == [20, 20, 5]


def test_a_part_that_was_told_to_wait_is_asked_again_without_the_others(tmp_path: Path) -> None:
    told: list[int] = []

    def script(ask: Ask) -> Answer:
        at = number(ask)
        if at in {3, 7} and told.count(at) < 2:
            told.append(at)
            return error("ApplicationThrottled", 429, Retry_After="0")
        return Answer({"number": at})

    cloud = Cloud(script)
    found = outcomes(batch(cloud, tmp_path), asked(10))
    assert all(isinstance(one, BatchReply) for one in found.values())
    assert [[number(ask) for ask in one] for one in cloud.batches] == [list(range(10)), [3, 7], [3, 7]]


def test_parts_that_must_wait_too_long_leave_the_mailbox_for_later(tmp_path: Path) -> None:
    cloud = Cloud(lambda ask: error("ApplicationThrottled", 429, Retry_After="300"))
    with pytest.raises(Transient) as caught:
        outcomes(batch(cloud, tmp_path), asked(2))
    assert (caught.value.code, caught.value.after) == ("busy", 300)


def test_a_permanent_fault_is_final_whatever_its_status(tmp_path: Path) -> None:
    cloud = Cloud(
        lambda ask: error("ErrorMimeContentConversionFailed", 500) if number(ask) == 1 else Answer({})
    )
    found = outcomes(batch(cloud, tmp_path), asked(3))
    refused = found["n1"]
    assert isinstance(refused, GraphRefusal)
    assert refused.unconvertible
    assert len(cloud.batches) == 1, "never asked again"


def test_a_part_that_fails_again_and_again_is_refused_alone(tmp_path: Path) -> None:
    fault = error("ErrorInternalServerError", 500)
    cloud = Cloud(lambda ask: fault if ask.path == "/things/1" else Answer({}))
    found = outcomes(batch(cloud, tmp_path), asked(3))
    assert [name for name, one in found.items() if isinstance(one, GraphRefusal)] == ["n1"]
    assert [len(one) for one in cloud.batches] == [3, 1, 1, 1]


def test_a_part_that_was_left_out_is_asked_again(tmp_path: Path) -> None:
    def outer(times: int, asks: list[Ask]) -> Answer | None:
        rows = [{"id": str(at), "status": 200, "body": {}} for at in range(len(asks) - 1)]
        return Answer({"responses": rows}) if times == 1 else None

    cloud = Cloud(lambda _: Answer({}), outer=outer)
    outcomes(batch(cloud, tmp_path), asked(4))
    assert [len(one) for one in cloud.batches] == [4, 1]


def test_foreign_and_broken_rows_are_nobodys_answer(tmp_path: Path) -> None:
    def outer(times: int, asks: list[Ask]) -> Answer | None:
        rows = [{"id": "99", "status": 200}, {"id": "x"}, 5, {"id": "0", "status": "200", "body": {}}]
        return Answer({"responses": rows}) if times == 1 else None

    cloud = Cloud(lambda ask: Answer({"number": number(ask)}), outer=outer)
    found = outcomes(batch(cloud, tmp_path), asked(2))
    assert [one.json["number"] for one in found.values() if isinstance(one, BatchReply)] in ([0, 1], [1, 0])


def test_a_batch_that_times_out_is_halved_down_to_the_part_that_does_it(tmp_path: Path) -> None:
    def outer(_: int, asks: list[Ask]) -> Answer | None:
        return error("UnknownError", 504) if any(number(ask) == 5 for ask in asks) else None

    cloud = Cloud(lambda _: Answer({}), outer=outer)
    found = outcomes(batch(cloud, tmp_path), asked(8))
    assert [name for name, one in found.items() if isinstance(one, GraphRefusal)] == ["n5"]


def test_an_outage_is_not_blamed_on_a_part(tmp_path: Path) -> None:
    cloud = Cloud(lambda _: error("UnknownError", 500), outer=lambda *_: error("UnknownError", 500))
    with pytest.raises(Transient, match="server-error"):
        outcomes(batch(cloud, tmp_path), asked(1))


def test_a_token_refused_inside_is_renewed_once(tmp_path: Path) -> None:
    refused: set[str] = set()

    def script(ask: Ask) -> Answer:
        if ask.path not in refused:
            refused.add(ask.path)
            return error("InvalidAuthenticationToken", 401)
        return Answer({})

    cloud = Cloud(script)
    outcomes(batch(cloud, tmp_path), asked(3))
    assert len(cloud.forms) == 2, "one renewal for all of them"


def test_a_token_refused_again_is_final(tmp_path: Path) -> None:
    cloud = Cloud(lambda _: error("InvalidAuthenticationToken", 401))
    found = outcomes(batch(cloud, tmp_path), asked(1))
    assert [one.status for one in found.values() if isinstance(one, GraphRefusal)] == [401]


def test_a_refused_batch_decides_about_the_mailbox(tmp_path: Path) -> None:
    cloud = Cloud(lambda _: Answer({}), outer=lambda *_: error("Authorization_RequestDenied", 403))
    with pytest.raises(Blocked, match="access-denied"):
        outcomes(batch(cloud, tmp_path), asked(2))


@pytest.mark.parametrize(
    ("body", "data"),
    [("QUJD", b"ABC"), ("", b""), ("QUJ", None), ("Q?==", None), (None, None), ({}, None), (1234, None)],
)
def test_bytes_come_in_base64_and_damage_is_seen(body: object, data: bytes | None) -> None:
    assert BatchReply(200, {}, body).data() == data
