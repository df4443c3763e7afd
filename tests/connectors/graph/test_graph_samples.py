"""The answers of Microsoft's documentation, read as they stand there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from graph_script import HOME, INBOX, Answer, Ask, Cloud, Open, error
from samples import BASE, marks

from connectors.graph_api.client import listed
from connectors.graph_api.messages import properties, ref_of, version_of
from model.errors import CursorLost
from model.protocols import Native, Ref, Role

FOLDER = BASE / "graph-samples"
pytestmark = marks("graph-samples")


def body(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())["body"]


def named(*patterns: str) -> list[str]:
    return sorted(path.stem for one in patterns for path in FOLDER.glob(one)) if FOLDER.is_dir() else []


def messages(name: str) -> list[dict[str, Any]]:
    found = body(name)
    return list(found.get("value", [found]))


def test_a_message() -> None:
    item = body("message-get--1")
    found = properties(item)
    assert version_of(item) == "CQAAABYAAAC4ofQHEIqCSbQPot83AFcbAAAnjjuZ/r1"
    assert found["Received"] == datetime(2018, 9, 9, 3, 15, 8, tzinfo=UTC)
    assert found["From"] == "adelev@contoso.OnMicrosoft.com"
    assert (found["ItemClass"], found["IsRead"], found["Flag"]) == ("IPM.Note", True, "NotFlagged")
    assert found["MessageId"] == "<MWHPR6E1BE060@MWHPR1120.namprd22.prod.outlook.com>"


def test_a_meeting_request_is_mail_of_its_class() -> None:
    assert properties(body("eventmessage-get--1"))["ItemClass"] == "IPM.Schedule.Meeting"


@pytest.mark.parametrize(
    "name",
    named("message-get--*", "message-create*", "eventmessage-get--*", "user-list-messages--*",
          "user-post-messages--*", "mailfolder-list-messages--*", "message-update--*"),
)  # fmt: skip
def test_every_message_can_be_read(name: str) -> None:
    for item in messages(name):
        found = properties(item)
        assert found["Importance"] in {"Low", "Normal", "High", "Importance-value"}
        assert found["Flag"] in {"NotFlagged", "Flagged", "Complete"}
        ref = ref_of({"id": "x", **item}, "cursor")
        assert ref is not None
        assert ref.version


def test_the_folders_of_a_mailbox(source: Open) -> None:
    rows = listed(body("user-list-mailfolders--1"))
    roles = {"Archive": "archive", "Inbox": "inbox", "Sent Items": "sentitems", "Outbox": "outbox",
             "Junk Email": "junkemail", "Drafts": "drafts", "Deleted Items": "deleteditems"}  # fmt: skip
    known = {roles[row["displayName"]]: row["id"] for row in rows if row["displayName"] in roles}
    top = rows[0]["parentFolderId"]

    def script(ask: Ask) -> Answer:
        name = ask.path.removeprefix(f"{HOME}/mailFolders/")
        if name == f"{top}/childFolders":
            return Answer(body("user-list-mailfolders--1"))
        if name.endswith("/childFolders"):
            return Answer({"value": []})
        id_ = {"msgfolderroot": top, **known}.get(name)
        return Answer({"id": id_}) if id_ else error("ErrorItemNotFound", 404)

    found = {one.path[-1]: one for one in source(Cloud(script)).containers()}
    assert len(found) == len(rows) == 9
    assert found["Inbox"].role is Role.INBOX
    assert (found["Inbox"].total, found["Inbox"].omit) == (71, None)
    assert found["Archive"].role is Role.ARCHIVE
    assert found["Weekly digests"].omit == "search-folder"
    assert found["Conversation History"].role is None


def test_a_page_of_a_delta_is_followed_by_its_link(source: Open) -> None:
    cloud = Cloud(
        lambda ask: Answer(body("message-delta--1")) if not ask.query.get("$skiptoken") else Answer()
    )
    pages = source(cloud).changes(INBOX, None)
    page = next(pages)
    assert page.cursor == "$skiptoken={_skipToken_}"
    assert page.refs == (), "a row without an id names nothing"


def test_a_user(source: Open) -> None:
    found = source(Cloud(lambda _: Answer(body("user-get--1")))).identity()
    assert found.id == "87d349ed-44d7-43e1-9a83-5f2406dee5bd"
    assert found.addresses == {"adelev@contoso.onmicrosoft.com"}


def test_a_documented_message_is_fetched(source: Open) -> None:
    item = body("message-get--1")

    def script(ask: Ask) -> Answer:
        return Answer(data=b"Subject: x\r\n\r\n") if ask.path.endswith("$value") else Answer(item)

    (result,) = source(Cloud(script)).fetch(INBOX, [Ref(item["id"], "")])
    assert isinstance(result, Native)
    assert result.ref.id == "AAMkADhMGAAA="


def test_the_links_of_the_documentation_name_no_state_that_lasts(source: Open) -> None:
    page = {"value": [], "@odata.deltaLink": "https://graph.microsoft.com/v1.0/me/mailfolders/delta"}
    with pytest.raises(CursorLost):
        list(source(Cloud(lambda _: Answer(page))).changes(INBOX, None))
