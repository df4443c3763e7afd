"""What errors of connectors tell beside their codes: words of public lists, nothing that a server made up."""

from __future__ import annotations

import pytest

from connectors.ews import errors as ews_errors
from connectors.graph_api import errors as graph_errors
from connectors.http import dav_errors


@pytest.mark.parametrize(
    ("code", "detail"), [("ErrorInvalidLicense", "ErrorInvalidLicense"), ("ErrorAnnaSmith", ""), ("anna", "")]
)
def test_exchange(code: str, detail: str) -> None:
    assert ews_errors.translated(ews_errors.Refusal(code)).detail == detail
    assert ews_errors.item_error(ews_errors.Refusal(code)).detail == detail


@pytest.mark.parametrize(
    ("code", "detail"), [("generalexception", "generalexception"), ("annasmith", "HTTP 400")]
)
def test_graph(code: str, detail: str) -> None:
    refusal = graph_errors.Refusal(400, code)
    assert graph_errors.translated(refusal).detail == detail
    assert graph_errors.item_error(refusal).detail == detail


def test_dav() -> None:
    assert dav_errors.status_error(405).detail == "HTTP 405"
    assert dav_errors.item_error(409).detail == "HTTP 409"


def test_a_status_of_exchange() -> None:
    assert ews_errors.http_error(403, None).detail == "HTTP 403"
