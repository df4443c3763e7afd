"""Collections of several items, page by page: what one item's pages are like is its own trouble."""

from __future__ import annotations

from pathlib import Path

import pytest
from graph_script import ACCOUNT, ORIGIN, Answer, Ask, Cloud, error

from connectors.graph_api import collections as graph_collections
from connectors.graph_api.client import GraphClient
from connectors.graph_api.collections import collected
from connectors.graph_api.errors import GraphRefusal
from connectors.graph_api.settings import GraphSettings
from connectors.settings import Secret

LINK = "https://elsewhere.example/x"
END = Answer({"value": [{"id": "last"}]})


def page(number: int, link: str) -> Answer:
    return Answer({"value": [{"id": str(number)}], "@odata.nextLink": f"{LINK}?$skiptoken={link}"})


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KOGGE_GRAPH_SECRET", "practice-migrator")
    return tmp_path


def read(spool: Path, later: Answer | None) -> dict[str, list[str] | int]:
    """The ids of what "good" and "bad" hold, of three pages each; a refusal's status. later: in place of the
    second page of the bad one; None: it has no end."""

    def script(ask: Ask) -> Answer:
        at = int(ask.query.get("$skiptoken", "0"))
        bad = ask.path.endswith("/bad/rows")
        if bad and at and later is not None:
            return later
        return page(at, str(at + 1)) if bad or at < 2 else END

    settings = GraphSettings(
        tenant="example.org",
        client_id="0000-1111",
        client_secret=Secret(env="KOGGE_GRAPH_SECRET"),
        graph_url=f"{ORIGIN}/v1.0",
        authority="https://login.example.org",
        patience_seconds=5,
    )
    client = GraphClient(settings, ACCOUNT, spool, Cloud(script).network)
    asks = {name: f"/{name}/rows?$top=1" for name in ("good", "bad")}
    found = dict(collected(client, asks))
    client.close()
    return {
        name: rows.status if isinstance(rows, GraphRefusal) else [str(row["id"]) for row in rows]
        for name, rows in found.items()
    }


GOOD = ["0", "1", "last"]


@pytest.mark.parametrize(
    ("later", "outcome"),
    [
        (END, ["0", "last"]),
        (error("generalException", 400), 400),
        (error("accessDenied", 403), 403),
        (error("itemNotFound", 404), 404),
        (error("generalException", 500), 500),
        (Answer({}), 502),
        (Answer({"value": {}}), 502),
        (page(1, "1"), 502),
    ],
    ids=["whole", "refused", "denied", "gone", "broken", "no-rows", "an-object", "a-circle"],
)
def test_a_later_page_is_its_item_s_alone(spool: Path, later: Answer, outcome: list[str] | int) -> None:
    assert read(spool, later) == {"good": GOOD, "bad": outcome}


@pytest.mark.parametrize(("name", "most"), [("PAGES_MOST", 9), ("ROWS_MOST", 9)])
def test_pages_without_end_have_one(
    spool: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(graph_collections, name, most)
    assert read(spool, None) == {"good": GOOD, "bad": 502}
