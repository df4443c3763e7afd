"""Libraries of sites, moved: whom they may go to, and into which folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from site_place import DOCUMENTS, LIBRARY, SERVICE, SITE, Place, contents, moved, opened

from engine.context.leg_context import LegContext
from engine.planning.load_plan import plan
from engine.planning.mailbox_list_checks import mailboxes
from engine.steps.settling import reconcile
from kogge.app import main
from ledger.db.rows import LegState, Phase
from ledger.store import Ledger
from model.errors import Blocked, Misconfigured, Transient
from model.kinds import Kind
from practice.drive.drive_shares import user
from practice.drive.sites import HOST


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


def test_libraries_move_to_a_service_account_and_to_an_owner(place: Place) -> None:
    config = place.listed(
        f"{LIBRARY},{SERVICE},1,Amt/Bauakten",
        f"{DOCUMENTS},{place.owner},1,Bauamt",
        extra='[gate]\ndirectory = "directory.csv"\n',
    )
    (place.path / "directory.csv").write_text(f"source,target\n{SITE},{SERVICE} {place.owner}\n")
    for result in (*moved(config), *moved(config, verify_only=True)):
        assert (result.workload, result.state, result.code) == (Kind.FILES, LegState.VERIFIED, None)
    documents, records = place.site.libraries
    held = place.files(SERVICE)
    assert set(held.values()) == contents(records)
    assert all(name.startswith("Amt/Bauakten/") for name in held)
    held = place.files(place.owner)
    assert set(held.values()) == contents(documents)
    assert all(name.startswith("Bauamt/") for name in held)


def test_a_whole_site_moves_a_folder_a_library(place: Place) -> None:
    config = place.listed(f"{SITE},{SERVICE},1,")
    (result,) = moved(config)
    assert (result.state, result.code) == (LegState.BLOCKED, "identity-not-proven")
    (result,) = moved(config, approve="asserted")
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    tops = {name.partition("/")[0] for name in place.files(SERVICE)}
    assert tops == {drive.name for drive in place.site.libraries}


def test_a_library_moves_into_a_group_folder(place: Place) -> None:
    shelf = place.cloud.shelves[SERVICE]
    shelf.mounted.add("Bauamt")
    shelf.real(("Bauamt",)).mkdir()
    config = place.listed(f"{LIBRARY},{SERVICE},1,Bauamt")
    for again in (False, True):
        (result,) = moved(config, verify_only=again, approve="asserted")
        assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert set(place.files(SERVICE).values()) == contents(place.site.libraries[1])


def test_a_folder_that_a_person_shares_needs_an_approval(place: Place) -> None:
    shelf = place.cloud.shelves[SERVICE]
    shelf.lent.add("Bauamt")
    shelf.real(("Bauamt",)).mkdir()
    config = place.listed(f"{LIBRARY},{SERVICE},1,Bauamt")
    (result,) = moved(config, approve="asserted")
    assert (result.state, result.code) == (LegState.BLOCKED, "folder-lent")
    assert place.files(SERVICE) == {}
    (result,) = moved(config, approve="folder-lent")
    assert (result.state, result.code) == (LegState.VERIFIED, None)


def test_a_folder_made_in_one_that_a_person_shares_needs_an_approval(place: Place) -> None:
    shelf = place.cloud.shelves[SERVICE]
    shelf.lent.add("Amt")
    shelf.real(("Amt",)).mkdir()
    config = place.listed(f"{LIBRARY},{SERVICE},1,Amt/Bauakten")
    for approve in ("asserted", ""):
        (result,) = moved(config, approve=approve)
        assert (result.state, result.code) == (LegState.BLOCKED, "folder-lent")
        assert place.files(SERVICE) == {}
    (result,) = moved(config, approve="folder-lent")
    assert (result.state, result.code) == (LegState.VERIFIED, None)


@pytest.mark.parametrize("fault", [False, True], ids=["at-once", "after-a-fault"])
def test_a_folder_that_is_shared_after_the_gate_looked_is_not_filled(
    place: Place, monkeypatch: pytest.MonkeyPatch, fault: bool
) -> None:
    shelf, settle = place.cloud.shelves[SERVICE], reconcile.settle

    def settled(leg: LegContext, *, died: bool) -> int:
        if not shelf.lent:
            shelf.lent.add("Bauamt")
            shelf.real(("Bauamt",)).mkdir()
            if fault:
                raise Transient("timeout")
        return settle(leg, died=died)

    monkeypatch.setattr(reconcile, "settle", settled)
    (result,) = moved(place.listed(f"{LIBRARY},{SERVICE},1,Bauamt"), approve="asserted")
    assert (result.state, result.code) == (LegState.BLOCKED, "folder-lent")
    assert place.files(SERVICE) == {}


@pytest.mark.parametrize("made", ["by an administrator", "by us"])
def test_a_folder_that_is_another_one_by_now_is_not_filled(place: Place, made: str) -> None:
    shelf = place.cloud.shelves[SERVICE]
    if made == "by an administrator":
        shelf.mounted.add("Bauamt")
        shelf.real(("Bauamt",)).mkdir()
    config = place.listed(f"{LIBRARY},{SERVICE},1,Bauamt")
    moved(config, approve="asserted")
    held = place.files(SERVICE)
    shelf.move(("Bauamt",), ("Presse",))
    for there in (False, True):
        if there:
            shelf.real(("Bauamt",)).mkdir()
        (result,) = moved(config)
        assert (result.state, result.code) == (LegState.BLOCKED, "folder-replaced")
        assert not [name for name in place.files(SERVICE) if name.startswith("Bauamt/")]
    shelf.remove(("Bauamt",))
    shelf.move(("Presse",), ("Bauamt",))
    (result,) = moved(config)
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert place.files(SERVICE) == held


def test_another_folder_is_filled_when_a_person_says_so(place: Place) -> None:
    config = place.listed(f"{LIBRARY},{SERVICE},1,Bauamt")
    moved(config, approve="asserted")
    held = place.files(SERVICE)
    shelf = place.cloud.shelves[SERVICE]
    shelf.remove(("Bauamt",))
    shelf.real(("Bauamt",)).mkdir()
    (result,) = moved(config)
    assert (result.state, result.code) == (LegState.BLOCKED, "folder-replaced")
    for approve in ("folder-replaced", "", ""):
        (result,) = moved(config, approve=approve)
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert place.files(SERVICE) == held


def test_what_the_colleagues_change_comes_with_the_next_pass(place: Place) -> None:
    config = place.listed(f"{LIBRARY},{SERVICE},1,Amt")
    moved(config, approve="asserted")
    library = place.site.libraries[1]
    library.write(library.root, "Neues.txt", b"neu")
    (result,) = moved(config)
    assert result.tally.new == 1
    assert place.files(SERVICE)["Amt/Neues.txt"] == b"neu"


def test_the_directory_gives_it_to_somebody_else(place: Place) -> None:
    config = place.listed(f"{LIBRARY},{SERVICE},1,", extra='[gate]\ndirectory = "directory.csv"\n')
    (place.path / "directory.csv").write_text(f"source,target\n{SITE},{place.owner}\n")
    (result,) = moved(config, approve="asserted")
    assert (result.state, result.code) == (LegState.BLOCKED, "directory-disagrees")
    assert place.files(SERVICE) == {}


@pytest.mark.parametrize("text", [SITE, LIBRARY])
def test_a_denied_site_is_not_opened(place: Place, text: str) -> None:
    config = place.listed(f"{SITE},{SERVICE},1,", extra='[gate]\ndeny = "deny.txt"\n')
    (place.path / "deny.txt").write_text(f"{text}\n")
    (result,) = moved(config, approve="asserted")
    assert (result.state, result.code) == (LegState.BLOCKED, "denied")


@pytest.mark.parametrize(
    ("source", "code"),
    [(f"site:{HOST}:/sites/nowhere", "site-missing"), (f"{SITE}:Nothing", "library-missing")],
)
def test_what_is_not_in_the_tenant_blocks(place: Place, source: str, code: str) -> None:
    (result,) = moved(place.listed(f"{source},{SERVICE},1,"), approve="asserted")
    assert (result.state, result.code) == (LegState.BLOCKED, code)


def test_another_folder_in_a_bound_row_withholds_it(place: Place) -> None:
    moved(place.listed(f"{LIBRARY},{SERVICE},1,Amt"), approve="asserted")
    config = place.listed(f"{LIBRARY},{SERVICE},1,Other")
    with closing(Ledger(config.ledger_url())) as ledger:
        (conflict,) = plan(config, ledger).conflicts
    assert conflict.field == "target_folder"


@pytest.mark.parametrize(
    "rows",
    [
        (f"{LIBRARY},{SERVICE},1,Amt", f"{DOCUMENTS},{SERVICE},1,amt"),
        (f"{LIBRARY},{SERVICE},1,Amt", f"{DOCUMENTS},{SERVICE},1,Amt/Teil"),
        (f"{LIBRARY},{SERVICE},1,", f"{DOCUMENTS},{SERVICE},1,Amt"),
        ("a@x,a@y,1,", f"{LIBRARY},a@y,1,Amt"),
    ],
)
def test_no_two_rows_have_one_folder(place: Place, rows: tuple[str, ...]) -> None:
    with pytest.raises(Misconfigured) as caught:
        mailboxes(place.listed(*rows))
    assert caught.value.advice == "mailboxes.csv:3: folder: the same as, or within, or around that of line 2"


def test_a_library_does_not_move_beside_its_site(place: Place) -> None:
    with pytest.raises(Misconfigured, match=r"mailboxes.csv:2: source: a library of the site in line 3"):
        mailboxes(place.listed(f"{LIBRARY},{SERVICE},1,A", f"{SITE},{SERVICE},1,B"))


def test_an_owner_s_own_files_may_lie_beside(place: Place) -> None:
    place.toml += 'root = "OneDrive"\n'
    people = mailboxes(place.listed(f"a@x,{place.owner},1,", f"{LIBRARY},{place.owner},1,Bauamt"))
    assert [person.folder for person in people] == ["", "Bauamt"]


IMAP = """
kind = "imap"
host = "localhost"
port = 1
security = "none"
password = { env = "X" }
"""


def test_a_site_needs_graph_and_a_target_for_files(place: Place) -> None:
    place.toml = f"[source]{IMAP}[target.mail]{IMAP}"
    with pytest.raises(Misconfigured) as caught:
        mailboxes(place.listed(f"{LIBRARY},{SERVICE},1,"))
    assert caught.value.advice.splitlines() == [
        'mailboxes.csv:2: source: a site is read over Graph: [source] kind = "graph"',
        "mailboxes.csv:2: source: files have no target: configure [target.files]",
    ]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0), capsys.readouterr().out


def test_check_and_discover(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.listed(f"{LIBRARY},{SERVICE},1,Amt")
    code, shown = run(capsys, "check", "--json", "--mailbox", LIBRARY)
    document = json.loads(shown)
    assert code == 1
    (one,) = document["mailboxes"]
    assert [warning["code"] for warning in one["warnings"]] == ["identity-not-proven"]
    assert one["faults"] == []
    files = len([node for node in place.site.libraries[1].root.walk() if node.form.value == "file"])
    assert one["kinds"] == {"files": files}
    assert document["servers"]["source"]["site"] == "SharePoint Online"
    code, shown = run(capsys, "discover", "--json")
    (one,) = json.loads(shown)
    assert (code, one["code"], one["items"], one["not_told"]) == (0, None, files, [])


MAIL = """
[target.mail]
kind = "imap"
host = "localhost"
port = 1
security = "none"
password = { env = "KOGGE_TEST_FILES" }
"""


@pytest.mark.parametrize("extra", ["", MAIL], ids=["files alone", "and mail"])
def test_nothing_of_a_site_is_told_to_the_screen(
    place: Place, capsys: pytest.CaptureFixture[str], extra: str
) -> None:
    place.listed(f"{LIBRARY},{SERVICE},1,Amt", extra=extra)
    for command in ("check", "discover"):
        shown = run(capsys, command)[1].lower()
        assert "\ntarget: " not in shown, "no row moves mail"
        assert "bauakten" not in shown
        assert "bauamt" not in shown


def test_a_library_with_something_for_fewer_waits_for_an_approval(place: Place) -> None:
    config = place.listed(f"{LIBRARY},{SERVICE},1,Amt")
    library = place.site.libraries[1]
    box = library.folder(library.root, "Personal")
    library.share(box, user(place.owner))
    library.part(library.write(box, "Akte.txt", b"for few"))
    (result,) = moved(config, approve="asserted")
    assert (result.state, result.code) == (LegState.VERIFIED, None), "in staging nobody looks there yet"
    with closing(Ledger(config.ledger_url())) as ledger:
        ledger.set_phase(result.mailbox, Phase.FROZEN, "test")
    (result,) = moved(config)
    assert (result.state, result.code) == (LegState.BLOCKED, "narrower-rights")
    (result,) = moved(config, approve="narrower-rights")
    assert (result.state, result.code) == (LegState.VERIFIED, None)


def test_who_says_so_says_it_of_one_folder(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass that bound it did not get to its end."""
    config = place.listed(f"{LIBRARY},{SERVICE},1,Bauamt")
    moved(config, approve="asserted")
    shelf, settle = place.cloud.shelves[SERVICE], reconcile.settle

    def made_anew() -> None:
        shelf.remove(("Bauamt",))
        shelf.real(("Bauamt",)).mkdir()

    def refused(leg: LegContext, *, died: bool) -> int:
        raise Blocked("over-quota")

    made_anew()
    assert moved(config)[0].code == "folder-replaced"
    monkeypatch.setattr(reconcile, "settle", refused)
    assert moved(config, approve="folder-replaced")[0].code == "over-quota"
    monkeypatch.setattr(reconcile, "settle", settle)
    made_anew()
    (result,) = moved(config)
    assert (result.state, result.code) == (LegState.BLOCKED, "folder-replaced")
