"""Appointments, contacts, tasks and notes by EWS from a scripted server: whole records, or a fate."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from ews_records_script import (
    CALENDAR,
    CONTACTS,
    NOTES,
    TASKS,
    Desk,
    T,
    attached,
    element,
    elements,
    event,
    file_,
    files,
    mail_in,
    outcome,
    series,
    subjects,
    wanted,
)
from ews_responder import Answer, Request, envelope, error, fault, message, responder
from ews_scripts import Open

from model.errors import Blocked, Transient
from model.protocols import Container, Native, Ref

FIRST, SECOND, THIRD = "2024-03-01T09:00:00Z", "2024-03-08T09:00:00Z", "2024-03-15T09:00:00Z"


def refs(*ids: str) -> list[Ref]:
    return [Ref(one, "old", size=1000) for one in ids]


@pytest.mark.parametrize(
    ("container", "tag", "class_", "format_"),
    [
        (CALENDAR, "CalendarItem", "IPM.Appointment", "ews-event"),
        (CONTACTS, "Contact", "IPM.Contact", "ews-contact"),
        (TASKS, "Task", "IPM.Task", "ews-task"),
        (NOTES, "Message", "IPM.StickyNote", "ews-note"),
        (CALENDAR, "Message", "IPM.Activity", "ews-event"),
    ],
)
def test_an_item_comes_as_the_format_of_its_folder(
    source: Open, container: Container, tag: str, class_: str, format_: str
) -> None:
    desk = Desk({"a": element(tag, "a", class_=class_, key="K7"), "b": element(tag, "b", class_=class_)})
    with responder(desk) as server:
        found = outcome(source(server).fetch(container, refs("a", "b")), "a", "b")
    native = found["a"]
    assert isinstance(native, Native)
    assert (native.format, native.ref.version) == (format_, "K7")
    assert native.properties == {"ItemClass": class_, "Attachments": {}}
    assert [one.tag for one in elements(native)] == [T + tag]
    assert subjects(native) == ["a"]
    assert subjects(found["b"]) == ["b"]
    assert len(desk.of("GetItem")) == 1


def test_what_is_asked_gives_both_texts_and_no_mime(source: Open) -> None:
    desk = Desk({"a": event("a")})
    with responder(desk) as server:
        list(source(server).fetch(CALENDAR, refs("a")))
    xml = desk.asked[0].xml
    assert "<t:BodyType>Best</t:BodyType>" in xml
    for uri in ("item:Body", "item:TextBody", "calendar:Recurrence", "calendar:StartTimeZone"):
        assert f'FieldURI="{uri}"' in xml
    assert "MimeContent" not in xml


def test_without_bodies_only_the_class_is_asked_for(source: Open) -> None:
    desk = Desk({"a": series("a", ("a1", FIRST), extra=attached("f"))})
    with responder(desk) as server:
        (native,) = source(server).fetch(CALENDAR, refs("a"), bodies=False)
    assert isinstance(native, Native)
    assert native.body is None
    assert native.properties["ItemClass"] == "IPM.Appointment"
    assert [one.operation for one in desk.asked] == ["GetItem"]
    assert "item:Body" not in desk.asked[0].xml


def test_changed_occurrences_of_a_whole_batch_are_asked_for_together(source: Open) -> None:
    items = {
        "a": series("a", ("a3", THIRD), ("a1", FIRST), ("a2", SECOND)),
        "b": series("b", ("b1", SECOND)),
        "c": event("c"),
    }
    items |= {one: event(one) for one in ("a1", "a2", "a3", "b1")}
    desk = Desk(items)
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a", "b", "c")), "a", "b", "c")
    assert subjects(found["a"]) == ["a", "a1", "a2", "a3"]
    assert subjects(found["b"]) == ["b", "b1"]
    assert subjects(found["c"]) == ["c"]
    assert [sorted(one.ids) for one in desk.of("GetItem")] == [["a", "b", "c"], ["a1", "a2", "a3", "b1"]]


def test_attachments_of_a_whole_batch_are_asked_for_together(source: Open) -> None:
    big = bytes(range(256)) * 2000
    desk = Desk(
        {
            "a": series("a", ("a1", FIRST), extra=attached("f1", "f2")),
            "a1": event("a1", attached("f3")),
            "b": event("b", attached("m1", tag="ItemAttachment") + attached("r1", tag="ReferenceAttachment")),
        },
        {
            "f1": file_("f1", b"one"),
            "f2": file_("f2", big),
            "f3": file_("f3", b""),
            "m1": mail_in("m1", b"Subject: inside\r\n\r\n"),
        },
    )
    with responder(desk) as server:
        found = outcome(source(server, spool_above=1000).fetch(CALENDAR, refs("a", "b")), "a", "b")
    assert files(found["a"]) == {"f1": b"one", "f2": big, "f3": b""}
    assert files(found["b"]) == {"m1": b"Subject: inside\r\n\r\n"}
    assert [wanted(one) for one in desk.of("GetAttachment")] == [["f1", "f2", "m1", "f3"]]


def test_an_occurrence_deleted_meanwhile_has_its_master_asked_again(source: Open) -> None:
    desk = Desk({"a": series("a", ("a1", FIRST), ("a2", SECOND)), "a2": event("a2"), "b": event("b")})

    def edit(request: Request, _: int) -> Answer | None:
        if "a1" in request.ids:
            desk.items["a"] = series("a", ("a2", SECOND))
        return None

    desk.flaw = edit
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a", "b")), "a", "b")
    assert subjects(found["a"]) == ["a", "a2"]
    assert subjects(found["b"]) == ["b"]
    assert [one.ids for one in desk.of("GetItem")] == [["a", "b"], ["a1", "a2"], ["a"], ["a2"]]


def test_an_occurrence_that_never_was_costs_its_series_alone(source: Open) -> None:
    desk = Desk({"a": series("a", ("a1", FIRST)), "b": series("b", ("b1", FIRST)), "b1": event("b1")})
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a", "b")), "a", "b")
    assert found["a"] == "occurrence-missing"
    assert subjects(found["b"]) == ["b", "b1"]
    assert len(desk.of("GetItem")) == 2 + 2 * 2


def test_a_series_deleted_with_its_occurrences_has_vanished(source: Open) -> None:
    desk = Desk({"a": series("a", ("a1", FIRST))})

    def delete(request: Request, _: int) -> Answer | None:
        if "a1" in request.ids:
            del desk.items["a"]
        return None

    desk.flaw = delete
    with responder(desk) as server:
        assert outcome(source(server).fetch(CALENDAR, refs("a")), "a") == {"a": "vanished"}


def test_a_poison_occurrence_costs_its_series_alone(source: Open) -> None:
    desk = Desk({"a": series("a", ("a1", FIRST)), "b": series("b", ("b1", FIRST)), "b1": event("b1")})
    desk.flaw = lambda request, _: fault("ErrorInternalServerError") if "a1" in request.ids else None
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a", "b")), "a", "b")
    assert found["a"] == "poison-item"
    assert subjects(found["b"]) == ["b", "b1"]


@pytest.mark.parametrize("code", ["ErrorItemCorrupt", "ErrorCorruptData"])
def test_a_corrupt_occurrence_costs_its_series_alone(source: Open, code: str) -> None:
    desk = Desk({"a": series("a", ("a1", FIRST)), "b": series("b", ("b1", FIRST)), "b1": event("b1")})
    corrupt = Answer(envelope("GetItem", error("GetItem", code)))

    def flaw(request: Request, _: int) -> Answer | None:
        if "a1" not in request.ids:
            return None
        told = [desk.item(one) for one in request.ids if one != "a1"]
        return Answer(envelope("GetItem", error("GetItem", code), *told)) if told else corrupt

    desk.flaw = flaw
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a", "b")), "a", "b")
    assert found["a"] == "corrupt-at-source"
    assert subjects(found["b"]) == ["b", "b1"]


@pytest.mark.parametrize("operation", ["GetItem", "GetAttachment"])
@pytest.mark.parametrize(
    "passing",
    [
        fault("ErrorServerBusy", {"BackOffMilliseconds": "20"}),
        Answer("x", status=503, headers={"Retry-After": "0"}),
        Answer("half", cut=2),
    ],
    ids=["busy", "503", "cut"],
)
def test_what_passes_is_waited_out_and_nothing_is_left_out(
    source: Open, operation: str, passing: Answer
) -> None:
    items = {"a": series("a", ("a1", FIRST), extra=attached("f1")), "a1": event("a1"), "b": event("b")}
    desk = Desk(items, {"f1": file_("f1", b"one")})
    desk.flaw = lambda request, before: passing if request.operation == operation and before < 2 else None
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a", "b")), "a", "b")
    assert subjects(found["a"]) == ["a", "a1"]
    assert files(found["a"]) == {"f1": b"one"}


def test_occurrences_busy_among_others_are_asked_for_again(source: Open) -> None:
    desk = Desk({"a": series("a", ("a1", FIRST), ("a2", SECOND)), "a1": event("a1"), "a2": event("a2")})

    def busy(request: Request, before: int) -> Answer | None:
        if before != 1:
            return None
        late = error("GetItem", "ErrorServerBusy", {"BackOffMilliseconds": "20"})
        return Answer(envelope("GetItem", late, desk.item("a2")))

    desk.flaw = busy
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
    assert subjects(found["a"]) == ["a", "a1", "a2"]
    assert desk.of("GetItem")[2].ids == ["a1"]


def test_a_line_cut_between_items_repeats_only_what_was_not_whole(source: Open) -> None:
    text = f"<t:Body BodyType='Text'>{'x' * 300_000}</t:Body>"
    desk = Desk({one: event(one, text) for one in "abcdef"})

    def cut(request: Request, before: int) -> Answer | None:
        answer = desk.answer(request)
        answer.cut = 1_000_000
        return answer if before == 0 else None

    desk.flaw = cut
    with responder(desk) as server:
        found = outcome(source(server, spool_above=1000).fetch(CALENDAR, refs(*"abcdef")), *"abcdef")
    assert {id_: subjects(one) for id_, one in found.items()} == {one: [one] for one in "abcdef"}
    assert desk.of("GetItem")[1].ids == ["d", "e", "f"]


@pytest.mark.parametrize("flawed", ["QUJDR", None])
def test_an_unreadable_attachment_is_left_out_alone(source: Open, flawed: str | None) -> None:
    bad = file_("f2", flawed) if flawed else error("GetAttachment", "ErrorCorruptData")
    desk = Desk({"a": event("a", attached("f1", "f2"))}, {"f1": file_("f1", b"one"), "f2": bad})
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
    assert files(found["a"]) == {"f1": b"one"}
    assert subjects(found["a"]) == ["a"]


def test_base64_damaged_on_the_way_is_read_again(source: Open) -> None:
    desk = Desk({"a": event("a", attached("f1"))}, {"f1": file_("f1", b"one")})

    def damage(request: Request, before: int) -> Answer | None:
        first = request.operation == "GetAttachment" and before == 0
        return Answer(envelope("GetAttachment", file_("f1", "QUJDR"))) if first else None

    desk.flaw = damage
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
    assert files(found["a"]) == {"f1": b"one"}


def bare(id_: str) -> str:
    """A file without its content."""
    entry = f'<t:FileAttachment><t:AttachmentId Id="{id_}"/><t:Name>n</t:Name></t:FileAttachment>'
    return message("GetAttachment", f"<m:Attachments>{entry}</m:Attachments>")


def test_a_file_without_its_content_is_asked_for_again(source: Open) -> None:
    desk = Desk({"a": event("a", attached("f1"))}, {"f1": file_("f1", b"one")})

    def leave_out(request: Request, before: int) -> Answer | None:
        first = request.operation == "GetAttachment" and before == 0
        return Answer(envelope("GetAttachment", bare("f1"))) if first else None

    desk.flaw = leave_out
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
    assert files(found["a"]) == {"f1": b"one"}


@pytest.mark.parametrize(("size", "kept"), [(10, {"f1": b""}), (90_000, {})])
def test_a_file_that_never_has_content_is_empty_where_its_size_says_so(
    source: Open, size: int, kept: dict[str, bytes]
) -> None:
    listed = attached("f1").replace("<t:Size>10<", f"<t:Size>{size}<")
    with responder(Desk({"a": event("a", listed)}, {"f1": bare("f1")})) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
    assert files(found["a"]) == kept


def test_an_attachment_that_kills_the_server_is_left_out_and_an_outage_is_not_blamed_on_it(
    source: Open,
) -> None:
    desk = Desk({"a": event("a", attached("f1", "f2"))}, {one: file_(one, b"one") for one in ("f1", "f2")})
    desk.flaw = lambda request, _: Answer("half", cut=2) if "f2" in wanted(request) else None
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
        assert files(found["a"]) == {"f1": b"one"}
        desk.flaw = lambda request, _: (
            fault("ErrorServerBusy") if request.operation == "GetAttachment" else None
        )
        with pytest.raises(Transient, match="busy"):
            list(source(server, patience_seconds=0.3).fetch(CALENDAR, refs("a")))


def test_an_attachment_gone_meanwhile_has_its_item_asked_again(source: Open) -> None:
    desk = Desk({"a": event("a", attached("f1", "f2"))}, {"f2": file_("f2", b"two")})

    def edit(request: Request, _: int) -> Answer | None:
        if request.operation == "GetAttachment":
            desk.items["a"] = event("a", attached("f2"))
        return None

    desk.flaw = edit
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
    assert files(found["a"]) == {"f2": b"two"}
    assert 'Id="f1"' not in str(elements(found["a"])[0].find(T + "Attachments/*"))
    assert len(desk.of("GetItem")) == 2


def test_many_attachments_are_not_all_held_in_memory(source: Open, tmp_path: Path) -> None:
    content = {f"f{n}": bytes([n]) * 500_000 for n in range(10)}
    desk = Desk({"a": event("a", attached(*content))}, {id_: file_(id_, one) for id_, one in content.items()})
    with responder(desk) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors.ews.attachments.KEPT_MOST", 2_000_000)
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
        native = found["a"]
        assert isinstance(native, Native)
        held = native.properties["Attachments"]
        assert isinstance(held, dict)
        streams = [body() for body in held.values()]
        assert sum(isinstance(one, BytesIO) for one in streams) == 4
    assert files(native) == content
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_stranger_in_the_folder_brings_no_attachments(source: Open) -> None:
    desk = Desk({"a": element("Message", "a", attached("f1"), class_="IPM.Note")})
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
    assert files(found["a"]) == {}
    assert not desk.of("GetAttachment")


def test_forbidden_characters_arrive_as_one_that_nobody_writes(source: Open) -> None:
    desk = Desk({"a": event("a", "<t:Location>R\x01aum&#x2;</t:Location>")})
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs("a")), "a")
    assert elements(found["a"])[0].findtext(T + "Location") == "R\ufdd0aum\ufdd0"


def test_mime_that_nobody_asked_for_is_dropped(source: Open) -> None:
    desk = Desk({"a": element("Contact", "a", "<t:MimeContent>QUJD</t:MimeContent>")})
    with responder(desk) as server:
        found = outcome(source(server).fetch(CONTACTS, refs("a")), "a")
    assert elements(found["a"])[0].find(T + "MimeContent") is None


def test_access_denied_to_all_blocks_the_mailbox(source: Open) -> None:
    desk = Desk(flaw=lambda request, _: fault("ErrorAccessDenied") if request.ids else None)
    with responder(desk) as server, pytest.raises(Blocked, match="access-denied"):
        list(source(server).fetch(CALENDAR, refs("a", "b")))


MEMBERS = (
    "<t:Members><t:Member><t:Mailbox><t:EmailAddress>x@example.org</t:EmailAddress></t:Mailbox>"
    "</t:Member></t:Members>"
)


def expansion(*addresses: str) -> Answer:
    boxes = "".join(f"<t:Mailbox><t:EmailAddress>{one}</t:EmailAddress></t:Mailbox>" for one in addresses)
    content = f'<m:DLExpansion IncludesLastItemInRange="true">{boxes}</m:DLExpansion>'
    return Answer(envelope("ExpandDL", message("ExpandDL", content)))


def test_members_are_expanded_only_where_the_item_does_not_tell(source: Open) -> None:
    items = {
        one: element("DistributionList", one, MEMBERS if one == "told" else "", class_="IPM.DistList")
        for one in ("told", "asked", "empty")
    }
    nobody = Answer(envelope("ExpandDL", error("ExpandDL", "ErrorNameResolutionNoResults")))
    lists = {"asked": expansion("a@example.org", "b@example.org"), "empty": nobody}
    desk = Desk(items, lists=lists)
    with responder(desk) as server:
        found = outcome(source(server).fetch(CONTACTS, refs(*items)), *items)
    path = f"{T}Members/{T}Member/{T}Mailbox/{T}EmailAddress"
    addresses = {id_: [e.text for e in elements(one)[0].findall(path)] for id_, one in found.items()}
    assert addresses == {
        "told": ["x@example.org"],
        "asked": ["a@example.org", "b@example.org"],
        "empty": [],
    }
    assert elements(found["empty"])[0].find(T + "Members") is not None
    assert sorted(one.ids[0] for one in desk.of("ExpandDL")) == ["asked", "empty"]


def test_a_server_that_expands_nothing_is_asked_once_and_no_list_looks_empty(source: Open) -> None:
    items = {one: element("DistributionList", one, class_="IPM.DistList") for one in "abc"}
    desk = Desk(items, lists=dict.fromkeys("abc", fault("ErrorInvalidRequest")))
    with responder(desk) as server:
        one = source(server)
        found = outcome(one.fetch(CONTACTS, refs(*"ab")), *"ab") | outcome(
            one.fetch(CONTACTS, refs("c")), "c"
        )
    assert [elements(one)[0].find(T + "Members") for one in found.values()] == [None, None, None]
    assert len(desk.of("ExpandDL")) == 1
