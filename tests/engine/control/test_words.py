"""The private file of what servers said: its bounds and modes, and what cannot break it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.control.server_words_file import FOLDER, LINES_MOST, LONGEST, FailureWords, Words, failure_words
from model.errors import Rejected
from model.kinds import Kind
from model.server_words import NOTHING, ServerWords

BOX = "m-7f3a9c01"
NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def failure(text: str, key: bytes | None = b"\x01\x02", code: str = "refused-by-target") -> FailureWords:
    return failure_words(key, Rejected(code).quoting(ServerWords(text)))


def at(state: Path, moment: datetime = NOW) -> Words:
    return Words(state, lambda: moment)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_a_line_says_when_what_and_of_which_item(tmp_path: Path) -> None:
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("no"), failure("away", None, "server-busy")])
    lines = [json.loads(one) for one in (tmp_path / FOLDER / f"{BOX}.jsonl").read_text().splitlines()]
    first = {"time": "2031-05-06T07:08:09+00:00", "workload": "mail", "code": "refused-by-target"}
    assert lines[0] == {**first, "item": "0102", "words": "no"}
    assert (lines[1]["code"], lines[1]["item"]) == ("server-busy", "")
    assert [one.words for one in at(tmp_path).of(BOX)] == ["no", "away"]


@pytest.mark.usefixtures("umask")
def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    at(state).keep(BOX, Kind.MAIL, [failure("no")])
    folder = state / FOLDER
    assert (mode(folder), mode(folder / f"{BOX}.jsonl")) == (0o700, 0o600)
    folder.chmod(0o755)
    (folder / f"{BOX}.jsonl").chmod(0o644)
    at(state).keep(BOX, Kind.MAIL, [failure("never")])
    assert (mode(folder), mode(folder / f"{BOX}.jsonl")) == (0o700, 0o600)


def test_a_failure_without_words_makes_no_file(tmp_path: Path) -> None:
    at(tmp_path).keep(BOX, Kind.MAIL, [failure_words(b"k", Rejected("vanished").quoting(NOTHING))])
    assert not (tmp_path / FOLDER).exists()


def test_the_newest_lines_stay(tmp_path: Path) -> None:
    words = at(tmp_path)
    words.keep(BOX, Kind.MAIL, [failure(f"number {n}") for n in range(LINES_MOST + 20)])
    words.keep(BOX, Kind.MAIL, [failure("last")])
    kept = [one.words for one in words.of(BOX)]
    assert kept == [f"number {n}" for n in range(21, LINES_MOST + 20)] + ["last"]


def test_a_failure_that_comes_again_is_one_line_with_the_new_time(tmp_path: Path) -> None:
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("no"), failure("other")])
    at(tmp_path, NOW + timedelta(hours=1)).keep(BOX, Kind.MAIL, [failure("no")])
    assert [(one.time[11:16], one.words) for one in at(tmp_path).of(BOX)] == [
        ("07:08", "other"),
        ("08:08", "no"),
    ]


def test_what_is_old_is_dropped_and_not_shown_before(tmp_path: Path) -> None:
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("old")])
    late = at(tmp_path, NOW + timedelta(days=31))
    assert late.of(BOX) == []
    assert [one.words for one in at(tmp_path, NOW + timedelta(days=29)).of(BOX)] == ["old"]
    late.keep(BOX, Kind.MAIL, [failure("new")])
    assert "old" not in (tmp_path / FOLDER / f"{BOX}.jsonl").read_text()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;YQ==\x07 no", "?]52;c;YQ==? no"),
        ("gnp.\u202eexe", "gnp.?exe"),
        ('a\r\nb\n{"time": "x"}', 'a b {"time": "x"}'),
        ("a\u2028b\x00c\ud800", "a b?c?"),
        ("x" * (1 << 20), "x" * LONGEST),
        ("\u202e" * 1000, "?" * LONGEST),
    ],
)
def test_hostile_text(tmp_path: Path, hostile: str, shown: str) -> None:
    at(tmp_path).keep(BOX, Kind.MAIL, [failure(hostile)])
    file = tmp_path / FOLDER / f"{BOX}.jsonl"
    assert [one.words for one in at(tmp_path).of(BOX)] == [shown]
    assert file.read_bytes().isascii()
    assert len(file.read_bytes().splitlines()) == 1
    assert b"\x1b" not in file.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        b'{"time": "2031-05-06T07:08:09+00:00", "workl',
        b"\xff\xfe\x00\n[]\n{}\nnull\n\n" + b"[" * 100_000,
        b'{"time": 3, "workload": "mail", "code": "x", "item": "", "words": "y"}\n',
    ],
)
def test_what_is_damaged_is_left_out(tmp_path: Path, damage: bytes) -> None:
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("kept")])
    with (tmp_path / FOLDER / f"{BOX}.jsonl").open("ab") as file:
        file.write(damage)
    assert [one.words for one in at(tmp_path).of(BOX)] == ["kept"]
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("new")])
    assert [one.words for one in at(tmp_path).of(BOX)] == ["kept", "new"]


def test_what_somebody_wrote_into_the_file_is_harmless_when_it_is_read(tmp_path: Path) -> None:
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("kept")])
    line = {"time": "2031-05-06T07:08:09+00:00\x1b", "workload": "mail", "code": "\x1b[2J", "item": ""}
    with (tmp_path / FOLDER / f"{BOX}.jsonl").open("a") as file:
        file.write(json.dumps({**line, "words": "\u202e" + "x" * 5000}) + "\n")
    odd = at(tmp_path).of(BOX)[1]
    assert (odd.code, odd.words) == ("?[2J", "?" + "x" * (LONGEST - 1))


def test_a_directory_that_cannot_be_written_costs_only_the_words(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in its place")
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("no")])
    assert at(tmp_path).of(BOX) == []
    assert (tmp_path / FOLDER).read_text() == "a file in its place"
    Words(Path("/proc/nowhere")).keep(BOX, Kind.MAIL, [failure("no")])


def test_a_full_disk_leaves_the_file_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("before")])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("engine.control.server_words_file.os.replace", full)
        at(tmp_path).keep(BOX, Kind.MAIL, [failure("lost")])
    assert [one.words for one in at(tmp_path).of(BOX)] == ["before"]
    assert [one.name for one in (tmp_path / FOLDER).iterdir()] == [f"{BOX}.jsonl"]


@pytest.mark.parametrize("name", ["../m-1", "m/1", "", ".", "a" * 65, "m-1\n", "m\x00"])
def test_no_name_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    state = tmp_path / "state"
    at(state).keep(name, Kind.MAIL, [failure("no")])
    assert list(tmp_path.iterdir()) == []
    assert at(state).of(name) == []
    at(state).erase(name)


def test_no_link_leads_out_of_the_directory(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = outside / "victim"
    victim.write_text("somebody's")
    state = tmp_path / "state"
    state.mkdir()
    (state / FOLDER).symlink_to(outside)
    at(state).keep(BOX, Kind.MAIL, [failure("no")])
    assert [one.name for one in outside.iterdir()] == ["victim"]
    (state / FOLDER).unlink()
    (state / FOLDER).mkdir()
    (state / FOLDER / f"{BOX}.jsonl").symlink_to(victim)
    (state / FOLDER / f".{BOX}.new").symlink_to(victim)
    at(state).keep(BOX, Kind.MAIL, [failure("no")])
    assert victim.read_text() == "somebody's"


def test_a_pipe_in_its_place_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    os.mkfifo(tmp_path / FOLDER / f"{BOX}.jsonl")
    assert at(tmp_path).of(BOX) == []
    at(tmp_path).keep(BOX, Kind.MAIL, [failure("no")])
    assert [one.words for one in at(tmp_path).of(BOX)] == ["no"]


def test_erased(tmp_path: Path) -> None:
    words = at(tmp_path)
    words.erase(BOX)
    words.keep(BOX, Kind.MAIL, [failure("no")])
    words.keep("m-other", Kind.MAIL, [failure("no")])
    (tmp_path / FOLDER / f".{BOX}.new").write_text("of one that was killed")
    words.erase(BOX)
    assert [one.name for one in (tmp_path / FOLDER).iterdir()] == ["m-other.jsonl"]


def test_two_threads_lose_nothing(tmp_path: Path) -> None:
    def some(name: str) -> None:
        for number in range(12):
            Words(tmp_path).keep(BOX, Kind.MAIL, [failure(f"{name} {number}")])

    threads = [threading.Thread(target=some, args=(name,)) for name in ("one", "two")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(Words(tmp_path).of(BOX)) == 24


WRITER = """
import sys
from pathlib import Path
from model.kinds import Kind
from model.errors import Rejected
from model.server_words import ServerWords
from engine.control.server_words_file import Words, failure_words
words, number = Words(Path(sys.argv[1])), 0
while True:
    error = Rejected("x").quoting(ServerWords(f"{number} " + "y" * 280))
    words.keep("m-7f3a9c01", Kind.MAIL, [failure_words(None, error)])
    number += 1
    if number == 60:
        print("going", flush=True)
"""


def test_a_kill_in_the_middle_leaves_a_whole_file(tmp_path: Path) -> None:
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"going\n"
            process.send_signal(signal.SIGKILL)
        text = (tmp_path / FOLDER / f"{BOX}.jsonl").read_text()
        assert text.endswith("\n")
        assert [set(json.loads(one)) for one in text.splitlines()] == [
            {"time", "workload", "code", "item", "words"}
        ] * LINES_MOST
    Words(tmp_path).keep(BOX, Kind.MAIL, [failure("after")])
    assert Words(tmp_path).of(BOX)[-1].words == "after"
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
