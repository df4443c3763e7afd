"""Mail over Graph: what is there, what changed, and what is refused, from the world that EWS serves."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from graph_asking import GraphAsker, Json

from practice.graph.server import never_converted
from practice.graph.wire import rest_id
from practice.world.folders import Folder
from practice.world.messages import Marks, Message
from practice.world.world import Mailbox, World

VERB = "singleValueExtendedProperties($filter=id eq 'Integer 0x1081' or id eq 'String 0x001A')"
INBOX = "mailFolders/inbox/messages"


def immutable(item: Message) -> str:
    return rest_id(item.immutable_id)


def ids(rows: list[Json]) -> list[str]:
    return [row["id"] for row in rows]


def test_a_user_is_found_by_name_and_by_id_and_has_all_addresses(asker: GraphAsker, mailbox: Mailbox) -> None:
    by_name = asker.json("?$select=id,mail,proxyAddresses,userPrincipalName")
    asker.user = by_name["id"]
    assert asker.json("")["mail"] == mailbox.address == by_name["userPrincipalName"]
    owner = mailbox.owner
    assert by_name["proxyAddresses"] == [
        f"SMTP:{owner.address}",
        *(f"smtp:{one}" for one in owner.proxies),
        f"X500:{owner.legacy_dn}",
    ]
    asker.user = owner.proxies[0]
    assert asker.code("") == (404, "Request_ResourceNotFound")
    assert asker.code("messages") == (404, "ErrorInvalidUser")


def test_users_are_listed_and_found_by_any_address(asker: GraphAsker, world: World) -> None:
    proxy = world.person(asker.user).proxies[1]
    clause = quote(f"proxyAddresses/any(x:x eq 'smtp:{proxy}')")
    url = f"{asker.server.url}/users"
    assert [one["mail"] for one in asker.all(url + "?$top=2")] == list(world.addresses())
    assert [one["mail"] for one in asker.all(f"{url}?$filter={clause}")] == [asker.user]
    assert asker.code(f"{url}?$filter=city eq 'Kiel'") == (400, "Request_UnsupportedQuery")


def test_a_mailbox_elsewhere_is_said_to_be_so(asker: GraphAsker) -> None:
    asker.server.on_premises.add(asker.user)
    assert asker.code("messages") == (404, "MailboxNotEnabledForRESTAPI")
    assert asker.json("")["mail"] == asker.user


def walk(asker: GraphAsker, path: str, hidden: bool) -> Iterator[Json]:
    for row in asker.all(f"{path}?$top=7&includeHiddenFolders={str(hidden).lower()}"):
        yield row
        yield from walk(asker, f"mailFolders/{row['id']}/childFolders", hidden)


@pytest.mark.parametrize("hidden", [True, False])
def test_all_mail_folders_are_found_hidden_ones_when_asked(
    asker: GraphAsker, mailbox: Mailbox, hidden: bool
) -> None:
    rows = list(walk(asker, "mailFolders", hidden))
    mail = [one for one in mailbox.folders() if one.folder_class in ("IPF.Note", "IPF.Configuration")]
    wanted = {rest_id(one.id): one for one in mail if hidden or one.kind != "hidden"}
    assert set(ids(rows)) == set(wanted)
    assert len(rows) == len(wanted)
    for row in rows:
        folder = wanted[row["id"]]
        assert row["displayName"] == folder.name
        assert (row["totalItemCount"], row["isHidden"]) == (folder.total, folder.kind == "hidden")
        assert (folder.kind == "search") == ("@odata.type" in row)


def test_pages_of_folders_are_of_ten(asker: GraphAsker) -> None:
    page = asker.json("mailFolders")
    assert len(page["value"]) == 10
    assert "$skip=10" in page["@odata.nextLink"]


def test_well_known_folders_have_names_and_others_do_not(asker: GraphAsker, mailbox: Mailbox) -> None:
    assert asker.json("mailFolders/SentItems")["id"] == rest_id(mailbox.distinguished("sentitems").id)
    assert asker.json("mailFolders('msgfolderroot')")["id"] == rest_id(mailbox.root.id)
    assert asker.code("mailFolders/calendar") == (400, "ErrorInvalidIdMalformed")
    calendar = rest_id(mailbox.distinguished("calendar").id)
    assert asker.code(f"mailFolders/{calendar}") == (404, "ErrorItemNotFound")


def test_the_delta_of_folders_tells_what_was_made_renamed_and_deleted(
    asker: GraphAsker, mailbox: Mailbox, world: World
) -> None:
    rows, link = asker.round("mailFolders/delta?includeHiddenFolders=true", "odata.maxpagesize=5")
    mail = [one for one in mailbox.folders() if one.folder_class in ("IPF.Note", "IPF.Configuration")]
    assert sorted(ids(rows)) == sorted(rest_id(one.id) for one in mail)
    with world.lock:
        made = mailbox.create_folder(mailbox.root, "Neu")
        gone = mailbox.create_folder(mailbox.root, "Kurz")
        mailbox.delete_folder(gone, hard=True)
        old = next(one for one in mail if one.name == "a.b.c")
        mailbox.delete_folder(old, hard=True)
    rows, link = asker.round(link)
    assert {row["id"]: row.get("displayName", row.get("@removed")) for row in rows} == {
        rest_id(old.id): {"reason": "deleted"},
        rest_id(made.id): "Neu",
    }
    assert asker.round(link)[0] == []


def test_a_first_delta_has_every_message_by_immutable_id_and_one_of_them_twice(
    asker: GraphAsker, inbox: Folder
) -> None:
    rows, _ = asker.round(f"{INBOX}/delta?$select=subject,isRead", "odata.maxpagesize=7")
    assert set(ids(rows)) == {immutable(item) for item in inbox.items}
    assert len(rows) == len(inbox.items) + 1
    assert {frozenset(row) for row in rows} >= {
        frozenset({"@odata.type", "@odata.etag", "id", "subject", "isRead"})
    }


def test_an_empty_page_is_not_the_last_one(asker: GraphAsker, inbox: Folder) -> None:
    page, sizes = asker.json(f"{INBOX}/delta", "odata.maxpagesize=7"), [7]
    while "@odata.nextLink" in page:
        page = asker.json(page["@odata.nextLink"], "odata.maxpagesize=7")
        sizes.append(len(page["value"]))
    assert sizes[:3] == [7, 0, 7]
    assert sum(sizes) == len(inbox.items) + 1


def test_later_rows_are_few_and_of_what_changed(
    asker: GraphAsker, mailbox: Mailbox, inbox: Folder, world: World
) -> None:
    _, link = asker.round(f"{INBOX}/delta?$select=subject,flag", "odata.maxpagesize=50")
    first, second, third = inbox.items[:3]
    first_id, third_id = immutable(first), immutable(third)
    with world.lock:
        mailbox.mark_read(first, not first.is_read)
        mailbox.flag(second, "Complete")
        mailbox.delete(third, hard=True)
        new = mailbox.deliver(inbox, subject="Neu", text="x")
    rows, link = asker.round(link)
    by_id = {row["id"]: row for row in rows}
    assert set(by_id) == {first_id, immutable(second), third_id, immutable(new)}
    assert set(by_id[first_id]) == {"@odata.type", "@odata.etag", "id", "isRead", "parentFolderId"}
    assert by_id[first_id]["isRead"] == first.is_read
    assert by_id[immutable(second)]["flag"] == {"flagStatus": "complete"}
    assert by_id[third_id]["@removed"] == {"reason": "deleted"}
    assert by_id[immutable(new)]["subject"] == "Neu"
    assert asker.round(link)[0] == []


def test_an_immutable_id_survives_a_move_and_another_does_not(
    asker: GraphAsker, mailbox: Mailbox, inbox: Folder, world: World
) -> None:
    archive = mailbox.distinguished("archive")
    item = inbox.items[0]
    for_ever, for_now, subject = immutable(item), rest_id(item.id), item.subject
    links = [asker.round(f"mailFolders/{one}/messages/delta")[1] for one in ("inbox", "archive")]
    with world.lock:
        mailbox.move(item, archive)
    assert asker.json(f"messages/{for_ever}")["subject"] == subject
    assert asker.json(f"messages/{for_ever}")["parentFolderId"] == rest_id(archive.id)
    assert asker.code(f"messages/{for_now}") == (404, "ErrorItemNotFound")
    left, arrived = (asker.round(link)[0] for link in links)
    assert [(row["id"], "@removed" in row) for row in left] == [(for_ever, True)]
    assert [(row["id"], "@removed" in row) for row in arrived] == [(for_ever, False)]
    with world.lock:
        mailbox.move(item, inbox)
    assert [(row["id"], "@removed" in row) for row in asker.round(links[0])[0]] == [(for_ever, False)]
    assert asker.round(links[1])[0] == []
    with world.lock:
        mailbox.delete(item, hard=True)
    assert asker.code(f"messages/{for_ever}") == (404, "ErrorItemNotFound")
    assert ids(asker.round(links[0])[0]) == [for_ever]


def test_a_token_of_a_mailbox_made_anew_is_lost_and_a_made_up_one_is_bad(
    asker: GraphAsker, mailbox: Mailbox, world: World
) -> None:
    _, link = asker.round(f"{INBOX}/delta")
    other = link.replace("mailFolders/inbox", "mailFolders/drafts")
    assert asker.code(other) == (400, "SyncStateInvalid")
    assert asker.code(f"{INBOX}/delta?$deltatoken=bogus") == (400, "SyncStateInvalid")
    with world.lock:
        mailbox.recreate()
    assert asker.code(link) == (410, "SyncStateNotFound")


def test_a_change_between_two_pages_is_told_in_the_next_round(
    asker: GraphAsker, mailbox: Mailbox, inbox: Folder, world: World
) -> None:
    page = asker.json(f"{INBOX}/delta", "odata.maxpagesize=3")
    with world.lock:
        new = mailbox.deliver(inbox, subject="Dazwischen", text="x")
        oldest = inbox.items[0]
        mailbox.categorize(oldest, "Neu")
    rows, link = asker.round(page["@odata.nextLink"])
    assert immutable(new) not in ids(rows)
    assert immutable(oldest) in ids(rows)
    assert set(ids(asker.round(link)[0])) == {immutable(new), immutable(oldest)}


def test_the_mime_is_what_exchange_gives_or_is_refused_for_ever(asker: GraphAsker, mailbox: Mailbox) -> None:
    refused = 0
    for item in mailbox.messages():
        if item.folder.folder_class != "IPF.Note":
            continue
        reply = asker.get(f"messages/{immutable(item)}/$value")
        if never_converted(item):
            refused += 1
            assert (reply.status_code, reply.json()["error"]["code"]) == (
                500,
                "ErrorMimeContentConversionFailed",
            )
        else:
            assert reply.content == item.mime()
    assert refused > 0


def test_a_message_says_what_its_owner_did_with_it(
    asker: GraphAsker, mailbox: Mailbox, inbox: Folder, world: World
) -> None:
    with world.lock:
        marks = Marks(("Rote Kategorie", "日本語"), "Flagged", "High", 102, read_receipt=True)
        received = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
        item = mailbox.deliver(inbox, subject="Ä", text="Grüße", marks=marks, received=received, is_read=True)
    row = asker.json(f"messages/{immutable(item)}?$expand={VERB}")
    shown = {name: row[name] for name in ("subject", "categories", "flag", "importance", "isRead", "isDraft")}
    assert shown == {
        "subject": "Ä",
        "categories": ["Rote Kategorie", "日本語"],
        "flag": {"flagStatus": "flagged"},
        "importance": "high",
        "isRead": True,
        "isDraft": False,
    }
    assert row["receivedDateTime"] == "2024-05-06T07:08:09Z"
    assert row["isReadReceiptRequested"] is True
    assert {one["id"]: one["value"] for one in row["singleValueExtendedProperties"]} == {
        "Integer 0x1081": "102",
        "String 0x1a": "IPM.Note",
    }


def test_attachments_have_their_bytes_and_items_have_their_mime(asker: GraphAsker, mailbox: Mailbox) -> None:
    seen: set[str] = set()
    for item in mailbox.messages():
        if not item.has_attachments or item.record is not None:
            continue
        rows = asker.json(f"messages/{immutable(item)}/attachments")["value"]
        for row, one in zip(rows, item.attachments, strict=True):
            seen.add(row["@odata.type"])
            assert (row["name"], row["isInline"]) == (one.name, one.inline)
            if one.item_class is None:
                assert base64.b64decode(row["contentBytes"]) == one.content
            path = f"messages/{immutable(item)}/attachments/{row['id']}"
            assert asker.get(f"{path}/$value").content == one.content
            assert asker.json(path)["name"] == one.name
    assert seen == {"#microsoft.graph.fileAttachment", "#microsoft.graph.itemAttachment"}


def test_a_batch_answers_each_part_by_its_id(asker: GraphAsker, inbox: Folder) -> None:
    asker.prefer = ""
    items = [item for item in inbox.items if not never_converted(item)][:5]
    asks: list[dict[str, object]] = [
        {
            "id": str(at),
            "method": "GET",
            "url": f"/users/{asker.user}/messages/{immutable(item)}/$value",
            "headers": {"Prefer": 'IdType="ImmutableId"'},
        }
        for at, item in enumerate(items)
    ]
    asks += [
        {
            "id": "id",
            "method": "GET",
            "url": f"/users/{asker.user}/messages/{immutable(items[0])}?$select=id",
        },
        {"id": "bad", "method": "GET", "url": f"/users/{asker.user}/messages/nothing"},
        {"id": "after", "method": "GET", "url": f"/users/{asker.user}", "dependsOn": ["bad"]},
    ]
    answers = asker.batch(*asks)
    for at, item in enumerate(items):
        assert base64.b64decode(answers[str(at)]["body"]) == item.mime()
    assert answers["id"]["body"]["id"] == rest_id(items[0].id)
    assert (answers["bad"]["status"], answers["after"]["status"]) == (400, 424)
    assert list(answers) != sorted(answers)


def test_a_batch_of_more_than_twenty_is_refused_as_a_whole(asker: GraphAsker) -> None:
    rows = [{"id": str(n), "method": "GET", "url": f"/users/{asker.user}"} for n in range(21)]
    headers = {"Authorization": f"Bearer {asker.token}"}
    url = f"{asker.server.url}/$batch"
    reply = asker.client.post(url, json={"requests": rows}, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "MaximumValueExceeded")
    for payload in ({"requests": [rows[0], rows[0]]}, {"asks": []}, []):
        assert asker.client.post(url, json=payload, headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("messages?$filter=foo eq 3", 400, "ErrorInvalidUrlQueryFilter"),
        ("messages?$filter=isRead eq false and foo eq 3", 400, "ErrorInvalidUrlQueryFilter"),
        ("messages?$orderby=bodyPreview", 400, "ErrorInvalidUrlQuery"),
        ("messages?$select=subject,size", 400, "BadRequest"),
        ("messages?$expand=foo", 400, "BadRequest"),
        ("messages?$top=1001", 400, "ErrorInvalidUrlQuery"),
        ("messages?$top=-1", 400, "ErrorInvalidUrlQuery"),
        ("messages?$unknown=1", 400, "BadRequest"),
        ("messages?$expand=singleValueExtendedProperties", 400, "ErrorInvalidProperty"),
        (
            "messages?$expand=singleValueExtendedProperties($filter=id eq 'Word 0x1')",
            400,
            "ErrorInvalidProperty",
        ),
        (f"{INBOX}/delta?$expand=singleValueExtendedProperties", 400, "ErrorInvalidUrlQuery"),
        (f"{INBOX}/delta?$filter=isRead eq true", 400, "ErrorInvalidUrlQuery"),
        ("messages/nothing", 400, "ErrorInvalidIdMalformed"),
        ("foo", 400, "BadRequest"),
    ],
)
def test_what_graph_refuses_is_refused(asker: GraphAsker, path: str, status: int, code: str) -> None:
    assert asker.code(path) == (status, code)


def test_an_app_has_no_me_and_nothing_is_written(asker: GraphAsker) -> None:
    assert asker.code(f"{asker.server.url}/me/messages") == (400, "BadRequest")
    reply = asker.client.delete(
        f"{asker.server.url}/users/{asker.user}/mailFolders/inbox",
        headers={"Authorization": f"Bearer {asker.token}"},
    )
    assert reply.status_code == 405


def test_messages_are_listed_newest_first_and_filtered(asker: GraphAsker, inbox: Folder) -> None:
    rows = asker.all(f"{INBOX}?$top=9&$select=receivedDateTime,isRead")
    dates = [row["receivedDateTime"] or "" for row in rows]
    assert dates == sorted(dates, reverse=True)
    assert len(rows) == len(inbox.items)
    middle: Any = dates[len(dates) // 2]
    newer = asker.all(f"{INBOX}?$filter=receivedDateTime ge {middle} and isRead eq true")
    wanted = [row["id"] for row in rows if (row["receivedDateTime"] or "") >= middle and row["isRead"]]
    assert ids(newer) == wanted
