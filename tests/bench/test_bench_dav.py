"""How fast calendars and contacts move into one Radicale, against what does less.

What is ours in a ratio is the walk's copy, as `kogge migrate` does it: gate, listing, then for every record
fetch, map, meaning digest, conditional PUT and ledger, with four lanes. Its source has its records at hand,
in the form EWS gives them: so neither the practice Exchange's own slowness is in it, nor a real one's.
Verification (everything read back and digested anew) is apart, as its own rate.

The references: the same bodies, made beforehand, PUT by four threads with `requests` and nothing else; and
vdirsyncer, which reads them from files, without the time that it takes to start. Each run has a fresh
Radicale with empty collections. Runs alternate, and a ratio is of two runs next to each other: the machine's
other work weighs on both.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
import requests
from bench_board import Board
from bench_job import Taken
from bench_lab import Dav, script
from bench_records import bodies

from model.kinds import Kind
from practice.dav.radicale import RadicaleServer, start_radicale

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
ITEMS, ROUNDS = 500, 5
USER = "bench"
NAMES = {Kind.CALENDAR: "calendar", Kind.CONTACTS: "contacts"}
VDIRSYNCER = """\
[general]
status_path = "{folder}/status/"

[pair bench]
a = "files"
b = "server"
collections = null

[storage files]
type = "filesystem"
path = "{folder}/files/"
fileext = "{suffix}"

[storage server]
type = "caldav"
url = "{url}"
username = "{user}"
password = "{password}"
"""


@contextmanager
def radicale() -> Iterator[RadicaleServer]:
    server = start_radicale([USER], provisioned=True)
    requests.request("PROPFIND", server.home(USER), auth=(USER, server.user_password)).raise_for_status()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize(("kind", "name"), [(Kind.CALENDAR, "caldav"), (Kind.CONTACTS, "carddav")])
def test_against_a_bare_loop(board: Board, objects: Dav, tmp_path: Path, kind: Kind, name: str) -> None:
    file = _records(kind, tmp_path)
    ours, bare = [], []
    for _ in range(ROUNDS):
        taken = _copied(objects, kind, file)
        ours.append(taken)
        bare.append(_bare(kind, file))
    board.put(f"{name}-vs-bare", *_rates([one.copy.seconds for one in ours], bare))
    verified = median(one.verify.seconds for one in ours)
    board.notes.append((f"{name}, verification alone", f"{ITEMS / verified:,.0f} items/s"))
    board.notes.append((f"CPU of the last {name} copy", _shares(ours[-1])))
    if kind is Kind.CALENDAR:
        parts = [one.parts["map and digest"] / ITEMS * 1000 for one in ours]
        board.put("event-cpu-ms", median(parts))


def test_against_vdirsyncer(board: Board, objects: Dav, vdirsyncer: str, tmp_path: Path) -> None:
    file = _records(Kind.CALENDAR, tmp_path)
    made = bodies(file, Kind.CALENDAR)
    ours, theirs = [], []
    for number in range(ROUNDS):
        ours.append(_copied(objects, Kind.CALENDAR, file).copy.seconds)
        theirs.append(_vdirsyncer(vdirsyncer, made, tmp_path / str(number)))
    board.put("caldav-vs-vdirsyncer", *_rates(ours, theirs))


def _records(kind: Kind, folder: Path) -> Path:
    file = folder / "records"
    script("bench_records.py", kind.value, str(ITEMS), str(file))
    return file


def _rates(ours: list[float], reference: list[float]) -> tuple[float, float, float]:
    ratio = median(theirs / own for own, theirs in zip(ours, reference, strict=True))
    return ITEMS / median(ours), ITEMS / median(reference), ratio


def _copied(objects: Dav, kind: Kind, file: Path) -> Taken:
    with radicale() as server:
        taken = objects(server, USER, kind, {"kind": "records", "file": str(file)})
        _assert_arrived(server, kind)
    assert (taken.state, taken.code, taken.states) == ("verified", None, {"VERIFIED": ITEMS})
    return taken


def _bare(kind: Kind, file: Path) -> float:
    with radicale() as server:
        url = f"{server.home(USER)}{NAMES[kind]}/"
        seconds = float(script("bench_puts.py", url, USER, server.user_password, kind.value, str(file)))
        _assert_arrived(server, kind)
    return seconds


def _vdirsyncer(program: str, made: list[bytes], folder: Path) -> float:
    files = folder / "files"
    files.mkdir(parents=True)
    for number, body in enumerate(made):
        (files / f"{number}.ics").write_bytes(body)
    with radicale() as server:
        config = folder / "config"
        config.write_text(
            VDIRSYNCER.format(
                folder=folder,
                suffix=".ics",
                url=f"{server.home(USER)}calendar/",
                user=USER,
                password=server.user_password,
            )
        )
        config.chmod(0o600)
        _timed(program, "-c", str(config), "discover")
        seconds = _timed(program, "-c", str(config), "sync") - _timed(program, "--version")
        _assert_arrived(server, Kind.CALENDAR)
    return seconds


def _timed(*command: str) -> float:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - began


def _assert_arrived(server: RadicaleServer, kind: Kind) -> None:
    url = f"{server.home(USER)}{NAMES[kind]}/"
    answer = requests.request("PROPFIND", url, auth=(USER, server.user_password), headers={"Depth": "1"})
    suffix = ".vcf" if kind is Kind.CONTACTS else ".ics"
    assert answer.text.count(f"{suffix}</") == ITEMS


def _shares(taken: Taken) -> str:
    parts = sorted(taken.parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {seconds / ITEMS * 1000:.2f} ms" for name, seconds in parts)
