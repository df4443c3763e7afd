"""`kogge report`: which files it writes, and what it says of wrong input."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from report_world import WAVE, World, world
from sqlalchemy import update

from kogge.app import main
from ledger.db.schema import event
from reports.files import newest_page, page_of

TOML = """\
[approval]
required = 0
[source]
kind = "ews"
url = "http://127.0.0.1:1/EWS/Exchange.asmx"
auth = "basic"
username = "migrator@old.example"
password = { env = "KOGGE_TEST_PASSWORD" }
[target.mail]
kind = "imap"
host = "localhost"
port = 1
password = { env = "KOGGE_TEST_PASSWORD" }
[report]
contact = "Service desk, 1234"
"""
WAVE_PAGE = Path("kogge-state/reports/wave-pilot.en.html")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "kogge.toml").write_text(TOML)
    (tmp_path / "kogge-state").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    found = world(f"sqlite:///{tmp_path}/kogge-state/ledger.db")
    found.ledger.close()
    return found


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["report", *arguments])
    return int(caught.value.code or 0)


def test_the_command_writes_what_it_names(home: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--wave", WAVE, "--lang", "de", "--people", "--csv", "desk.csv") == 0
    told = capsys.readouterr().out
    page = Path("kogge-state/reports/wave-pilot.de.html")
    assert str(page.absolute()) in told
    assert '<html lang="de">' in page.read_text()
    assert len(list(Path("kogge-state/reports/people").iterdir())) == 12
    assert len(Path("desk.csv").read_text().splitlines()) == 13
    assert newest_page(Path("kogge-state"), WAVE) == page
    assert not list(Path().rglob("*.part"))


def test_the_facts_go_to_standard_output_alone(home: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--wave", WAVE, "--json", "--csv", "desk.csv") == 0
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert facts["wave"] == WAVE
    assert len(facts["mailboxes"]) == 12
    assert "wrote " in told.err
    assert Path("kogge-state/reports/wave-pilot.en.html").exists()


def test_nobody_else_on_the_machine_reads_it(home: World) -> None:
    page = Path("there/wave-pilot.en.html")
    page.parent.mkdir()
    page.write_text("an older one")
    page.chmod(0o644)
    assert run("--wave", WAVE, "--out", "there", "--people", "--csv", "there/desk.csv") == 0
    written = [path for path in Path("there").rglob("*") if path.is_file()]
    assert len(written) == 1 + 12 + 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    assert stat.S_IMODE(Path("there/people").stat().st_mode) == 0o700


def test_a_page_for_one_person(home: World) -> None:
    assert run("--wave", WAVE, "--mailbox", home.ids[5], "--out", "there") == 0
    (page,) = Path("there/people").iterdir()
    assert page.name == f"{home.ids[5]}.en.html"
    words = page.read_text()
    assert "Service desk, 1234" in words
    assert not [other for other in home.ids.values() if other != home.ids[5] and other in words]


def test_pages_with_folders_lie_apart_and_are_recorded(
    home: World, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = home.ids[5]
    options = ("--wave", WAVE, "--mailbox", owner, "--with-folders", "--by", "Night shift")
    assert run(*options, "--csv", "desk.csv", "--json") == 0
    told = capsys.readouterr()
    assert "hand each page to the owner" in told.err
    (page,) = Path("kogge-state/reports/owners").iterdir()
    assert page.name == f"{owner}.en.html"
    assert "Geheime Ablage" in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    assert not Path("kogge-state/reports/people").exists()
    others = (told.out, told.err, *(path.read_text() for path in (Path("desk.csv"), WAVE_PAGE)))
    assert not [words for words in others if "Geheim" in words], "no other file and no screen names a folder"
    recorded = [one for one in home.ledger.events(WAVE) if one.kind == "folders-named"]
    assert [(one.subject, one.detail) for one in recorded] == [(owner, {"by": "Night shift"})]
    assert "Asked for a page that names folders" in WAVE_PAGE.read_text()


def test_the_organisation_and_its_clock(home: World, capsys: pytest.CaptureFixture[str]) -> None:
    planned = '[plan]\ntimezone = "Asia/Tokyo"\nwindow = "nights"\n'
    window = '[windows.nights]\nspans = ["mon-sun 22:00-05:00"]\ntimezone = "Asia/Kolkata"\n'
    Path("kogge.toml").write_text(TOML.partition("[report]")[0] + planned + window)
    assert run("--wave", WAVE) == 0
    assert "(UTC+5:30)" in WAVE_PAGE.read_text(), "the clock of the window, where the pages have none"
    own = '[report]\norganisation = "Stadt Muster"\nlogo = "logo.png"\ntimezone = "Asia/Kathmandu"\n'
    Path("kogge.toml").write_text(TOML.partition("[report]")[0] + own)
    assert run("--wave", WAVE) == 2
    assert "[report] logo" in capsys.readouterr().err
    Path("logo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run("--wave", WAVE) == 0
    words = WAVE_PAGE.read_text()
    assert "Stadt Muster" in words
    assert "data:image/png;base64," in words
    assert "(UTC+5:45)" in words


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--wave", WAVE, "--with-folders", "--by", "me"), "--people"),
        (("--wave", WAVE, "--people", "--with-folders"), "--by"),
        ((), "--wave"),
        (("--wave", "pilto"), "did you mean pilot"),
        (("--wave", WAVE, "--lang", "nl"), "--lang"),
        (("--wave", WAVE, "--out", "kogge.toml"), "cannot be written"),
        (("--wave", WAVE, "--mailbox", "m-nobody"), "m-nobody"),
    ],
)
def test_wrong_input_is_named(
    home: World, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], named: str
) -> None:
    assert run(*arguments) == 2
    assert named in capsys.readouterr().err


def test_an_altered_chain_ends_in_one(home: World, capsys: pytest.CaptureFixture[str]) -> None:
    with home.ledger.engine.begin() as connection:
        connection.execute(update(event).where(event.c.seq == 1).values(kind="forged"))
    assert run("--wave", WAVE) == 1
    assert "altered" in capsys.readouterr().err
    assert "BROKEN" in Path("kogge-state/reports/wave-pilot.en.html").read_text()


def test_no_two_waves_share_a_page() -> None:
    names = ["a/b", "a-b", "A-B", "a b", "a%2Fb", "ä", "../x"]
    pages = {page_of(name, "en") for name in names}
    assert len(pages) == len(names)
    assert not [page for page in pages if "/" in page]
