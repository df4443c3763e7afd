"""A practice Nextcloud with one user, and targets on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from files_desk import PASSWORD_ENV, Desk

from practice.nextcloud.files import USER_PASSWORD, NextcloudFiles


@pytest.fixture
def cloud() -> Iterator[NextcloudFiles]:
    with NextcloudFiles(["anna"]) as server:
        yield server


@pytest.fixture
def desk(cloud: NextcloudFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    made = Desk(cloud, tmp_path)
    yield made
    made.close()
