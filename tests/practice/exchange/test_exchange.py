"""What the practice Exchange says of folders and items, and how it syncs."""

from __future__ import annotations

import pytest
from ews_asking import (
    IDS_ONLY,
    INBOX,
    MIME,
    NS,
    Asker,
    asking,
    changes,
    codes,
    distinguished,
    get_folder,
    get_items,
    is_last,
    state_of,
    sync_items,
)
from lxml import etree

from practice.exchange.context import Limits
from practice.exchange.server import ExchangeServer
from practice.world.folders import Folder
from practice.world.world import Mailbox, World


def synced(asker: Asker, state: str = "", limit: int = 512) -> tuple[list[tuple[str, str]], str]:
    """A whole round of the Inbox."""
    found: list[tuple[str, str]] = []
    while True:
        root = asker.ask(sync_items(INBOX, state, limit))
        found += changes(root)
        state = state_of(root)
        if is_last(root):
            return found, state


def test_first_sync_is_newest_first(asker: Asker, inbox: Folder) -> None:
    found, _ = synced(asker, limit=7)
    assert found == [("Create", item.id) for item in reversed(inbox.items)]


def test_changes_during_a_round_come_in_the_next(
    asker: Asker, server: ExchangeServer, mailbox: Mailbox, inbox: Folder
) -> None:
    oldest, newest = inbox.items[0], inbox.items[-1]
    oldest_id = oldest.id
    expected = {item.id for item in inbox.items} - {oldest_id}
    first = asker.ask(sync_items(INBOX, limit=10))
    with server.world.lock:
        new = mailbox.deliver(inbox, subject="neu", text="x")
        mailbox.delete(oldest, hard=True)
        mailbox.categorize(newest, "Blau")
    rest, state = synced(asker, state_of(first), limit=10)
    told = changes(first) + rest
    assert len(told) == len(set(told))
    assert {item_id for _, item_id in told} == expected
    after, state = synced(asker, state)
    assert set(after) == {("Create", new.id), ("Delete", oldest_id), ("Update", newest.id)}
    assert synced(asker, state)[0] == []


def test_ignored_items_are_not_told(asker: Asker, inbox: Folder) -> None:
    one = inbox.items[0].id
    root = asker.ask(sync_items(INBOX, extra=f'<m:Ignore><t:ItemId Id="{one}"/></m:Ignore>'))
    assert {item_id for _, item_id in changes(root)} == {item.id for item in inbox.items} - {one}


def test_more_than_512_changes_are_refused(asker: Asker) -> None:
    response = asker.post(sync_items(INBOX, limit=513))
    assert response.status_code == 500
    assert b"ErrorSchemaValidation" in response.content


def test_search_folders_do_not_sync(asker: Asker, mailbox: Mailbox) -> None:
    folder = next(folder for folder in mailbox.folders() if folder.kind == "search")
    root = asker.ask(sync_items(f'<t:FolderId Id="{folder.id}"/>'))
    assert codes(root) == ["ErrorInvalidFolderTypeForOperation"]


def test_a_recreated_mailbox_voids_states_and_ids(
    asker: Asker, server: ExchangeServer, mailbox: Mailbox, inbox: Folder
) -> None:
    _, state = synced(asker)
    old_item, old_folder = inbox.items[0].id, inbox.id
    with server.world.lock:
        mailbox.recreate()
    assert codes(asker.ask(sync_items(INBOX, state))) == ["ErrorInvalidSyncStateData"]
    assert codes(asker.ask(get_items(old_item))) == ["ErrorNonExistentMailbox"]
    assert codes(asker.ask(get_folder(f'<t:FolderId Id="{old_folder}"/>'))) == ["ErrorNonExistentMailbox"]
    assert codes(asker.ask(get_folder(INBOX))) == ["NoError"]


def test_moved_items_have_other_ids(
    asker: Asker, server: ExchangeServer, mailbox: Mailbox, inbox: Folder
) -> None:
    item = inbox.items[0]
    before = item.id
    with server.world.lock:
        mailbox.move(item, mailbox.distinguished("archive"))
    assert codes(asker.ask(get_items(before, item.id))) == ["ErrorItemNotFound", "NoError"]


def test_ids_are_case_sensitive(asker: Asker, inbox: Folder) -> None:
    assert codes(asker.ask(get_items(inbox.items[0].id.swapcase()))) != ["NoError"]


@pytest.mark.parametrize(
    ("role", "owner", "code"),
    [
        ("archivemsgfolderroot", 0, "ErrorFolderNotFound"),
        ("archivemsgfolderroot", 1, "NoError"),
        ("recoverableitemsroot", 0, "NoError"),
        ("publicfoldersroot", 0, "ErrorNoPublicFolderReplicaAvailable"),
        ("voicemail", 0, "ErrorFolderNotFound"),
    ],
)
def test_distinguished_folders(server: ExchangeServer, role: str, owner: int, code: str) -> None:
    with asking(server, server.world.addresses()[owner]) as asker:
        assert codes(asker.ask(get_folder(distinguished(role)))) == [code]


def test_hidden_and_search_folders_say_so(asker: Asker, mailbox: Mailbox) -> None:
    shape = (
        "<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        '<t:ExtendedFieldURI PropertyTag="0x10F4" PropertyType="Boolean"/>'
        '<t:ExtendedFieldURI PropertyTag="0x3613" PropertyType="String"/>'
        '<t:ExtendedFieldURI PropertyTag="0x0E08" PropertyType="Integer"/></t:AdditionalProperties>'
    )
    content = f'<m:FindFolder Traversal="Deep"><m:FolderShape>{shape}</m:FolderShape><m:ParentFolderIds>'
    root = asker.ask(f"{content}{distinguished('msgfolderroot')}</m:ParentFolderIds></m:FindFolder>")
    folders = {folder.id: folder for folder in mailbox.folders()}
    found = root.find(".//t:Folders", NS)
    assert found is not None
    assert len(found) == len(folders)
    for element in found:
        folder = folders[element.find("t:FolderId", NS).get("Id")]
        values = [each.text for each in element.iterfind("t:ExtendedProperty/t:Value", NS)]
        assert values == [str(folder.kind == "hidden").lower(), folder.folder_class, str(folder.size)]
        assert (etree.QName(element).localname == "SearchFolder") == (folder.kind == "search")


def test_mapi_properties(asker: Asker, mailbox: Mailbox) -> None:
    tags = {"0xe07": "Integer", "0x1081": "Integer", "0x1090": "Integer", "0xe06": "SystemTime"}
    tags |= {"0x1035": "String", "0x1a": "String"}
    uris = "".join(
        f'<t:ExtendedFieldURI PropertyTag="{tag}" PropertyType="{kind}"/>' for tag, kind in tags.items()
    )
    shape = IDS_ONLY.replace(
        "</m:ItemShape>", f"<t:AdditionalProperties>{uris}</t:AdditionalProperties></m:ItemShape>"
    )
    items = list(mailbox.messages())
    root = asker.ask(get_items(*(item.id for item in items), shape=shape))
    answers = root.findall(".//m:Items/*", NS)
    assert len(answers) == len(items)
    for item, answer in zip(items, answers, strict=True):
        found = {
            each.find("t:ExtendedFieldURI", NS).get("PropertyTag"): each.findtext("t:Value", namespaces=NS)
            for each in answer.iterfind("t:ExtendedProperty", NS)
        }
        assert int(found["0xe07"]) & 1 == item.is_read
        assert bool(int(found["0xe07"]) & 8) == item.is_draft
        assert found.get("0x1081") == (str(item.last_verb) if item.last_verb else None)
        assert found.get("0x1090") == {"Flagged": "2", "Complete": "1"}.get(item.flag_status)
        assert found["0x1a"] == item.item_class


def test_associated_items_are_listed_apart(asker: Asker, inbox: Folder) -> None:
    def listed(traversal: str) -> set[str]:
        content = f'<m:FindItem Traversal="{traversal}">{IDS_ONLY}<m:ParentFolderIds>{INBOX}'
        root = asker.ask(f"{content}</m:ParentFolderIds></m:FindItem>")
        return {str(each.get("Id")) for each in root.iterfind(".//t:ItemId", NS)}

    assert listed("Associated") == {item.id for item in inbox.associated} != set()
    assert listed("Shallow") == {item.id for item in inbox.items}


def test_partial_pages_lose_nothing(world: World, mailbox: Mailbox, inbox: Folder) -> None:
    def page(asker: Asker, offset: int) -> tuple[list[str], int, bool]:
        view = f'<m:IndexedPageItemView MaxEntriesReturned="3" Offset="{offset}" BasePoint="Beginning"/>'
        content = f'<m:FindItem Traversal="Shallow">{IDS_ONLY}{view}<m:ParentFolderIds>{INBOX}'
        root = asker.ask(f"{content}</m:ParentFolderIds></m:FindItem>")
        folder = root.find(".//m:RootFolder", NS)
        ids = [str(each.get("Id")) for each in root.iterfind(".//t:ItemId", NS)]
        return ids, int(folder.get("IndexedPagingOffset")), folder.get("IncludesLastItemInRange") == "true"

    with (
        ExchangeServer(world, limits=Limits(partial=True)) as server,
        asking(server, mailbox.address) as asker,
    ):
        found: list[str] = []
        lengths = set()
        offset, last = 0, False
        while not last:
            ids, offset, last = page(asker, offset)
            found += ids
            lengths.add(len(ids))
    assert sorted(found) == sorted(item.id for item in inbox.items)
    assert {2, 3} <= lengths


def test_listings_have_no_bodies(asker: Asker) -> None:
    content = f'<m:FindItem Traversal="Shallow">{MIME}<m:ParentFolderIds>{INBOX}'
    root = asker.ask(f"{content}</m:ParentFolderIds></m:FindItem>")
    assert codes(root) == ["ErrorInvalidPropertyRequest"]
