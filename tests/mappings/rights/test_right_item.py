"""A right of Exchange becomes one of the target, or waits, or is left, each with its code."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS
from mappings.rights.right_item import CODES, right_differing, right_digest
from mappings.rights.words import OWN_ITEMS
from model.errors import Rejected
from model.folder_rights import BESIDE, FolderRight, RightsForm, right_of
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Mapped, Native, Ref

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
KNOWN = {"bert@old.example": "bert", "carla@old.example": None, "b.b@old.example": "bert"}


def people(kind: Kind, address: str) -> Mapping[str, str | None]:
    assert kind is Kind.MAIL
    return {address: KNOWN[address]} if address in KNOWN else {}


CONTEXT = Context(
    Capabilities(frozenset({Kind.PERMISSIONS}), rights={Kind.MAIL: RightsForm.ACL}),
    NOW,
    NOW,
    addresses={"/o=old/cn=bert": "bert@old.example"},
    places={"in": (Kind.MAIL, "INBOX"), "cal": (Kind.CALENDAR, "cal/")},
    people=people,
)


def user(address: str) -> str:
    return f"<t:UserId><t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress></t:UserId>"


def entry(who: str, level: str = "Reviewer", more: str = "") -> str:
    return f"<t:Permission>{who}{more}<t:PermissionLevel>{level}</t:PermissionLevel></t:Permission>"


def native(body: str, folder: str = "in", kind: str = "mail", *, id_: str = "one") -> Native:
    properties = {"Folder": folder, "Kind": kind}
    return Native(Ref(id_, "1"), "ews-right", properties, lambda: io.BytesIO(whole(body)))


def whole(body: str) -> bytes:
    return f"<m:Items {SPACES}>{body}</m:Items>".encode()


def together(*bodies: str) -> list[Mapped]:
    """What the entries of one folder become, each with the others beside it."""
    every = [(f"{number}", "ews-right", whole(body)) for number, body in enumerate(bodies)]
    found = []
    for number, body in enumerate(bodies):
        one = native(body, id_=f"{number}")
        beside = tuple(entry for entry in every if entry[0] != f"{number}")
        shown = replace(one, properties={**one.properties, BESIDE: beside})
        found.append(ITEM_FORMS[Kind.PERMISSIONS].map(shown, CONTEXT))
    return found


def mapped(body: str, folder: str = "in", kind: str = "mail") -> Mapped:
    return ITEM_FORMS[Kind.PERMISSIONS].map(native(body, folder, kind), CONTEXT)


def right(result: Mapped) -> FolderRight:
    assert result.left == ""
    with result.item.body() as stream:
        return right_of(stream.read().decode())


def test_a_person_gets_the_right_in_the_words_of_the_target() -> None:
    result = mapped(entry(user("Bert@old.example"), "Author"))
    assert right(result) == FolderRight(Kind.MAIL, "INBOX", "bert", "ilprs")
    assert result.losses == (OWN_ITEMS,)
    assert result.item.digest == right_digest(result.item.body())
    by_x500 = mapped(entry(user("/o=Old/cn=Bert"), "Editor"))
    assert right(by_x500) == FolderRight(Kind.MAIL, "INBOX", "bert", "eilprstw")


@pytest.mark.parametrize(
    ("body", "folder", "kind", "code"),
    [
        (entry(user("carla@old.example")), "in", "mail", "person-later"),
        (entry(user("nobody@old.example")), "in", "mail", "right-of-unknown"),
        (entry("<t:UserId><t:SID>S-1-5-21</t:SID></t:UserId>"), "in", "mail", "right-of-unknown"),
        (entry(user("bert@old.example")), "new", "mail", "folder-later"),
        (entry(user("bert@old.example")), "cal", "calendar", "right-of-unmoved-folder"),
        (entry(user("bert@old.example")), "log", "", "right-of-unmoved-folder"),
        (entry(user("bert@old.example"), "None"), "in", "mail", "right-to-nothing"),
        (entry(user("bert@old.example"), "FreeBusyTimeOnly"), "in", "mail", "right-unsaid"),
        (
            entry("<t:UserId><t:DistinguishedUser>Default</t:DistinguishedUser></t:UserId>", "Owner"),
            "in",
            "mail",
            "right-for-everyone",
        ),
        (
            entry(
                "<t:UserId><t:DistinguishedUser>Default</t:DistinguishedUser></t:UserId>", "FreeBusyTimeOnly"
            ),
            "cal",
            "calendar",
            "free-busy-for-everyone",
        ),
        (
            entry("<t:UserId><t:DistinguishedUser>Anonymous</t:DistinguishedUser></t:UserId>"),
            "in",
            "mail",
            "right-for-everyone",
        ),
        (
            entry("<t:UserId><t:ExternalUserIdentity>x@y.example</t:ExternalUserIdentity></t:UserId>"),
            "in",
            "mail",
            "right-for-outsider",
        ),
        ("<t:UnknownEntry>S-1-5-21-4711</t:UnknownEntry>", "in", "mail", "right-of-deleted"),
        ("<t:UntoldRights/>", "in", "mail", "rights-untold"),
    ],
)
def test_what_is_not_given_has_its_code(body: str, folder: str, kind: str, code: str) -> None:
    result = mapped(body, folder, kind)
    assert result.left == code
    assert code in CODES


def test_the_single_rights_narrow_a_level_and_make_up_a_custom_one() -> None:
    """A server may say Owner and mean less; it may call a known level Custom, and leave elements out."""
    less = "<t:IsFolderOwner>false</t:IsFolderOwner><t:DeleteItems>None</t:DeleteItems>"
    assert right(mapped(entry(user("bert@old.example"), "Owner", less))).words == "iklprsw"
    custom = "<t:CanCreateSubFolders>true</t:CanCreateSubFolders><t:ReadItems>FullDetails</t:ReadItems>"
    assert right(mapped(entry(user("bert@old.example"), "Custom", custom))).words == "klrs"
    assert (
        right(mapped(entry(user("bert@old.example"), "Neu", custom.replace("SubF", "Subf")))).words == "klrs"
    )
    odd = "<t:EditItems>Everything</t:EditItems><t:ReadItems>FullDetails</t:ReadItems>"
    assert right(mapped(entry(user("bert@old.example"), "Editor", odd))).words == "eilprst"


def test_two_entries_of_a_person_are_given_as_one_right_that_adds_them_up() -> None:
    """Under two addresses, too: the target has one right for each person."""
    first, second, third = together(
        entry(user("bert@old.example"), "Contributor"),
        entry(user("b.b@old.example"), "Reviewer"),
        entry(user("nobody@old.example"), "Owner"),
    )
    assert right(first).words == "ilprs"
    assert second.left == "right-named-twice"
    assert third.left == "right-of-unknown"
    for text in ("Owner", "None"):
        alone, _ = together(entry(user("bert@old.example"), "Reviewer"), entry(user("x@old.example"), text))
        assert right(alone).words == "lrs", "what others have is nothing to them"


def test_what_a_delegate_loses_is_named() -> None:
    delegate = (
        "<t:DelegateUser><t:ReceiveCopiesOfMeetingMessages>true</t:ReceiveCopiesOfMeetingMessages>"
        "<t:ViewPrivateItems>true</t:ViewPrivateItems></t:DelegateUser>"
    )
    result = mapped(entry(user("bert@old.example"), "Editor") + delegate)
    lost = ("send-on-behalf", "private-items", "meeting-copies")
    assert result.losses == tuple(Loss("right", reason) for reason in lost)
    assert mapped(delegate, "", "").left == "send-on-behalf"


def test_two_rights_differ_by_their_parts() -> None:
    one, other = (
        io.BytesIO(FolderRight(Kind.MAIL, "INBOX", who, words).text().encode())
        for who, words in (("bert", "lrs"), ("bert", "lr"))
    )
    assert right_differing(one, other, NOW) == ("words",)
    for text in (b"", b"[]", b'{"kind":"mail"}', b'{"folder":"a","kind":"toys","who":"b","words":"c"}'):
        with pytest.raises(Rejected, match="malformed-record"):
            right_digest(io.BytesIO(text))
