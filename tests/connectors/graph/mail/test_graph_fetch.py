"""Reading mails: properties, message bytes, what fails alone, and what is never asked for again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from graph_script import HOME, INBOX, Answer, Ask, Cloud, Open, error, message

from connectors.graph.mail import SMALL
from connectors.graph_api.messages import moment, properties
from model.errors import Blocked, Transient
from model.kinds import Kind
from model.protocols import Failed, Native, Ref, key_of

MIME = b"Subject: hello\r\n\r\nbody\r\n"
BASE = f"{HOME}/messages/"


def outcome(results: list[Native | Failed]) -> dict[bytes, Native | Failed]:
    paired = {one.key if isinstance(one, Failed) else key_of(one.ref.id): one for one in results}
    assert len(paired) == len(results)
    return paired


def code(result: Native | Failed) -> str:
    assert isinstance(result, Failed), result
    return result.error.code


def data(result: Native | Failed) -> bytes:
    assert isinstance(result, Native), result
    assert result.body is not None
    with result.body() as stream:
        return stream.read()


def box(sizes: dict[str, int], special: dict[str, Answer] | None = None) -> Cloud:
    """Mails of these sizes; special answers by what follows the mail's path."""

    def script(ask: Ask) -> Answer:
        name = ask.path.removeprefix(BASE)
        if special and name in special:
            return special[name]
        id_, _, value = name.partition("/")
        if id_ not in sizes:
            return Answer({"id": "F1"}) if "/mailFolders/" in ask.path else error("ErrorItemNotFound", 404)
        if value == "$value":
            return Answer(data=MIME + id_.encode())
        return Answer(message(id_, size=sizes[id_]))

    return Cloud(script)


def refs(*ids: str) -> list[Ref]:
    return [Ref(id_, "listed") for id_ in ids]


def test_small_mails_come_twenty_in_a_batch_and_large_ones_alone(source: Open) -> None:
    sizes = {f"m{at}": 500 for at in range(30)} | {"big": SMALL + 1}
    cloud = box(sizes)
    found = outcome(list(source(cloud).fetch(INBOX, refs(*sizes))))
    assert {id_: data(found[key_of(id_)]) for id_ in sizes} == {id_: MIME + id_.encode() for id_ in sizes}
    alone = [ask.path for ask in cloud.asks if not ask.batched]
    assert alone == [f"{BASE}big/$value"]
    assert max(len(one) for one in cloud.batches) == 20


def test_a_mail_of_unknown_size_is_streamed(source: Open) -> None:
    cloud = box({"a": 0, "b": 0})
    assert len(outcome(list(source(cloud).fetch(INBOX, refs("a", "b"))))) == 2
    assert sum(not ask.batched for ask in cloud.asks) == 2


def test_a_large_body_goes_to_a_file_without_a_name(source: Open, tmp_path: Path) -> None:
    large = b"x" * 300_000
    cloud = box({"m1": SMALL + 1}, {"m1/$value": Answer(data=large)})
    (result,) = source(cloud, spool_above=100_000).fetch(INBOX, refs("m1"))
    assert data(result) == data(result) == large
    assert list((tmp_path / "spool").iterdir()) == []


def test_properties_and_bodies_are_those_of_the_version_that_was_read(source: Open) -> None:
    cloud = box({"m1": 500})
    (result,) = source(cloud).fetch(INBOX, refs("m1"))
    assert isinstance(result, Native)
    assert (result.format, result.ref) == ("graph-message", Ref("m1", "CK-m1/r0", size=500))


def test_without_bodies_no_mail_is_read(source: Open) -> None:
    cloud = box({"m1": 500})
    (result,) = source(cloud).fetch(INBOX, refs("m1"), bodies=False)
    assert isinstance(result, Native)
    assert result.body is None
    assert cloud.paths() == [f"{BASE}m1"]


def test_every_property_is_read() -> None:
    tags = {
        "String 0x1a": "IPM.Note.Custom", "Integer 0xe07": "65", "Integer 0x1081": "103",
        "Integer 0x1090": "1", "Integer 0xe08": "4711", "SystemTime 0xe06": "2024-02-03T04:05:07Z",
    }  # fmt: skip
    item = message(
        "m1",
        isRead=True,
        isDraft=True,
        isReadReceiptRequested=True,
        categories=["Rot", "Grün"],
        importance="high",
        sentDateTime="2024-02-03T04:05:01.1234567Z",
        createdDateTime="2024-02-03T05:05:02+01:00",
        internetMessageId="<1@example.org>",
        singleValueExtendedProperties=[{"id": k, "value": v} for k, v in tags.items()],
        **{"from": {"emailAddress": {"name": "Ben", "address": "ben@example.org"}}},
    )
    assert properties(item) == {
        "ItemClass": "IPM.Note.Custom",
        "IsRead": True,
        "IsDraft": True,
        "IsReadReceiptRequested": True,
        "IsAssociated": True,
        "Categories": ("Rot", "Grün"),
        "Importance": "High",
        "Flag": "Complete",
        "LastVerb": 103,
        "Received": datetime(2024, 2, 3, 4, 5, 7, tzinfo=UTC),
        "Sent": datetime(2024, 2, 3, 4, 5, 1, 123456, tzinfo=UTC),
        "Created": datetime(2024, 2, 3, 4, 5, 2, tzinfo=UTC),
        "MessageId": "<1@example.org>",
        "From": "ben@example.org",
        "Size": 4711,
        "Rebuilt": False,
    }


def test_a_mail_that_tells_nothing_has_neutral_properties() -> None:
    found = properties({"id": "m1"})
    assert (found["ItemClass"], found["Importance"], found["Flag"]) == ("IPM.Note", "Normal", "NotFlagged")
    assert (found["Received"], found["From"], found["Size"]) == (None, None, 0)
    assert properties({"@odata.type": "#microsoft.graph.eventMessageRequest"})["ItemClass"].startswith(  # type: ignore[attr-defined]
        "IPM.Schedule.Meeting"
    )


@pytest.mark.parametrize(
    ("stated", "flag"), [("flagged", "Flagged"), ("complete", "Complete"), ("odd", "odd")]
)
def test_a_flag_is_read_from_its_status_too(stated: str, flag: str) -> None:
    assert properties({"flag": {"flagStatus": stated}})["Flag"] == flag


@pytest.mark.parametrize(
    "party",
    [None, {}, {"emailAddress": {"address": "/O=EX/CN=BEN@X"}}, {"emailAddress": {"address": "Ben"}}, "x"],
)
def test_a_sender_without_a_mail_address_is_none(party: object) -> None:
    assert properties({"from": party})["From"] is None


@pytest.mark.parametrize("text", [None, "", "0000-00-00T00:00:00Z", "datetime-value", "2024-13-01T00:00:00Z"])
def test_a_date_that_is_none_is_none(text: str | None) -> None:
    assert moment(text) is None


def test_a_mail_that_is_gone_fails_alone(source: Open) -> None:
    found = outcome(list(source(box({"a": 5, "c": 5})).fetch(INBOX, refs("a", "b", "c"))))
    assert code(found[key_of("b")]) == "vanished"
    assert sum(isinstance(one, Native) for one in found.values()) == 2


def test_a_mail_that_moved_to_another_folder_is_not_this_folders_any_more(source: Open) -> None:
    folders = [
        {"id": id_, "displayName": id_, "parentFolderId": "T", "totalItemCount": 1} for id_ in ("F1", "F2")
    ]

    def script(ask: Ask) -> Answer:
        if ask.path.endswith("childFolders"):
            return Answer({"value": folders if "/T/" in ask.path else []})
        if "/mailFolders/" in ask.path:
            return Answer({"id": "T"}) if "root" in ask.path else error("ErrorItemNotFound", 404)
        return Answer(message("m1", parentFolderId="F2")) if "$value" not in ask.path else Answer(data=MIME)

    opened = source(Cloud(script))
    first, second = opened.containers()
    assert code(next(opened.fetch(first, refs("m1")))) == "vanished"
    assert data(next(opened.fetch(second, refs("m1")))) == MIME


def test_a_mail_that_cannot_be_made_a_message_is_asked_for_once(source: Open) -> None:
    special = {
        "m1/$value": error("ErrorMimeContentConversionFailed", 500),
        "m1/attachments": error("ErrorInternalServerError", 500),
    }
    cloud = box({"m1": 500, "m2": 500}, special)
    found = outcome(list(source(cloud, patience_seconds=1).fetch(INBOX, refs("m1", "m2"))))
    assert code(found[key_of("m1")]) == "mime-conversion-failed"
    assert data(found[key_of("m2")]) == MIME + b"m2"
    assert cloud.paths().count(f"{BASE}m1/$value") == 1


@pytest.mark.parametrize("size", [500, SMALL + 1])
def test_a_mail_on_which_the_server_fails_is_poison_and_the_others_are_read(source: Open, size: int) -> None:
    cloud = box({"a": size, "b": size, "c": size}, {"b/$value": error("ErrorInternalServerError", 500)})
    found = outcome(list(source(cloud).fetch(INBOX, refs("a", "b", "c"))))
    assert code(found[key_of("b")]) == "poison-item"
    assert sum(isinstance(one, Native) for one in found.values()) == 2
    assert cloud.paths().count(f"{BASE}b/$value") == 4


def test_an_outage_is_not_blamed_on_a_mail(source: Open) -> None:
    cloud = box({"m1": SMALL + 1}, {"m1/$value": error("UnknownError", 500)})
    inner = cloud.script
    cloud.script = lambda ask: error("UnknownError", 500) if "root" in ask.path else inner(ask)
    with pytest.raises(Transient, match="server-error"):
        list(source(cloud).fetch(INBOX, refs("m1")))


def test_a_damaged_body_is_asked_for_once_more_alone(source: Open) -> None:
    cloud = box({"a": 5, "b": 5})
    inner = cloud.script

    def script(ask: Ask) -> Answer:
        return Answer("QUJ") if ask.batched and ask.path.endswith("a/$value") else inner(ask)

    cloud.script = script
    found = outcome(list(source(cloud).fetch(INBOX, refs("a", "b"))))
    assert data(found[key_of("a")]) == MIME + b"a"


def test_a_server_that_puts_no_bytes_into_batches_is_not_asked_to_again(source: Open) -> None:
    cloud = box({f"m{at}": 5 for at in range(40)})
    inner = cloud.script

    def script(ask: Ask) -> Answer:
        return Answer("Subject: x") if ask.batched and ask.path.endswith("$value") else inner(ask)

    cloud.script = script
    found = outcome(list(source(cloud).fetch(INBOX, refs(*(f"m{at}" for at in range(40))))))
    assert sorted(map(data, found.values())) == sorted(MIME + f"m{at}".encode() for at in range(40))
    assert sum(ask.batched and ask.path.endswith("$value") for ask in cloud.asks) == 20


def test_a_mail_that_may_not_be_read_is_refused_unless_its_folder_is(source: Open) -> None:
    special = {"m1": error("ErrorAccessDenied", 403)}
    found = outcome(list(source(box({"m1": 5, "m2": 5}, special)).fetch(INBOX, refs("m1", "m2"))))
    assert code(found[key_of("m1")]) == "item-refused"
    denied = Cloud(lambda _: error("ErrorAccessDenied", 403))
    with pytest.raises(Blocked, match="access-denied"):
        list(source(denied).fetch(INBOX, refs("m1", "m2")))


def test_a_mailbox_that_is_not_there_is_no_fault_of_its_mails(source: Open) -> None:
    gone = Cloud(lambda _: error("ErrorInvalidUser", 404))
    with pytest.raises(Blocked, match="mailbox-missing"):
        list(source(gone).fetch(INBOX, refs("m1", "m2")))


def test_other_kinds_are_not_guessed(source: Open) -> None:
    assert source(box({})).capabilities.kinds >= {Kind.MAIL}
