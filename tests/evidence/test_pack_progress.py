"""What is kept of a pack by whoever is interrupted: what is whole, and nobody else has written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from test_pack import section

from evidence.bag_writer import file_of, write_mailbox
from evidence.pack_resume import Frame, Progress
from model.errors import Misconfigured

KEK = bytes(range(32))
FRAME = Frame("w", "00", "kogge 0", 1764144000.5)


def begun(folder: Path, count: int) -> Frame:
    """count mailboxes are finished."""
    with Progress(folder) as progress:
        frame = progress.begin(FRAME, KEK)
        for number in range(count):
            progress.note(write_mailbox(progress.pack, f"m-{number}", [section(2)]))
    return frame


def finished(folder: Path, frame: Frame = FRAME) -> tuple[Frame, list[str]]:
    with Progress(folder) as progress:
        return progress.begin(frame, KEK), [one.mailbox for one in progress.finished()]


def test_what_was_finished_is_known_again(tmp_path: Path) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 2)
    with Progress(folder) as progress:
        later = replace(FRAME, sealed=FRAME.sealed + 99)
        assert progress.begin(later, KEK) == FRAME, "the time is that of the beginning"
        first, second = progress.finished()
        assert first == write_mailbox(tmp_path / "again", "m-0", [section(2)])
        assert second.mailbox == "m-1"


def test_what_was_begun_long_ago_begins_anew(tmp_path: Path) -> None:
    """Its time stamp would come too late to say when it was sealed."""
    folder = tmp_path / "sealing"
    begun(folder, 2)
    soon, late = (replace(FRAME, sealed=FRAME.sealed + days * 86_400) for days in (6, 8))
    assert finished(folder, soon) == (FRAME, ["m-0", "m-1"])
    assert finished(folder, late) == (late, [])


def test_what_a_clock_that_was_ahead_began_begins_anew(tmp_path: Path) -> None:
    """Nobody would believe a pack of tomorrow."""
    folder = tmp_path / "sealing"
    begun(folder, 1)
    now = replace(FRAME, sealed=FRAME.sealed - 1)
    assert finished(folder, now) == (now, [])


def test_a_draft_s_name_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seal comes into the ledger next."""
    folder, synced = tmp_path / "sealing", []
    begun(folder, 1)
    monkeypatch.setattr("evidence.pack_resume.make_folder_durable", synced.append)
    with Progress(folder) as progress:
        progress.begin(FRAME, KEK)
        progress.draft(b"{}")
    assert synced == [folder]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_line_does_not_count(tmp_path: Path, cut: int) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 2)
    file = folder / "progress.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    assert finished(folder) == (FRAME, ["m-0"])
    with Progress(folder) as progress:
        progress.begin(FRAME, KEK)
        progress.note(write_mailbox(progress.pack, "m-1", [section(2)]))
    assert finished(folder) == (FRAME, ["m-0", "m-1"])


@pytest.mark.parametrize(
    "frame",
    [Frame("w", "01", "kogge 0", 9.0), Frame("w", "00", "kogge 1", 9.0), Frame("v", "00", "kogge 0", 9.0)],
)
def test_another_frame_begins_anew(tmp_path: Path, frame: Frame) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 2)
    assert finished(folder, frame) == (frame, [])
    assert list((folder / "pack").iterdir()) == []


@pytest.mark.parametrize("torn", ["", '{"wave":"w"'])
def test_a_frame_that_was_never_written_to_its_end(tmp_path: Path, torn: str) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 1)
    (folder / "progress.jsonl").write_text(torn)
    assert finished(folder) == (FRAME, [])


def test_a_finished_file_that_somebody_took_away(tmp_path: Path) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 2)
    (folder / "pack/data/results/m-0.jsonl.gz").unlink()
    assert finished(folder) == (FRAME, [])


def test_two_do_not_write_one_pack(tmp_path: Path) -> None:
    with Progress(tmp_path / "sealing"), pytest.raises(Misconfigured, match="being sealed there already"):
        Progress(tmp_path / "sealing").__enter__()
    assert finished(tmp_path / "sealing") == (FRAME, [])


def test_a_pack_gets_its_name_once(tmp_path: Path) -> None:
    folder, place = tmp_path / ".wave-w.sealing", tmp_path / "wave-w"
    begun(folder, 1)
    with Progress(folder) as progress:
        progress.publish(place)
    assert [path.name for path in tmp_path.iterdir()] == ["wave-w"]
    assert (place / "data/results/m-0.jsonl.gz").is_file()


@pytest.mark.parametrize("folder", ["data/inventory", "data/results"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_finished_file_that_somebody_changed(tmp_path: Path, folder: str, number: int) -> None:
    """Its size is what it was."""
    place = tmp_path / "sealing"
    begun(place, 2)
    path = place / "pack" / file_of(folder, f"m-{number}")
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    assert finished(place) == (FRAME, ["m-0"][:number])
    assert not path.exists(), "it is written anew"


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_line_that_somebody_changed(tmp_path: Path, which: int) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 2)
    file = folder / "progress.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    told = json.loads(lines[which].rpartition(" ")[0])
    told |= {"sealed": 1.5} if which == 0 else {"verdicts": {"match": 3}}
    lines[which] = json.dumps(told, separators=(",", ":")) + " " + lines[which].rpartition(" ")[2]
    file.write_text("".join(lines))
    frame, kept = finished(folder)
    assert (frame, kept) == (FRAME, ["m-0"][: max(0, which - 1)])


def test_lines_that_somebody_put_in_another_order(tmp_path: Path) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 2)
    file = folder / "progress.jsonl"
    frame, first, second = file.read_text().splitlines(keepends=True)
    file.write_text(frame + second + first)
    assert finished(folder) == (FRAME, [])


def test_lines_of_another_key(tmp_path: Path) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 2)
    with Progress(folder) as progress:
        progress.begin(FRAME, bytes(32))
        assert list(progress.finished()) == []


def test_what_is_changed_while_it_is_written_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "sealing"
    with Progress(folder) as progress:
        progress.begin(FRAME, KEK)
        progress.note(write_mailbox(progress.pack, "m-0", [section(2)]))
        (folder / "progress.jsonl").write_text("")
        assert [one.mailbox for one in progress.finished()] == ["m-0"]


def test_a_file_that_somebody_added(tmp_path: Path) -> None:
    folder = tmp_path / "sealing"
    begun(folder, 1)
    added = folder / "pack/data/results/m-9.jsonl.gz"
    added.write_bytes(b"x")
    assert finished(folder) == (FRAME, ["m-0"])
    assert not added.exists()


@pytest.mark.parametrize("name", ["pack", "pack/data", "pack/data/results", "pack/data/results/m-0.jsonl.gz"])
def test_no_link_is_followed(tmp_path: Path, name: str) -> None:
    folder, elsewhere = tmp_path / "sealing", tmp_path / "elsewhere"
    begun(folder, 1)
    shutil.move(folder / name, elsewhere)
    (folder / name).symlink_to(elsewhere)
    assert finished(folder) == (FRAME, [])
    with Progress(folder) as progress:
        progress.begin(FRAME, KEK)
        progress.note(write_mailbox(progress.pack, "m-0", [section(2)]))
    assert elsewhere.exists(), "nothing of it is touched"
    assert finished(folder) == (FRAME, ["m-0"])


def test_the_folder_is_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "sealing"
    folder.mkdir(mode=0o777)
    begun(folder, 1)
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(Misconfigured, match="somebody else's"):
        Progress(tmp_path / "link").__enter__()
