"""The pages of a report in a real browser, headless, light, dark and printed: nothing is fetched, nothing
complains, nothing sticks out, and what is written can be read against what it is written on."""

from __future__ import annotations

import json
import re
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_world import WAVE, World
from services import need_chromium
from test_report_page import schemes

from reports.data import Organisation, WaveReport
from reports.html import person_page, wave_page
from reports.i18n import text
from reports.logo import logo_data
from reports.read import read

SECONDS = 120
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)
DARK = "--blink-settings=preferredColorScheme=0"
PHONE, DESK = "500,1500", "1200,1500"
HOSTILE = """
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 90 30">
<script>document.title = "ran"; fetch("http://127.0.0.1:9/x")</script>
<style>@import url(http://127.0.0.1:9/c.css);</style>
<image xlink:href="http://127.0.0.1:9/a.png" width="9" height="9"/>
<rect width="90" height="30" fill="teal" onload="document.title = 'ran'"/>
</svg>
"""
"""A logo that would run a script and fetch, if a browser let it."""
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')

ASK = """
<script>
const light = c => { const [r, g, b] = c.map(v => v / 255).map(v =>
  v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const numbers = c => c.match(/[\\d.]+/g).map(Number);
const ground = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
  if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
const seen = e => e.getClientRects().length > 0 && getComputedStyle(e).opacity !== "0";
window.addEventListener("load", () => {
  const short = document.documentElement.scrollHeight;
  document.querySelectorAll("details").forEach(e => { e.open = true; });
  const silent = ["SCRIPT", "title", "desc"];
  const words = [...document.querySelectorAll("body *")].filter(e => seen(e) &&
    e.getAttribute("opacity") !== "0" && !silent.includes(e.tagName) &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  const ratios = words.map(e => { const style = getComputedStyle(e);
    const ink = numbers(e instanceof SVGElement ? style.fill : style.color).slice(0, 3);
    const [a, b] = [light(ink), light(ground(e))].sort((x, y) => x - y);
    return [(b + 0.05) / (a + 0.05), e.textContent.trim().slice(0, 40)]; });
  const out = [...document.querySelectorAll("body *")].filter(e => seen(e) && !e.closest(".scroll") &&
    !e.classList.contains("skip") && !e.closest("thead") && e.getBoundingClientRect().right > innerWidth + 1);
  const keys = [...document.querySelectorAll("a, summary, [tabindex='0']")].filter(seen);
  keys.forEach(e => e.focus());
  const found = { short, long: document.documentElement.scrollHeight,
    width: document.documentElement.scrollWidth, room: innerWidth, words: words.length,
    worst: ratios.sort((x, y) => x[0] - y[0])[0], out: out.map(e => e.outerHTML.slice(0, 80)),
    fetched: performance.getEntriesByType("resource").length, keys: keys.length,
    unnamed: keys.filter(e => !(e.textContent.trim() || e.ariaLabel)).length,
    pictures: [...document.querySelectorAll("svg")].filter(seen).length };
  document.title = "FOUND" + JSON.stringify(found);
});
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    return need_chromium()


@pytest.fixture(scope="module")
def sealed() -> bool:
    return True


@pytest.fixture(scope="module")
def folder(place: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the pages wave.LANG.html and person.html; and of each one that is asked, NAME.asked.html."""
    home = tmp_path_factory.mktemp("pages")
    (home / "logo.svg").write_text(HOSTILE)
    owner = Organisation("Stadt Muster", logo_data(home / "logo.svg"))
    report: WaveReport = replace(read(place.ledger, WAVE, contact="the service desk"), organisation=owner)
    pages = {f"wave.{language}": wave_page(report, text(language)) for language in ("en", "de", "fr")}
    rejected = next(one for one in report.boxes if one.id == place.ids[5])
    pages["person"] = person_page(report, rejected, text("de"))
    for name, page in pages.items():
        (home / f"{name}.html").write_text(page)
        asked, count = POLICY.subn("", page)
        assert count == 1
        (home / f"{name}.asked.html").write_text(asked.replace("</body>", f"{ASK}</body>"))
    return home


def run(browser: str, page: Path, tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [browser, *FLAGS, profile, *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done


def complaints(log: str) -> list[str]:
    return [line for line in log.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("name", ["wave.de", "person"])
def test_the_browser_reads_it_without_a_word(browser: str, folder: Path, tmp_path: Path, name: str) -> None:
    done = run(browser, folder / f"{name}.html", tmp_path, "--dump-dom")
    assert complaints(done.stderr) == []
    assert done.stdout.count("<h1") == 1
    assert "<title>ran" not in done.stdout
    assert done.stdout.rstrip().endswith("</html>")


def test_it_would_hear_a_complaint(browser: str, tmp_path: Path) -> None:
    """Else the test above proves nothing; and the policy of the pages stops what it should."""
    page = tmp_path / "bad.html"
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
    page.write_text(f"<!doctype html>{policy}<script src='absent.js'></script>")
    assert complaints(run(browser, page, tmp_path, "--dump-dom").stderr)


def asked(browser: str, page: Path, tmp_path: Path, *options: str) -> dict[str, Any]:
    dom = run(browser, page, tmp_path, "--dump-dom", *options).stdout
    (told,) = re.findall(r"<title>FOUND(.*?)</title>", dom)
    found: dict[str, Any] = json.loads(told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return found


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        ("wave.en", DESK, ()),
        ("wave.de", PHONE, ()),
        ("wave.fr", PHONE, (DARK,)),
        ("wave.de", DESK, (DARK,)),
        ("person", PHONE, ()),
        ("person", DESK, (DARK,)),
    ],
)
def test_all_of_it_can_be_read(
    browser: str, folder: Path, tmp_path: Path, name: str, size: str, scheme: tuple[str, ...]
) -> None:
    found = asked(browser, folder / f"{name}.asked.html", tmp_path, f"--window-size={size}", *scheme)
    assert found["room"] == int(size.partition(",")[0])
    assert found["width"] <= found["room"], found["out"]
    assert found["out"] == []
    assert found["words"] > 20
    if name.startswith("wave"):
        assert found["short"] < 0.7 * found["long"], "what is behind the first is folded"
    assert found["worst"][0] >= 4.5, found["worst"]
    assert found["fetched"] == 0
    assert found["keys"] >= (20 if name.startswith("wave") else 1)
    assert found["unnamed"] == 0
    assert found["pictures"] == (5 if name.startswith("wave") else 0), "one of the two widths each"


def first_pixel(png: Path) -> str:
    """Of the top left corner, whatever the filter of its line: nothing is before it."""
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        packed += data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return f"#{zlib.decompress(packed)[1:4].hex()}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_reader_s_scheme(browser: str, folder: Path, tmp_path: Path, scheme: str) -> None:
    shot = tmp_path / "shot.png"
    options = [DARK] if scheme == "dark" else []
    run(browser, folder / "wave.en.html", tmp_path, f"--screenshot={shot}", f"--window-size={DESK}", *options)
    assert first_pixel(shot) == schemes()[scheme]["paper"]
    assert shot.stat().st_size > 20_000, "and something is on it"


@pytest.mark.parametrize(("name", "least"), [("wave.de", 6), ("person", 1)])
def test_it_prints(browser: str, folder: Path, tmp_path: Path, name: str, least: int) -> None:
    pdf = tmp_path / "page.pdf"
    run(browser, folder / f"{name}.html", tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", DARK)
    data = pdf.read_bytes()
    assert data.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", data))
    assert least <= pages <= least + 6
    (box,) = set(re.findall(rb"/MediaBox\s*\[([^\]]*)\]", data))
    assert [round(float(side)) for side in box.split()] == [0, 0, 595, 842], "A4"
