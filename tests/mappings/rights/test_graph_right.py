"""A right in Graph's words is read as it is meant, and what Graph does not say gives nobody anything."""

from __future__ import annotations

import io
import json

import pytest

from mappings.rights.graph_right import ROLES, graph_right
from mappings.rights.levels import LEVELS
from mappings.rights.source_right import Delegation, Grantee, SourceRight
from model.errors import Rejected
from model.folder_rights import NOTHING
from model.protocols import Native, Ref


def native(item: object) -> Native:
    text = json.dumps({"item": item}).encode()
    return Native(
        Ref("one", "1"), "graph-right", {"Folder": "c", "Kind": "calendar"}, lambda: io.BytesIO(text)
    )


def read(**item: object) -> SourceRight:
    return graph_right(native(item))


def test_every_role_is_one_of_exchanges_levels() -> None:
    for role, access in ROLES.items():
        assert read(role=role, address="b@example.org").access == access
        assert access in LEVELS.values()
    delegate = read(role="delegateWithPrivateEventAccess", address="b@example.org")
    assert delegate.delegation == Delegation(private=True, copies=True)


@pytest.mark.parametrize("role", ["custom", "unknownFutureValue", "", None, 7, "Write"])
def test_a_role_that_says_nothing_gives_nothing_and_is_said_to(role: object) -> None:
    found = read(role=role, address="b@example.org")
    assert (found.access, found.stated) == (NOTHING, False)


def test_whom_it_is_given() -> None:
    assert read(role="read", address="").grantee is Grantee.EVERYONE
    assert read(role="read").grantee is Grantee.EVERYONE
    outside = read(role="read", address="b@elsewhere.example", isInsideOrganization=False)
    assert outside == SourceRight(Grantee.EXTERNAL, "", LEVELS["Reviewer"])
    assert read(role="read", address="b@example.org", isInsideOrganization=None).address == "b@example.org"


def test_what_is_no_record_is_rejected() -> None:
    with pytest.raises(Rejected, match="malformed-record"):
        graph_right(native([]))
