"""A right in a target's words allows what it allowed at the source, or less, and what is less is named."""

from __future__ import annotations

import itertools

import pytest

from mappings.rights.levels import LEVELS
from mappings.rights.words import DETAILS, OWN_ITEMS, PARTS, said
from model.folder_rights import READ, READ_WRITE, Access, Detail, RightsForm, Span

EVERY = [
    Access(*parts)
    for parts in itertools.product(
        (False, True), Detail, (False, True), (False, True), Span, Span, (False, True)
    )
]


def allowed(words: str, form: RightsForm) -> Access:
    """What words allow, by RFC 4314, 2.1, and by what Nextcloud does with a share."""
    if form is RightsForm.SHARE:
        reads, writes = words in (READ, READ_WRITE), words == READ_WRITE
        all_ = Span.ALL if writes else Span.NONE
        return Access(reads, Detail.ALL if reads else Detail.NOTHING, writes, False, all_, all_, False)
    has = words.__contains__
    return Access(
        sees=has("l"),
        reads=Detail.ALL if has("r") else Detail.NOTHING,
        creates=has("i") or has("p"),
        creates_folders=has("k"),
        edits=Span.ALL if has("w") else Span.NONE,
        deletes=Span.ALL if has("t") or has("e") else Span.NONE,
        owns=has("a") or has("x"),
    )


@pytest.mark.parametrize("form", RightsForm)
def test_no_right_is_wider_and_none_is_narrowed_in_silence(form: RightsForm) -> None:
    for access in EVERY:
        words = said(access, form)
        now = allowed(words.words, form)
        before = access.sees or access.reads is Detail.ALL  # whoever reads a folder sees it
        assert now.sees <= before
        for name in ("reads", "creates", "creates_folders", "edits", "deletes", "owns"):
            assert getattr(now, name) <= getattr(access, name), (access, words)
        lost = any(
            getattr(now, name) < getattr(access, name)
            for name in ("reads", "creates", "creates_folders", "edits", "deletes", "owns")
        )
        assert bool(words.losses) or not words.words or not lost, (access, words)


@pytest.mark.parametrize(
    ("level", "letters", "share", "losses"),
    [
        ("Owner", "aeiklprstwx", READ_WRITE, ((), (PARTS,))),
        ("PublishingEditor", "eiklprstw", READ_WRITE, ((), (PARTS,))),
        ("Editor", "eilprstw", READ_WRITE, ((), ())),
        ("PublishingAuthor", "iklprs", READ, ((OWN_ITEMS,), (OWN_ITEMS, PARTS))),
        ("Author", "ilprs", READ, ((OWN_ITEMS,), (OWN_ITEMS, PARTS))),
        ("NoneditingAuthor", "ilprs", READ, ((OWN_ITEMS,), (OWN_ITEMS, PARTS))),
        ("Reviewer", "lrs", READ, ((), ())),
        ("Contributor", "ilp", "", ((), ())),
        ("FreeBusyTimeOnly", "", "", ((DETAILS,), (DETAILS,))),
        ("LimitedDetails", "", "", ((DETAILS,), (DETAILS,))),
        ("None", "", "", ((), ())),
    ],
)
def test_each_level_has_its_words(level: str, letters: str, share: str, losses: tuple[object, ...]) -> None:
    acl, shared = said(LEVELS[level], RightsForm.ACL), said(LEVELS[level], RightsForm.SHARE)
    assert (acl.words, shared.words) == (letters, share)
    assert (acl.losses, shared.losses) == losses
