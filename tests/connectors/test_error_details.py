"""What errors of connectors tell beside their codes: words of public lists, nothing that a server made up."""

from __future__ import annotations

import pytest

from connectors import json_answer
from connectors.ews import errors as ews_errors
from connectors.graph_api import errors as graph_errors
from connectors.http import dav_errors
from model.errors import Transient


@pytest.mark.parametrize(
    ("code", "detail"), [("ErrorInvalidLicense", "ErrorInvalidLicense"), ("ErrorAnnaSmith", ""), ("anna", "")]
)
def test_exchange(code: str, detail: str) -> None:
    assert ews_errors.translated(ews_errors.EwsRefusal(code)).detail == detail
    assert ews_errors.item_error(ews_errors.EwsRefusal(code)).detail == detail


@pytest.mark.parametrize(
    ("code", "detail"), [("generalexception", "generalexception"), ("annasmith", "HTTP 400")]
)
def test_graph(code: str, detail: str) -> None:
    refusal = graph_errors.GraphRefusal(400, code)
    assert graph_errors.translated(refusal).detail == detail
    assert graph_errors.item_error(refusal).detail == detail


def test_no_word_that_a_server_made_up_is_in_an_error_s_text() -> None:
    for error in (
        ews_errors.translated(ews_errors.EwsRefusal("ErrorAnnaSmith")),
        ews_errors.item_error(ews_errors.EwsRefusal("ErrorAnnaSmith")),
        graph_errors.translated(graph_errors.GraphRefusal(400, "annaSmith")),
        graph_errors.item_error(graph_errors.GraphRefusal(400, "annaSmith")),
    ):
        assert "smith" not in str(error).lower()


def test_an_answer_that_is_nested_without_end_is_an_answer_like_any_other() -> None:
    refusal = graph_errors.refusal(503, {}, b"[" * 100_000)
    assert isinstance(graph_errors.translated(refusal), Transient)
    with pytest.raises(ValueError, match="nested too deep"):
        json_answer.read(b'{"a":' * 100_000)


def test_dav() -> None:
    assert dav_errors.status_error(405).detail == "HTTP 405"
    assert dav_errors.item_error(409).detail == "HTTP 409"


def test_a_status_of_exchange() -> None:
    assert ews_errors.http_error(403, None).detail == "HTTP 403"
