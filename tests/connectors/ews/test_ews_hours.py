"""Working hours as Exchange keeps them: a configuration of the calendar, asked for once."""

from __future__ import annotations

import io
import re

import pytest
from ews_responder import Answer, Request, envelope, error, message, responder
from ews_scripts import Open, unwrapped
from samples import samples

from connectors.ews.configurations import hours_of
from mappings.hours.ews_hours import ews_hours
from model.errors import Blocked, MigrationError
from model.kinds import Kind
from model.protocols import Container, Native, Ref
from model.working_hours import HOURS

DATA = "PGE+"
FOUND = (
    '<m:UserConfiguration><t:UserConfigurationName Name="WorkHours"><t:DistinguishedFolderId Id="calendar"/>'
    "</t:UserConfigurationName><t:XmlData>{}</t:XmlData></m:UserConfiguration>"
)


def asked(source: Open, *messages: str) -> tuple[bytes | None, list[str]]:
    """The record, and the requests that it took."""
    seen: list[str] = []

    def answer(request: Request) -> Answer:
        seen.append(request.xml)
        return Answer(envelope("GetUserConfiguration", *messages))

    with responder(answer) as server:
        side = unwrapped(source(server, patience_seconds=0))
        return hours_of(vars(side)["_client"]), seen


def test_one_request_names_the_calendar_of_the_mailbox(source: Open) -> None:
    record, (request,) = asked(
        source, message("GetUserConfiguration", FOUND.format(f" {DATA[:2]}\n{DATA[2:]} "))
    )
    assert record is not None
    assert f">{DATA}</t:XmlData>".encode() in record, "line ends are no change"
    assert re.search(r'Name="WorkHours"><t:DistinguishedFolderId Id="calendar"><t:Mailbox>', request)


@pytest.mark.parametrize("code", ["ErrorItemNotFound", "ErrorFolderNotFound", "ErrorInvalidRequest"])
def test_what_was_never_set_or_is_not_offered_is_none(source: Open, code: str) -> None:
    record, requests = asked(source, error("GetUserConfiguration", code))
    assert (record, len(requests)) == (None, 1)


@pytest.mark.parametrize("content", ["", FOUND.format(""), "<m:UserConfiguration/>"])
def test_a_configuration_without_its_xml_is_none(source: Open, content: str) -> None:
    assert asked(source, message("GetUserConfiguration", content))[0] is None


def test_a_calendar_that_may_not_be_read_is_not_one_without_hours(source: Open) -> None:
    with pytest.raises(Blocked, match="no-settings-permission"):
        asked(source, error("GetUserConfiguration", "ErrorAccessDenied"))


def test_a_refusal_of_another_kind_is_told(source: Open) -> None:
    refusal = envelope("GetUserConfiguration", error("GetUserConfiguration", "ErrorOdd"))
    with responder(lambda _: Answer(refusal)) as server:
        opened = source(server, patience_seconds=0)
        hours = Container(Kind.SETTINGS, HOURS, ("Working hours",))
        with pytest.raises(MigrationError):
            list(opened.changes(hours, None))


@pytest.mark.samples
@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("092-GetUserConfiguration-WorkHours_XmlData", 4),
        ("076-GetUserConfiguration-WorkHours_in_calendar", 0),
    ],
)
def test_what_an_independent_server_was_recorded_to_say(source: Open, name: str, days: int) -> None:
    recorded = samples("settings-recordings") / "exchange" / f"{name}-response-200.xml"
    with responder(lambda _: Answer(recorded.read_bytes(), kind="text/xml")) as server:
        record = hours_of(vars(unwrapped(source(server, patience_seconds=0)))["_client"])
    if record is None:
        assert days == 0
        return
    hours = ews_hours(Native(Ref("working-hours", ""), "ews-hours", {}, lambda: io.BytesIO(record)))
    assert (len(hours.days), hours.spans) == (days, ((480, 1020),))
    assert hours.zone is not None
    assert hours.zone.id == "Europe/Berlin"
