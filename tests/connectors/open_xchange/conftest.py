"""A practice Open-Xchange for each test, with a layer in front that may misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ox_api_desk import ANNA, BERT, PASSWORD_ENV, ApiDesk, Misbehaving
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer
from servers.smtp_sink import SmtpSink


@pytest.fixture
def desk(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ApiDesk]:
    """Its people speak English, or the language that is the parameter."""
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    layer = Misbehaving()
    people = {ANNA: "Anna Adler", BERT: "Bert Bach"}
    locale = getattr(request, "param", "en_US")
    with SmtpSink() as sink, OpenXchangeServer(people, sink=sink, locale=locale, layers=[layer]) as server:
        made = ApiDesk(server, tmp_path / "spool", layer, sink)
        made.spool.mkdir()
        yield made
        for one in made.opened:
            one.close()
