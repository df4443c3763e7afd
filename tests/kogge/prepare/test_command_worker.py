"""`kogge worker`: which Prefect it takes runs from."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.deploy import prefect_server, worker
from flows.deploy.api import Api
from kogge.app import main

SIDES = '[source]\nkind = "imap"\nhost = "h"\nusername = "x"\npassword = { env = "X" }\n'
TOML = f"{SIDES}{SIDES.replace('source', 'target.mail')}"
LOCAL = prefect_server.Server(1, 4230, 0.0)


@pytest.fixture
def apis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Api]:
    """The APIs from which a worker took runs."""
    found: list[Api] = []

    async def work(*_: object) -> None: ...

    monkeypatch.setattr(worker, "environment", lambda api, _files, **_: found.append(api))
    monkeypatch.setattr(worker, "work", work)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kogge.toml").write_text(TOML)
    return found


def kogge(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(str(ended.value.code or 0))


def test_it_finds_the_local_server_that_runs(apis: list[Api], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_server, "status", lambda _state: LOCAL)
    assert kogge("worker") == 0
    assert [api.url for api in apis] == [LOCAL.api]


def test_the_one_that_is_configured_comes_first(
    apis: list[Api], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(prefect_server, "status", lambda _state: LOCAL)
    (tmp_path / "kogge.toml").write_text(f'{TOML}[prefect]\napi_url = "http://127.0.0.1:9/api"\n')
    assert kogge("worker") == 0
    assert [api.url for api in apis] == ["http://127.0.0.1:9/api"]


def test_without_any_it_says_how_to_start_one(apis: list[Api], capsys: pytest.CaptureFixture[str]) -> None:
    assert kogge("worker") == 2
    assert "kogge server up" in capsys.readouterr().err
    assert apis == []
