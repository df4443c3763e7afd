"""The address of Open-Xchange's HTTP API in a table of the configuration opens the target that uses it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.caldav.target import DavTarget
from connectors.open_xchange.target import OpenXchangeTarget
from connectors.settings import Account
from engine.config.load import Config, load
from engine.opening.open_sides import open_target
from engine.preflight.preflight import never
from model.errors import Misconfigured
from model.kinds import Kind

TOML = """
[source]
kind = "ews"
url = "https://mail.example.org/EWS/Exchange.asmx"
username = "service"
password = { env = "X" }

[target.contacts]
kind = "carddav"
url = "https://ox.example.org"
profile = "open-xchange"
password = { env = "X" }
"""
API = 'api = "https://ox.example.org/appsuite/api"\n'


def loaded(directory: Path, more: str) -> Config:
    path = directory / "kogge.toml"
    path.write_text(TOML + more)
    return load(path)


@pytest.mark.parametrize(("more", "kind"), [("", DavTarget), (API, OpenXchangeTarget)])
def test_the_setting_chooses_the_target(tmp_path: Path, more: str, kind: type[DavTarget]) -> None:
    config = loaded(tmp_path, more)
    account = Account(login="anna", address="anna@example.org")
    moment = datetime.now(UTC)
    target = open_target(config, account, Kind.CONTACTS, never, live=False, not_after=moment)
    assert type(vars(target)["close"].__self__) is kind  # of what is wrapped
    target.close()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (API.replace("https", "http"), "api: use https"),
        (API + 'auth = "bearer"\n', 'needs auth = "basic"'),
        ('api = "ox"\n', "not a URL"),
    ],
)
def test_a_useless_address_is_named_with_its_line(tmp_path: Path, more: str, why: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        loaded(tmp_path, more)
    assert why in caught.value.advice
    assert "kogge.toml" in str(caught.value)
