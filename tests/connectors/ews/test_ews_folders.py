"""Folders, identity and the preflight's questions, from what servers say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ews_responder import (
    Answer,
    Request,
    Script,
    envelope,
    error,
    fault,
    item,
    message,
    responder,
    root_folder,
)

from connectors.ews.source import EwsSettings, EwsSource
from connectors.exchange.folders import DEEPEST, ExchangeFolder, containers, kind_of
from connectors.settings import Account, Secret
from model.errors import Blocked, Transient
from model.kinds import Kind
from model.protocols import Role


def folder(id_: str, parent: str = "ROOT", class_: str = "IPF.Note", **more: object) -> ExchangeFolder:
    return ExchangeFolder(
        id=id_,
        parent=parent,
        name=str(more.get("name", id_)),
        class_=class_,
        total=3,
        size=None,
        hidden=bool(more.get("hidden")),
        search=bool(more.get("search")),
    )


def test_paths_are_names_from_the_top_and_parents_come_first() -> None:
    listed = [folder("c", "b"), folder("b", "a", name="a/b"), folder("a", name="Müll"), folder("z", "lost")]
    found = list(containers(listed, "ROOT", {"a": "deleteditems"}))
    assert [one.path for one in found] == [("z",), ("Müll",), ("Müll", "a/b"), ("Müll", "a/b", "c")] or [
        one.path for one in found
    ] == [("Müll",), ("Müll", "a/b"), ("Müll", "a/b", "c"), ("z",)]
    assert {one.id: one.role for one in found} == {"a": Role.TRASH, "b": None, "c": None, "z": None}


def test_a_folder_that_is_its_own_ancestor_is_counted_once() -> None:
    listed = [folder("a", "b"), folder("b", "a"), folder("d", "b"), folder("self", "self"), folder("c")]
    found = list(containers(listed, "ROOT", {}))
    assert sorted(one.id for one in found) == sorted(one.id for one in listed)
    lost = [one for one in found if one.omit == "unreachable"]
    assert [(one.id, one.path, one.total) for one in lost] == [
        ("a", ("a",), 3),
        ("b", ("b",), 3),
        ("d", ("d",), 3),
    ]


def test_a_folder_that_is_nested_too_deep_is_counted() -> None:
    listed = [folder(str(depth), str(depth - 1)) for depth in range(DEEPEST + 5)]
    found = list(containers(listed, "ROOT", {}))
    assert [one.id for one in found] == [one.id for one in listed]
    assert {one.id for one in found if one.omit is None} == {str(depth) for depth in range(DEEPEST)}
    assert {one.omit for one in found[DEEPEST:]} == {"unreachable"}
    assert len(found[DEEPEST].path) == DEEPEST + 1


def test_a_folder_that_two_pages_name_is_one() -> None:
    found = list(containers([folder("a"), folder("b", "a"), folder("a")], "ROOT", {}))
    assert [one.id for one in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("listed", "known", "omit"),
    [
        ([folder("x", hidden=True), folder("y", "x")], {}, {"x": "hidden", "y": "hidden"}),
        ([folder("x", search=True)], {}, {"x": "search-folder"}),
        ([folder("x"), folder("y", "x")], {"x": "syncissues"}, {"x": "sync-issues", "y": "sync-issues"}),
        ([folder("x", class_="IPF.Contact.MOC.QuickContacts")], {}, {"x": "system-folder"}),
        (
            [folder("x", class_="IPF.Contact"), folder("y", "x", class_="IPF.Contact.RecipientCache")],
            {},
            {"y": "system-folder"},
        ),
        ([folder("x", class_="IPF.Journal")], {}, {"x": "journal"}),
        ([folder("x", class_="ipf.configuration")], {}, {"x": "system-folder"}),
        ([folder("x"), folder("y", class_="IPF.Note.OutlookHomepage"), folder("z", class_="")], {}, {}),
        ([folder("x", class_="IPF.Vendor.Unheard")], {}, {}),
    ],
)
def test_what_is_left_out_says_why(
    listed: list[ExchangeFolder], known: dict[str, str], omit: dict[str, str]
) -> None:
    found = {one.id: one.omit for one in containers(listed, "ROOT", known)}
    assert {id_: code for id_, code in found.items() if code} == omit
    assert len(found) == len(listed)


@pytest.mark.parametrize(
    ("class_", "kind"),
    [
        ("IPF.Note", Kind.MAIL),
        ("", Kind.MAIL),
        ("IPF.Imap", Kind.MAIL),
        ("IPF.Appointment", Kind.CALENDAR),
        ("IPF.Appointment.MAPI", Kind.CALENDAR),
        ("ipf.contact", Kind.CONTACTS),
        ("IPF.Task", Kind.TASKS),
        ("IPF.StickyNote", Kind.NOTES),
        ("IPF.Taskforce", Kind.MAIL),
    ],
)
def test_kinds_go_by_folder_class(class_: str, kind: Kind) -> None:
    assert kind_of(class_) is kind


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    monkeypatch.setenv("EWS_PASSWORD", "x")

    def make(url: str) -> EwsSource:
        chosen = EwsSettings(url=url, password=Secret(env="EWS_PASSWORD"), patience_seconds=2)
        return EwsSource(chosen, Account(login="a", address="Anna@Example.org"), tmp_path)

    return make  # type: ignore[return-value]


def resolution(address: str, *entries: str, kind: str = "Mailbox") -> str:
    listed = "".join(f'<t:Entry Key="EmailAddress{n}">{one}</t:Entry>' for n, one in enumerate(entries, 1))
    return (
        f"<t:Resolution><t:Mailbox><t:Name>N</t:Name><t:EmailAddress>{address}</t:EmailAddress>"
        f"<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>{kind}</t:MailboxType></t:Mailbox>"
        f"<t:Contact><t:EmailAddresses>{listed}</t:EmailAddresses></t:Contact></t:Resolution>"
    )


def resolving(*found: str) -> Script:
    content = f"<m:ResolutionSet>{''.join(found)}</m:ResolutionSet>"

    def script(request: Request) -> Answer:
        if request.operation != "ResolveNames":
            return root_folder()
        return Answer(envelope("ResolveNames", message("ResolveNames", content)))

    return script


@pytest.mark.parametrize(
    ("script", "addresses"),
    [
        (
            resolving(
                resolution("Anna@example.org", "SMTP:Anna@example.org", "smtp:A.Alt@example.org", "X500:/o=x")
            ),
            {"anna@example.org", "a.alt@example.org"},
        ),
        (
            resolving(resolution("anna@example.org.evil"), resolution("anna@example.org")),
            {"anna@example.org"},
        ),
        (resolving(resolution("joanna@example.org")), set()),
        (resolving(resolution("anna@example.org", kind="Contact")), set()),
        (lambda r: fault("ErrorInvalidRequest") if r.operation == "ResolveNames" else root_folder(), set()),
        (
            lambda r: (
                root_folder()
                if r.operation == "GetFolder"
                else Answer(envelope("ResolveNames", error("ResolveNames", "ErrorNameResolutionNoResults")))
            ),
            set(),
        ),
    ],
)
def test_addresses_are_those_stated_for_exactly_this_mailbox(
    ask, script: Script, addresses: set[str]
) -> None:  # type: ignore[no-untyped-def]
    with responder(script) as server:
        one = ask(server.url)
        found = one.identity()
        assert found.addresses == addresses
        assert (found.primary in addresses) if addresses else found.primary == ""
        assert found.system == "ews"
        assert found == one.identity()
        one.close()


def test_a_recreated_mailbox_is_somebody_else(ask) -> None:  # type: ignore[no-untyped-def]
    def script(request: Request) -> Answer:
        answer = root_folder()
        answer.body = str(answer.body).replace("ROOT", f"ROOT{len(seen)}")
        return answer if request.operation == "GetFolder" else fault("ErrorInvalidRequest")

    seen: list[int] = []
    with responder(script) as server:
        one = ask(server.url)
        before = one.identity()
        seen.append(1)
        assert one.identity().id != before.id
        one.close()


def test_a_server_that_knows_none_of_the_questions(ask) -> None:  # type: ignore[no-untyped-def]
    with responder(lambda _: fault("ErrorInvalidRequest")) as server:
        one = ask(server.url)
        assert list(one.extras()) == [
            ("archive-mailbox", None),
            ("recoverable-items", None),
            ("public-folders", None),
            ("inbox-rules", None),
            ("delegates", None),
            ("holds", None),
        ]
        one.close()


def test_senders_are_read_by_item_not_by_position(ask) -> None:  # type: ignore[no-untyped-def]
    def party(address: str) -> str:
        return f"<t:From><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:From>"

    def script(request: Request) -> Answer:
        if request.operation == "FindItem":
            ids = "".join(f'<t:Message><t:ItemId Id="{n}"/></t:Message>' for n in "abc")
            found = f'<m:RootFolder IncludesLastItemInRange="true"><t:Items>{ids}</t:Items></m:RootFolder>'
            return Answer(envelope("FindItem", message("FindItem", found)))
        parts = [
            item("c", None, extra=party("C@x.example")),
            error("GetItem", "ErrorItemNotFound"),
            item("a", None, extra=party("a@x.example")),
        ]
        return Answer(envelope("GetItem", *parts))

    with responder(script) as server:
        one = ask(server.url)
        assert one.sent_from() == ["a@x.example", "c@x.example"]
        one.close()


def test_a_mailbox_without_a_root_is_missing(ask) -> None:  # type: ignore[no-untyped-def]
    with responder(lambda _: Answer(envelope("GetFolder", message("GetFolder", "<m:Folders/>")))) as server:
        one = ask(server.url)
        with pytest.raises(Blocked, match="mailbox-missing"):
            one.identity()
        one.close()


def test_folders_come_in_pages_and_with_odd_properties(ask) -> None:  # type: ignore[no-untyped-def]
    def listed(id_: str, *tags: tuple[str, str]) -> str:
        extra = "".join(
            f'<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="{tag}" PropertyType="Long"/>'
            f"<t:Value>{value}</t:Value></t:ExtendedProperty>"
            for tag, value in tags
        )
        return (
            f'<t:Folder><t:FolderId Id="{id_}"/><t:ParentFolderId Id="ROOT"/>'
            "<t:FolderClass>IPF.Note</t:FolderClass>"
            f"<t:DisplayName>{id_}</t:DisplayName><t:TotalCount>7</t:TotalCount>{extra}</t:Folder>"
        )

    pages = {
        "0": (1, "false", listed("a", ("0xe08", "5000000000"), ("nonsense", "1"))),
        "1": (0, "false", listed("b", ("0x10F4", "true"))),
        "2": (3, "true", listed("c", ("3592", "12"), ("0x10f4", "false"))),
    }

    def script(request: Request) -> Answer:
        if request.operation != "FindFolder":
            return root_folder()
        offset = request.xml.partition('Offset="')[2].partition('"')[0]
        following, last, found = pages[offset]
        top = f'<m:RootFolder IndexedPagingOffset="{following}" IncludesLastItemInRange="{last}">'
        content = f"{top}<t:Folders>{found}</t:Folders></m:RootFolder>"
        return Answer(envelope("FindFolder", message("FindFolder", content)))

    with responder(script) as server:
        one = ask(server.url)
        found = [(c.path, c.total, c.size, c.omit) for c in one.containers()]
        assert found == [(("a",), 7, 5_000_000_000, None), (("b",), 7, None, "hidden"), (("c",), 7, 12, None)]
        one.close()


def test_pages_of_folders_without_end_are_not_waited_out(ask) -> None:  # type: ignore[no-untyped-def]
    entry = '<t:Folder><t:FolderId Id="F"/><t:DisplayName>f</t:DisplayName></t:Folder>'

    def script(request: Request) -> Answer:
        if request.operation == "GetFolder":
            return root_folder()
        asked.append(1)
        page = f'IndexedPagingOffset="{len(asked) * 40_000}" IncludesLastItemInRange="false"'
        folders = f"<m:RootFolder {page}><t:Folders>{entry}</t:Folders></m:RootFolder>"
        return Answer(envelope("FindFolder", message("FindFolder", folders)))

    asked: list[int] = []
    with responder(script) as server:
        one = ask(server.url)
        with pytest.raises(Transient, match="not-soap"):
            list(one.containers())
        one.close()
    assert len(asked) == 3


def test_an_empty_page_that_is_not_the_last_does_not_end_the_folders(ask) -> None:  # type: ignore[no-untyped-def]
    def entry(id_: str) -> str:
        return f'<t:Folder><t:FolderId Id="{id_}"/><t:DisplayName>{id_}</t:DisplayName></t:Folder>'

    def script(request: Request) -> Answer:
        if request.operation == "GetFolder":
            return root_folder()
        last, found = pages.pop(0)
        top = f'<m:RootFolder IncludesLastItemInRange="{last}">'
        page = f"{top}<t:Folders>{found}</t:Folders></m:RootFolder>"
        return Answer(envelope("FindFolder", message("FindFolder", page)))

    pages = [("false", entry("a")), ("false", ""), ("true", entry("b"))]
    with responder(script) as server:
        one = ask(server.url)
        assert [container.path for container in one.containers()] == [("a",), ("b",)]
        one.close()
