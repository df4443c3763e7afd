"""What a command says while Prefect's server is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flows.deploy.api import Api
from flows.display import api_watch
from flows.display.api_watch import ApiWatch
from flows.process.prefect_retry import ANSWERS

LOCAL, REMOTE = Api("http://127.0.0.1:4200/api", local=True), Api("https://p.example/api", local=False)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_watch, "AGAIN_SECONDS", 0.0)


def watch(api: Api, answers: str) -> ApiWatch:
    """Its answers: + or - for each time that it is asked."""
    each: Iterator[str] = iter(answers)
    return ApiWatch(api, lambda: next(each) == "+")


def test_being_away_and_being_back_are_each_said_once() -> None:
    looks = watch(LOCAL, "+" + "--" + "--" + "+" + "+")
    said = []
    for _ in range(5):
        looks.look()
        said.append(looks.news())
    assert said[0] is None
    assert said[1] is not None
    assert said[1].startswith("Prefect's server does not answer (http://127.0.0.1:4200). Nothing is lost")
    assert "`kogge server up`" in said[1]
    assert said[2:] == [None, ANSWERS, None]


def test_one_answer_that_fails_is_no_news() -> None:
    looks = watch(LOCAL, "-+")
    looks.look()
    assert looks.news() is None


def test_a_server_elsewhere_is_not_started_by_us() -> None:
    looks = watch(REMOTE, "--")
    looks.look()
    told = looks.news()
    assert told is not None
    assert "kogge server up" not in told
    assert told.endswith("see that it runs")
