"""Libraries of sites: rows that are nobody's mailbox, and how they are written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from site_place import DOCUMENTS, HEAD, LIBRARY, SERVICE, SITE

from engine.planning.deny_list import read_deny
from engine.planning.mailbox_list import Directory, read_directory, read_mailboxes
from model.errors import Misconfigured
from model.kinds import Kind
from model.sites import Site, one_spelling


@pytest.mark.parametrize(
    ("text", "spelled", "url"),
    [
        ("site:H.example:/sites/One", "site:h.example:/sites/one", "https://h.example/sites/one"),
        ("Site:h.example:/teams/one/", "site:h.example:/teams/one", "https://h.example/teams/one"),
        ("site:h.example:/", "site:h.example:/", "https://h.example/"),
        (
            "site:h.example:/sites/a b:Akten 100%",
            "site:h.example:/sites/a%20b:akten%20100%25",
            "https://h.example/sites/a%20b/akten%20100%25",
        ),
        ("site:h.example:/:Akten", "site:h.example:/:akten", "https://h.example/akten"),
    ],
)
def test_one_spelling_and_the_address(text: str, spelled: str, url: str) -> None:
    site = Site.read(text)
    assert site is not None
    assert (str(site), site.url) == (spelled, url)
    assert Site.read(spelled) == site
    assert one_spelling(f" {text} ") == spelled


@pytest.mark.parametrize(
    "text",
    [
        "site:",
        "site:h:/sites/one",
        "site:h.example",
        "site:h.example:sites/one",
        "site:h.example:/sites",
        "site:h.example:/sites/one/two",
        "site:h.example:/sites/one:",
        "site:h.example:/sites/one:a/b",
        "site:h.example:/sites/one:a:b",
        "site:h.example:/personal/anna",
        "https://h.example/sites/one",
        "anna@h.example",
        "",
    ],
)
def test_what_is_no_site(text: str) -> None:
    assert Site.read(text) is None


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def written(content: str, name: str = "mailboxes.csv") -> Path:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return written  # type: ignore[return-value]


def test_a_row_of_a_site(write) -> None:
    text = f"{HEAD}{LIBRARY},{SERVICE},1,/Amt/Bau/\n{DOCUMENTS},{SERVICE},1,Amt/Rest\na@x,{SERVICE}@x,1,\n"
    first, second, person = read_mailboxes(write(text))
    assert (first.source, first.target, first.folder) == (LIBRARY.lower(), SERVICE, "Amt/Bau")
    assert second.source.endswith(":freigegebene%20dokumente")
    assert first.target_account.folder == "Amt/Bau"
    assert first.moves((Kind.MAIL, Kind.FILES)) == (Kind.FILES,)
    assert person.moves((Kind.MAIL, Kind.FILES)) == (Kind.MAIL, Kind.FILES)
    assert (person.site, person.folder) == (None, "")


def test_faults_of_a_site_s_row(write) -> None:
    rows = f"site:h:/sites/x,a@x,1,,\n{SITE},,1,,\n{LIBRARY},a@x,1,a/../b,\n{DOCUMENTS},b@x,1,,anna\n"
    with pytest.raises(Misconfigured) as caught:
        read_mailboxes(write("source,target,wave,folder,source_login\n" + rows))
    assert caught.value.advice.splitlines() == [
        "mailboxes.csv:2: source: not site:HOST:/sites/NAME or site:HOST:/sites/NAME:LIBRARY",
        "mailboxes.csv:3: target: is empty",
        "mailboxes.csv:4: folder: not a path of folders",
        "mailboxes.csv:5: source_login: a site is opened by the application alone; leave it empty",
    ]


@pytest.mark.parametrize("target", ["--config=/tmp/x", "-x", "$(id)", "`id`", "a;id", "{source}", "a|b"])
def test_no_account_of_a_site_is_an_option_or_a_command(write, target: str) -> None:
    """Hooks give it to programs, as they give addresses."""
    with pytest.raises(Misconfigured, match=r"mailboxes.csv:2: target: neither an e-mail address nor"):
        read_mailboxes(write(f"source,target,wave\n{SITE},{target},1\n"))


@pytest.mark.parametrize("target", ["svc bauamt", "NEW\\bauamt", "bauamt-01", "bauamt@new.example"])
def test_accounts_that_may_hold_a_site(write, target: str) -> None:
    (person,) = read_mailboxes(write(f"source,target,wave\n{SITE},{target},1\n"))
    assert person.target == target.lower()


def test_a_site_is_one_source_in_any_spelling(write) -> None:
    rows = f"{DOCUMENTS},a@x,1,A\n{DOCUMENTS.upper().replace(' ', '%20')},b@x,1,B\n"
    with pytest.raises(Misconfigured, match=r"mailboxes.csv:3: source: the same source as in line 2"):
        read_mailboxes(write(HEAD + rows))


def known(text: str) -> Site:
    site = Site.read(text)
    assert site is not None
    return site


def test_the_directory_knows_who_may_hold_a_site(write) -> None:
    text = f"source,target\na@x,a@y\n{SITE},a@y {SERVICE}\n{LIBRARY}|{DOCUMENTS},b@y\n"
    directory = read_directory(write(text, "directory.csv"))
    site, library, other = map(known, (SITE, LIBRARY, f"{SITE}:Other"))
    assert [directory.gives(site, target) for target in ("A@y", SERVICE, "b@y")] == [True, True, False]
    assert [directory.gives(library, target) for target in ("a@y", "b@y")] == [False, True]
    assert directory.gives(other, "a@y") is True, "a library of a site that is named"
    assert Directory().gives(site, "a@y") is None
    assert directory.names("a@x", "a@y") is True, "its owner's own mailbox is as it was"


@pytest.mark.parametrize("entry", [SITE, LIBRARY, SITE.upper()])
def test_a_site_may_be_denied(write, entry: str) -> None:
    deny = read_deny(write(f"{entry}\n", "deny.txt"))
    assert deny.denies([SITE])
    assert deny.denies([LIBRARY])
    assert deny.denies([DOCUMENTS]) is (":Bauakten" not in entry)
    assert not deny.denies([f"{SITE}2", "a@x"])
