"""Rights to folders as Exchange states them: each as its single rights say, and no refusal taken for none."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping

import pytest
from ews_responder import Answer, Request, envelope, error, message, responder
from ews_scripts import Open, unwrapped
from lxml import etree
from samples import marks, samples

from connectors.ews.rights import rights_of
from connectors.exchange.record_set import Record
from connectors.exchange.rights import RightsAnswer, RightSetReader
from mappings.rights.ews_right import ews_right
from mappings.rights.source_right import Grantee, SourceRight
from model.errors import Blocked, MigrationError
from model.folder_rights import Access, Detail, Span
from model.kinds import Kind
from model.protocols import Container, Native, Ref, Role

T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
CALENDAR = Container(Kind.CALENDAR, "cal", ("Calendar",), Role.CALENDAR)
INBOX = Container(Kind.MAIL, "in", ("Inbox",), Role.INBOX)
SPANS = {"None": Span.NONE, "Owned": Span.OWN, "All": Span.ALL}
READS = {"None": Detail.NOTHING, "FullDetails": Detail.ALL}
Replies = Mapping[str, Callable[[Request], Answer]]


def answered(source: Open, replies: Replies, *folders: Container) -> RightsAnswer:
    with responder(lambda request: replies[request.operation](request)) as server:
        side = unwrapped(source(server, patience_seconds=0))
        return rights_of(vars(side)["_client"], folders)


def rights(source: Open, replies: Replies, *folders: Container) -> dict[str, Record]:
    return dict(answered(source, replies, *folders).records)


def read(record: Record) -> SourceRight:
    return ews_right(Native(Ref("a", "1"), "ews-right", record.properties, lambda: io.BytesIO(record.body)))


def user(address: str, name: str = "B. B.") -> str:
    named = f"<t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress><t:DisplayName>{name}</t:DisplayName>"
    return f"<t:UserId>{named}</t:UserId>"


def permission(address: str, level: str, name: str = "B. B.") -> str:
    return f"<t:Permission>{user(address, name)}<t:PermissionLevel>{level}</t:PermissionLevel></t:Permission>"


def folder(id_: str, *entries: str) -> str:
    held = f"<t:PermissionSet><t:Permissions>{''.join(entries)}</t:Permissions></t:PermissionSet>"
    found = f'<t:Folder><t:FolderId Id="{id_}" ChangeKey="1"/>{held}</t:Folder>'
    return message("GetFolder", f"<m:Folders>{found}</m:Folders>")


def replies(*messages: str, delegates: str = "") -> Replies:
    told = "".join(
        '<m:DelegateUserResponseMessageType ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"<m:DelegateUser>{user(one)}<t:ViewPrivateItems>true</t:ViewPrivateItems></m:DelegateUser>"
        "</m:DelegateUserResponseMessageType>"
        for one in delegates.split()
    )
    answer = (
        envelope("GetDelegate")
        .replace(
            "<m:ResponseMessages></m:ResponseMessages>",
            (f"<m:ResponseCode>NoError</m:ResponseCode><m:ResponseMessages>{told}</m:ResponseMessages>"),
        )
        .replace("<m:GetDelegateResponse ", '<m:GetDelegateResponse ResponseClass="Success" ')
    )
    return {
        "GetFolder": lambda _: Answer(envelope("GetFolder", *messages)),
        "GetDelegate": lambda _: Answer(answer),
    }


@pytest.mark.parametrize("code", ["ErrorAccessDenied", "ErrorItemPropertyRequestFailed"])
def test_a_folder_that_is_denied_is_no_folder_without_rights(source: Open, code: str) -> None:
    said = replies(folder("in", permission("b@x.example", "Editor")), error("GetFolder", code))
    with pytest.raises(Blocked, match="no-permissions-permission"):
        rights(source, said, INBOX, CALENDAR)


def test_a_folder_that_the_answer_leaves_out_ends_the_listing(source: Open) -> None:
    with pytest.raises(Exception, match="ErrorUnknownRequest"):
        rights(source, replies(folder("in", permission("b@x.example", "Editor"))), INBOX, CALENDAR)


def test_a_delegate_stands_beside_the_calendar_or_alone(source: Open) -> None:
    said = replies(
        folder("in", permission("b@x.example", "Editor")),
        folder("cal", permission("B@x.example", "Reviewer"), permission("c@x.example", "None")),
        delegates="b@x.example d@x.example",
    )
    found = rights(source, said, INBOX, CALENDAR)
    by_folder = {(str(one.properties["Folder"]), read(one).address): read(one) for one in found.values()}
    assert set(by_folder) == {("in", "b@x.example"), ("cal", "b@x.example"), ("", "")}
    assert by_folder["in", "b@x.example"].delegation is None
    delegation = by_folder["cal", "b@x.example"].delegation
    assert delegation is not None
    assert delegation.private
    assert by_folder["", ""].grantee is Grantee.DELEGATE
    assert not any("example" in id_ for id_ in found)


def test_a_delegate_without_an_address_is_named_too(source: Open) -> None:
    said = replies(folder("in", permission("b@x.example", "Editor")), delegates="d@x.example")
    told = said["GetDelegate"]

    def without(ask: Request) -> Answer:
        body = told(ask).body
        assert isinstance(body, bytes | str)
        text = body.decode() if isinstance(body, bytes) else body
        tag = "t:PrimarySmtpAddress"
        return Answer(text.replace(f"<{tag}>d@x.example</{tag}>", "<t:SID>S-1-5-21-7</t:SID>"))

    found = rights(source, {**said, "GetDelegate": without}, INBOX)
    assert [read(one).grantee for one in found.values()] == [Grantee.PERSON, Grantee.DELEGATE]


def test_another_name_of_a_person_changes_no_record(source: Open) -> None:
    one, other = (
        rights(source, replies(folder("in", permission("b@x.example", "Editor", name))), INBOX)
        for name in ("Berta", "Berta Neu")
    )
    assert one == other


def test_two_entries_of_a_person_are_one_right_that_allows_what_either_does(source: Open) -> None:
    """As in Exchange, whose permissions add up; and in whatever order they come."""
    entries = (permission("b@x.example", "Contributor"), permission("B@x.example", "Reviewer"))
    one, other = (rights(source, replies(folder("in", *order)), INBOX) for order in (entries, entries[::-1]))
    assert one == other
    (record,) = one.values()
    assert read(record).access == Access(True, Detail.ALL, True)


def without_set(id_: str) -> str:
    found = f'<t:TasksFolder><t:FolderId Id="{id_}" ChangeKey="1"/></t:TasksFolder>'
    return message("GetFolder", f"<m:Folders>{found}</m:Folders>")


def test_an_answer_without_a_permission_set_is_unknown_and_not_none(source: Open) -> None:
    said = replies(without_set("in"), folder("cal", permission("b@x.example", "Editor")))
    found = answered(source, said, INBOX, CALENDAR)
    assert found.untold == {"in"}
    assert {read(one).grantee for one in found.records.values()} == {Grantee.UNTOLD, Grantee.PERSON}
    empty = answered(source, replies(folder("in")), INBOX)
    assert (dict(empty.records), empty.untold) == ({}, frozenset())


def test_rights_that_are_not_told_any_more_are_no_withdrawal(source: Open) -> None:
    told = answered(source, replies(folder("in", permission("b@x.example", "Editor"))), INBOX)
    untold = answered(source, replies(without_set("in")), INBOX)
    answers = [told, told, untold, untold]
    reader = RightSetReader(lambda: answers.pop(0), "ews-right")
    (page,) = reader.changes(None)
    assert len(page.refs) == 1
    (same,) = reader.changes(page.cursor)
    assert (same.refs, same.cursor) == ((), page.cursor)
    with pytest.raises(Blocked, match="no-permissions-permission"):
        list(reader.changes(page.cursor))
    (never,) = reader.changes(None)
    answers.append(untold)
    assert [one.refs for one in reader.changes(never.cursor)] == [()]


class TestRecorded:
    """What an independent server answered for folders of each level."""

    pytestmark = marks("settings-recordings")

    def test_no_right_is_read_wider_than_its_single_rights(self, source: Open) -> None:
        names = sorted(samples("settings-recordings").glob("exchange/*-GetFolder-*-response-200.xml"))
        seen: set[str] = set()
        for name in names:
            text = name.read_text()
            ids = re.findall(r'FolderId Id="([^"]+)"', text)
            if not 23 <= int(name.name[:3]) <= 74 or "ErrorAccessDenied" in text:
                continue
            folders = [Container(Kind.MAIL, id_, ("x",)) for id_ in ids]
            said = {**replies(), "GetFolder": always(text)}
            answer = answered(source, said, *folders)
            found = [read(one) for one in answer.records.values() if read(one).grantee is not Grantee.UNTOLD]
            assert len(answer.untold) == text.count("<t:TasksFolder>")
            every = etree.fromstring(text.encode()).iter(f"{T}Permission", f"{T}CalendarPermission")
            entries = [one for one in every if level(one) != "None"]
            assert [one.access for one in found] == [single(one) for one in entries]
            seen |= {level(one) for one in entries}
        levels = {"PublishingEditor", "Editor", "PublishingAuthor", "Author", "NoneditingAuthor"}
        assert seen >= levels | {"Reviewer", "Contributor", "Custom"}

    def test_what_was_denied_is_blocked(self, source: Open) -> None:
        (name,) = samples("settings-recordings").glob("exchange/071-*-response-200.xml")
        said = {**replies(), "GetFolder": always(name.read_text())}
        with pytest.raises(MigrationError, match="no-permissions-permission"):
            rights(source, said, INBOX)


def always(text: str) -> Callable[[Request], Answer]:
    return lambda _: Answer(text)


def level(entry: etree._Element) -> str:
    return entry.findtext(f"{T}PermissionLevel") or entry.findtext(f"{T}CalendarPermissionLevel") or ""


def single(entry: etree._Element) -> Access:
    """What the single rights of a recorded entry allow."""
    said = {etree.QName(one).localname: one.text or "" for one in entry}
    return Access(
        said["IsFolderVisible"] == "true",
        READS[said["ReadItems"]],
        said["CanCreateItems"] == "true",
        said["CanCreateSubFolders"] == "true",
        SPANS[said["EditItems"]],
        SPANS[said["DeleteItems"]],
        said["IsFolderOwner"] == "true",
    )
