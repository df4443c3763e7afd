"""Files and folders at a target that has other things, other rules or other people: nothing is overwritten,
nothing is lost, and every difference is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from drives import (
    DRIVE,
    a_drive,
    dated,
    drive_trial,
    edit_drive,
    file,
    folder,
    make,
    marks,
    rename,
    swap,
)
from memory.doubles import MemoryCabinet, MemoryMailbox
from walking import PROVEN, SOURCE, Trial

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase, State
from model.file_names import FileNames
from model.protocols import Role, key_of

BOTH = Task(Level.BOTH, copy=False)
ARTEFACTS = ("Readme.md", "Photos/Birdie", "Templates/")
CHANGES = {"target.write", "target.move", "target.remove", "target.rename", "target.clear", "target.stamp"}


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    return drive_trial(quick_path)


def verified(trial: Trial) -> None:
    result = trial.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert trial.run(task=BOTH).state is LegState.VERIFIED, trial.findings()


def deleted(trial: Trial) -> None:
    """More than half of a drive is gone at its source, which a person is asked about."""
    assert trial.finish().code == "source-shrunk"
    trial.approve("source-shrunk")


def names(trial: Trial, href: str) -> dict[str, bytes]:
    found = trial.store.drawer(href)
    return {one.name: one.raw for one in found.papers.values()}


def losses(trial: Trial) -> set[tuple[str, str]]:
    (leg,) = trial.ledger.legs()
    return {(loss.field, loss.reason) for _, _, loss in trial.ledger.losses(leg.id)}


def of_key(trial: Trial, item: str) -> str:
    return key_of(item).hex()[:8]


# Names that are free only later


def test_two_files_swap_their_names(trial: Trial) -> None:
    verified(trial)
    swap(trial.mailbox, "a.txt", "b.txt")
    verified(trial)
    here = names(trial, "/Arbeit")
    assert (here["a.txt"], here["b.txt"]) == (b"b.txt", b"a.txt")
    assert losses(trial) == set()


def test_three_files_pass_their_names_on_in_batches_of_one(quick_path: Path) -> None:
    trial = drive_trial(quick_path)
    trial.pace = replace(trial.pace, batch=1)
    work = folder(trial.mailbox, "Arbeit").id
    trial.mailbox.deliver(work, b"c.txt", marks("c.txt"))
    verified(trial)
    items = [file(trial.mailbox, name) for name in ("a.txt", "b.txt", "c.txt")]
    for item, name in zip(items, ("b.txt", "c.txt", "a.txt"), strict=True):
        rename(trial.mailbox, item, name)
    verified(trial)
    here = names(trial, "/Arbeit")
    assert (here["a.txt"], here["b.txt"], here["c.txt"]) == (b"c.txt", b"a.txt", b"b.txt")


def test_a_new_file_gets_the_name_of_a_deleted_one(trial: Trial) -> None:
    verified(trial)
    trial.mailbox.delete(file(trial.mailbox, "a.txt"))
    trial.mailbox.deliver(folder(trial.mailbox, "Arbeit").id, b"another", marks("a.txt"))
    verified(trial)
    assert names(trial, "/Arbeit")["a.txt"] == b"another"
    assert not any("(" in name for name in names(trial, "/Arbeit"))


@pytest.mark.parametrize("fold", [False, True])
def test_a_rename_of_case_alone(quick_path: Path, fold: bool) -> None:
    trial = drive_trial(quick_path, rules=FileNames(fold=fold))
    verified(trial)
    rename(trial.mailbox, file(trial.mailbox, "a.txt"), "A.TXT")
    verified(trial)
    assert names(trial, "/Arbeit")["A.TXT"] == b"a.txt"
    assert "a.txt" not in names(trial, "/Arbeit")


def test_a_folder_gets_the_name_of_a_deleted_file(trial: Trial) -> None:
    verified(trial)
    trial.mailbox.delete(file(trial.mailbox, "Plan"))
    new = make(trial.mailbox, DRIVE, "Arbeit", "Pläne", "Plan")
    trial.mailbox.deliver(new, b"inside", marks("p.txt"))
    verified(trial)
    assert names(trial, "/Arbeit/Pläne/Plan") == {"p.txt": b"inside"}
    assert losses(trial) == set()


def test_a_file_gets_the_name_of_a_deleted_folder(trial: Trial) -> None:
    verified(trial)
    trial.mailbox.delete_folder(folder(trial.mailbox, "Leer").id)
    root = folder(trial.mailbox).id
    trial.mailbox.deliver(root, b"now a file", marks("Leer"))
    verified(trial)
    assert names(trial, "")["Leer"] == b"now a file"


def test_two_folders_swap_their_names(trial: Trial) -> None:
    verified(trial)
    work, empty = folder(trial.mailbox, "Arbeit").id, folder(trial.mailbox, "Leer").id
    before = names(trial, "/Arbeit")
    for item, name in ((work, "x"), (empty, "Arbeit"), (work, "Leer")):
        trial.mailbox.rename_folder(item, (DRIVE, name))
    verified(trial)
    assert names(trial, "/Leer") == before
    assert names(trial, "/Arbeit") == {}
    assert trial.store.drawer("/Leer/Pläne") is not None
    assert losses(trial) == set()


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_folders_swap_their_names_at_several_depths_at_once(quick_path: Path, depth: int) -> None:
    """Nothing is made where a folder above was before the same pass renamed it."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}))
    make(mailbox, DRIVE, role=Role.FILES)
    pairs: list[tuple[str, str]] = []
    path: tuple[str, ...] = (DRIVE,)
    for level in range(depth):
        pairs.append((make(mailbox, *path, "left"), make(mailbox, *path, "right")))
        path = (*path, "left", f"between {level}")
        make(mailbox, *path)
    mailbox.deliver(folder(mailbox, *path[1:]).id, b"deep", marks("deep.txt"))
    trial = Trial(quick_path, mailbox, MemoryCabinet())
    verified(trial)
    for one, other in reversed(pairs):
        first, second = mailbox.folders[one].path, mailbox.folders[other].path
        for item, to in ((one, (*first[:-1], "aside")), (other, first), (one, second)):
            mailbox.rename_folder(item, to)
    verified(trial)
    wanted = {f"/{'/'.join(one.path[1:])}".rstrip("/") for one in mailbox.folders.values()}
    assert {drawer.href for drawer in trial.store.drawers.values()} == wanted
    assert names(trial, f"/{'/'.join(f'right/between {level}' for level in range(depth))}") == {
        "deep.txt": b"deep"
    }


def test_what_is_in_a_renamed_folder_is_not_asked_for_one_by_one(trial: Trial) -> None:
    verified(trial)
    trial.mailbox.rename_folder(folder(trial.mailbox, "Arbeit").id, (DRIVE, "Amt"))
    trial.mailbox.rename_folder(folder(trial.mailbox, "Amt", "Pläne").id, (DRIVE, "Amt", "Akten"))
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert [steps.count(name) for name in ("target.rename", "target.ensure", "target.write")] == [2, 0, 0]
    assert {"/Amt", "/Amt/Akten"} <= trial.store.drawers.keys()
    verified(trial)


def test_a_folder_that_was_made_anew_under_its_name(trial: Trial) -> None:
    verified(trial)
    trial.mailbox.recreate_folder(folder(trial.mailbox, "Arbeit", "Pläne").id)
    verified(trial)
    assert sorted(names(trial, "/Arbeit/Pläne")) == ["Datei 2.txt", "Notiz.txt", "Plan", "notiz.txt"]
    assert [one.href for one in trial.store.below("/Arbeit")] == ["/Arbeit/Pläne"]


# What others have at the target


@pytest.mark.parametrize("href", ["/Arbeit/a.txt", "/Arbeit/Datei 1.txt"])
def test_a_folder_of_somebody_else_s_has_a_file_s_name(trial: Trial, href: str) -> None:
    trial.store.make("/Arbeit")
    trial.store.make(href)
    verified(trial)
    name = href.rpartition("/")[2]
    item = file(trial.mailbox, name)
    assert f"{name[:-4]} ({of_key(trial, item)}).txt" in names(trial, "/Arbeit")
    assert trial.store.drawer(href) is not None
    assert ("file-name", "taken") in losses(trial)


def test_a_file_of_somebody_else_s_has_a_folder_s_name(quick_path: Path) -> None:
    trial = drive_trial(quick_path)
    trial.rules = replace(PROVEN, artefacts=("Arbeit",))
    trial.store.place("", "Arbeit", b"somebody's")
    verified(trial)
    place = f"/Arbeit ({of_key(trial, folder(trial.mailbox, 'Arbeit').id)})"
    assert sorted(names(trial, place)) == ["Datei 1.txt", "Zwilling 2.txt", "Zwilling.txt", "a.txt", "b.txt"]
    assert "Plan" in names(trial, f"{place}/Pläne")
    assert names(trial, "")["Arbeit"] == b"somebody's"
    assert ("folder-name", "refused-by-target") in losses(trial)


def test_a_name_that_the_target_refuses_for_a_folder(quick_path: Path) -> None:
    trial = drive_trial(quick_path, refuses=frozenset({"Arbeit"}))
    verified(trial)
    assert trial.states() == {State.VERIFIED: 11}
    assert ("folder-name", "refused-by-target") in losses(trial)
    before, seen = trial.store.snapshot(), list[str]()
    assert trial.run(seen.append).state is LegState.VERIFIED
    assert CHANGES & set(seen) == {"target.rename"}  # it is asked once a pass
    assert trial.store.snapshot() == before


# What a new account holds


def skeleton(trial: Trial) -> None:
    trial.rules = replace(PROVEN, artefacts=ARTEFACTS)
    for href in ("/Photos", "/Templates", "/Leer"):
        trial.store.make(href)
    for href, name in (("", "Readme.md"), ("/Photos", "Birdie.jpg"), ("/Templates", "Letter.odt")):
        trial.store.place(href, name, b"of the server")


def test_what_a_new_account_holds_is_nobody_s(trial: Trial) -> None:
    skeleton(trial)
    trial.mailbox.deliver(folder(trial.mailbox).id, b"mine", marks("Readme.md"))
    verified(trial)
    assert names(trial, "")["Readme.md"] == b"of the server"
    assert names(trial, "")[f"Readme ({of_key(trial, file(trial.mailbox, 'Readme.md'))}).md"] == b"mine"


@pytest.mark.parametrize(
    ("href", "name"), [("/Photos", "Anna.jpg"), ("/Leer", "Readme.md"), ("", "Letter.odt"), ("/Photos", "x")]
)
def test_anything_else_is_somebody_s(trial: Trial, href: str, name: str) -> None:
    skeleton(trial)
    trial.store.place(href, name, b"a person's")
    before = trial.store.snapshot()
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "target-not-empty")
    assert trial.store.snapshot() == before


# Folders that are gone


def test_a_deleted_folder_goes_when_it_is_empty(trial: Trial) -> None:
    verified(trial)
    trial.mailbox.delete_folder(folder(trial.mailbox, "Arbeit").id)
    deleted(trial)
    verified(trial)
    assert [one.href for one in trial.store.below("")] == ["/Leer"]


def test_an_empty_folder_that_stood_there_before_stays(trial: Trial) -> None:
    trial.store.make("/Leer")
    verified(trial)
    for name in ("Arbeit", "Leer"):
        trial.mailbox.delete_folder(folder(trial.mailbox, name).id)
    deleted(trial)
    verified(trial)
    assert [one.href for one in trial.store.below("")] == ["/Leer"]


def test_a_folder_that_is_gone_on_both_sides(trial: Trial) -> None:
    verified(trial)
    trial.mailbox.delete_folder(folder(trial.mailbox, "Arbeit").id)
    trial.store.drop("/Arbeit")
    deleted(trial)
    verified(trial)
    assert [one.href for one in trial.store.below("")] == ["/Leer"]


def test_a_deleted_folder_stays_when_somebody_put_something_there(trial: Trial) -> None:
    verified(trial)
    trial.store.place("/Arbeit/Pläne", "theirs.txt", b"theirs")
    trial.mailbox.delete_folder(folder(trial.mailbox, "Arbeit").id)
    deleted(trial)
    trial.finish()
    assert names(trial, "/Arbeit/Pläne") == {"theirs.txt": b"theirs"}
    assert names(trial, "/Arbeit") == {}


def test_a_folder_of_the_new_account_stays(trial: Trial) -> None:
    skeleton(trial)
    photos = make(trial.mailbox, DRIVE, "Photos")
    verified(trial)
    del trial.store.drawer("/Photos").papers["Birdie.jpg"]
    trial.mailbox.delete_folder(photos)
    verified(trial)
    assert trial.store.drawer("/Photos") is not None


def test_a_folder_that_went_and_came_back_is_whole_again(trial: Trial) -> None:
    verified(trial)
    before = trial.store.snapshot()
    work = folder(trial.mailbox, "Arbeit")
    gone = {one.id: one for one in trial.mailbox.folders.values() if one.path[:2] == work.path}
    for one in gone:
        del trial.mailbox.folders[one]
    deleted(trial)
    verified(trial)
    trial.mailbox.folders.update(gone)
    trial.ledger.requeue()
    verified(trial)
    assert trial.store.snapshot() == before


# Dates, sizes, names


def test_dates_that_the_target_does_not_keep_are_a_loss_and_no_finding(quick_path: Path) -> None:
    trial = drive_trial(quick_path, dates=False)
    verified(trial)
    assert {("modified", "not-kept"), ("folder-date", "not-kept")} <= losses(trial)


def test_a_date_that_somebody_changed_is_found_and_mended(trial: Trial) -> None:
    verified(trial)
    before = trial.store.snapshot()
    trial.store.paper("/Arbeit", "a.txt").date = dated(25)
    assert trial.run(task=BOTH).state is LegState.DIFFERS
    assert trial.findings() == [("*", "date")]
    verified(trial)
    assert trial.store.snapshot() == before


def test_a_size_is_compared_though_no_body_is(trial: Trial) -> None:
    verified(trial)
    trial.store.place("/Arbeit", "a.txt", b"longer than it was", dated(0))
    assert trial.run(task=Task(Level.COUNTS, copy=False)).state is LegState.DIFFERS
    assert trial.findings() == [("*", "size")]


def test_a_name_that_somebody_changed_is_found_and_the_file_is_written_again(trial: Trial) -> None:
    """What lies under another name may be somebody's copy: it stays, and a person is told."""
    verified(trial)
    before = trial.store.snapshot()
    paper = trial.store.drawer("/Arbeit").papers.pop("a.txt")
    paper.name = "changed.txt"
    trial.store.drawer("/Arbeit").papers["changed.txt"] = paper
    assert trial.run(task=BOTH).state is LegState.DIFFERS
    assert trial.finish().state is LegState.DIFFERS
    assert trial.findings() == [("-", "duplicate")]
    assert {name for _, name, *_ in trial.store.snapshot() - before} == {"changed.txt"}
    assert not before - trial.store.snapshot()


def test_a_name_at_the_source_that_is_not_the_target_s(trial: Trial) -> None:
    """The same version says another name: nothing but a comparison of names would tell."""
    verified(trial)
    work = folder(trial.mailbox, "Arbeit")
    item = file(trial.mailbox, "a.txt")
    work.messages[item] = replace(work.messages[item], marks=marks("z.txt"))
    assert trial.run(task=BOTH).state is LegState.DIFFERS
    assert trial.findings() == [("*", "source-name")]


# The live phase


def test_the_live_phase_only_adds(quick_path: Path) -> None:
    trial = drive_trial(quick_path)
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    before = trial.store.snapshot()
    edit_drive(trial.mailbox)
    seen: list[str] = []
    trial.run(seen.append)
    assert not before - trial.store.snapshot() - dates_of_folders(trial)
    assert not (CHANGES - {"target.write"}) & set(seen)
    new = {name for _, name, *_ in (trial.store.snapshot() - before) if name}
    assert {name.partition(" (")[0] for name in new} == {"Zwilling 2", "p.txt"}, "what moved stays"


def dates_of_folders(trial: Trial) -> object:
    """What comes into a folder changes its date at the server."""
    drawers = trial.store.drawers.values()
    return type(trial.store.snapshot())({(one.href, "", b"", dated(9)): 1 for one in drawers})


def test_two_accounts_of_one_drive_come_out_the_same(quick_path: Path) -> None:
    (quick_path / "other").mkdir()
    one, other = drive_trial(quick_path), Trial(quick_path / "other", a_drive(), MemoryCabinet())
    for trial in (one, other):
        verified(trial)
    assert one.store.snapshot() == other.store.snapshot()
