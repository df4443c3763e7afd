"""A series whose changed and deleted days the server does not list: its instances are read instead."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from graph_script import HOME, Answer, Ask, Cloud, Open, error
from test_graph_calendar import CALENDAR, CALENDARS, WEEKLY, Row, event

from connectors.graph.instances import COVERED, MARGIN, window
from mappings.exchange.graph_json import record
from model.protocols import Failed, Native, Ref

SERIES = event("M", type="seriesMaster", recurrence=WEEKLY)
EXCEPTION = event("X", type="exception", originalStart="2026-03-09T08:00:00Z", subject="Other")


def silent(
    pages: list[list[Row]], days: Answer | None = None, last: Answer | None = None, series: Row = SERIES
) -> Cloud:
    """pages: of the instances; days: what is answered to who asks for the lists; last: in place of the last
    page."""

    def script(ask: Ask) -> Answer:
        if ask.path.endswith("/instances"):
            at = int(ask.query.get("$skiptoken", "0"))
            if last is not None and at == len(pages) - 1:
                return last
            link = {"@odata.nextLink": f"https://elsewhere.example/x?$skiptoken={at + 1}"}
            return Answer({"value": pages[at], **(link if at + 1 < len(pages) else {})})
        if ask.path.endswith("/X"):
            return Answer(EXCEPTION)
        if "exceptionOccurrences" in ask.query.get("$expand", ""):
            return days or Answer({"id": "M"})
        return Answer(series)

    return Cloud(script)


def instance(id_: str, day: int, type_: str = "occurrence") -> Row:
    return {"id": id_, "type": type_, "start": {"dateTime": f"2026-03-{day:02}T08:00:00", "timeZone": "UTC"}}


PAGES = [[instance("1", 2), instance("X", 10, "exception")], [instance("3", 16)]]


def read(source: Open, cloud: Cloud) -> Native | Failed:
    (found,) = source(cloud, kinds=CALENDARS).fetch(CALENDAR, [Ref("M", "")])
    return found


@pytest.mark.parametrize(
    "days",
    [
        Answer({"id": "M"}),
        Answer({"id": "M", "exceptionOccurrences": []}),
        Answer({"id": "M", "cancelledOccurrences": []}),
        error("BadRequest", 400),
    ],
    ids=["neither", "no-deleted-ones", "no-changed-ones", "refused"],
)
def test_every_page_of_the_instances_is_read_and_changed_days_whole(source: Open, days: Answer) -> None:
    cloud = silent(PAGES, days)
    found = read(source, cloud)
    assert isinstance(found, Native)
    whole = record(found)
    assert [one["subject"] for one in whole["exceptions"]] == ["Other"]
    assert [one["id"] for one in whole["instances"]["rows"]] == ["1", "X", "3"]
    asks = [ask for ask in cloud.asks if ask.path.endswith("/instances")]
    assert {ask.path for ask in asks} == {f"{HOME}/calendars/C1/events/M/instances"}
    first, after = (date.fromisoformat(whole["instances"][name]) for name in ("from", "until"))
    limits = [asks[0].query[name][:10] for name in ("startDateTime", "endDateTime")]
    assert limits == [(first - MARGIN).isoformat(), (after + MARGIN).isoformat()]


def test_who_lists_the_days_is_not_asked_for_instances(source: Open) -> None:
    cloud = silent(PAGES, Answer({"id": "M", "cancelledOccurrences": [], "exceptionOccurrences": []}))
    found = read(source, cloud)
    assert isinstance(found, Native)
    assert "instances" not in record(found)
    assert not [ask for ask in cloud.asks if ask.path.endswith("/instances")]


@pytest.mark.parametrize("pages", [PAGES, PAGES[:1]], ids=["the-second-page", "the-first"])
def test_a_page_that_is_refused_is_not_an_end(source: Open, pages: list[list[Row]]) -> None:
    found = read(source, silent(pages, last=error("ErrorCorruptData", 400)))
    assert isinstance(found, Failed)
    assert found.error.code == "corrupt-at-source"


def test_a_series_that_is_gone_meanwhile_has_vanished_or_lacks_its_days(source: Open) -> None:
    found = read(source, silent(PAGES, last=error("ErrorItemNotFound", 404)))
    assert isinstance(found, Failed)
    assert found.error.code == "occurrence-missing"


def test_a_rule_without_a_beginning_rejects_the_series(source: Open) -> None:
    series = event("M", type="seriesMaster", recurrence={**WEEKLY, "range": {"type": "noEnd"}})
    found = read(source, silent(PAGES, series=series))
    assert isinstance(found, Failed)
    assert found.error.code == "occurrence-missing"


def ruled(changed: str, kind: str = "noEnd", **more: object) -> Row:
    range_ = {"type": kind, "startDate": "2015-01-05", **more}
    pattern = {"type": "weekly", "interval": 2}
    return {"lastModifiedDateTime": changed, "recurrence": {"pattern": pattern, "range": range_}}


@pytest.mark.parametrize(
    ("event", "middle"),
    [
        (ruled("2020-06-01T10:00:00Z"), date(2020, 6, 1)),
        (ruled("2015-02-01T10:00:00Z"), date(2015, 1, 5) + COVERED),  # from the very beginning
        (ruled("2020-06-01T10:00:00Z", "endDate", endDate="2015-01-25"), date(2015, 1, 15)),
        (ruled("2024-06-01T10:00:00Z", "endDate", endDate="2022-01-03"), date(2022, 1, 3) - COVERED),
        (ruled("2018-06-01T10:00:00Z", "endDate", endDate="2022-01-03"), date(2018, 6, 1)),
        (ruled("2024-06-01T10:00:00Z", "numbered", numberOfOccurrences=10), date(2015, 3, 16)),
        (ruled("2020-06-01T10:00:00Z", "numbered", numberOfOccurrences=10**9), date(2020, 6, 1)),
        (ruled("never"), date(2015, 1, 5) + COVERED),
    ],
)
def test_what_is_judged_is_the_series_or_four_years_of_it(event: Row, middle: date) -> None:
    assert window(event) == (middle - COVERED, middle + COVERED + timedelta(days=1))
    first, after = window(event) or (date.min, date.max)
    assert after - first + 2 * MARGIN < timedelta(days=1825)


@pytest.mark.parametrize("start", [None, "", "soon", "0001-01-01", "9999-12-31", "2015-13-01"])
def test_a_series_without_a_beginning_has_no_window(start: object) -> None:
    assert window({"recurrence": {"range": {"type": "noEnd", "startDate": start}}}) is None
