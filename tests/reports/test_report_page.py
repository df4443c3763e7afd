"""The pages of a report: they ask nothing of the network, name nobody, add up, and everyone can read them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise, product

import pytest
from lxml import html
from report_world import PRIVATE, WAVE, World

from ledger.db.rows import LegState, Phase
from model.kinds import Kind
from reports.charts import Charts, speeds
from reports.data import (
    Coded,
    Fate,
    InvitationProbe,
    Lost,
    MailboxReport,
    Organisation,
    Status,
    WaveReport,
    WorkloadReport,
    totals,
)
from reports.html import SECTIONS, coded, person_page, wave_page
from reports.i18n import HOME, LANGUAGES, text
from reports.own_folders import Folder, MissingItem, OwnFolders, read_own_folders
from reports.read import read
from reports.text_blocks import (
    BROKEN,
    KEPT,
    NOT_YET,
    PARTLY,
    attention,
    figures,
    headline,
    left_rows,
    promises,
)

CSS = (HOME / "page.css").read_text()
TEXT = ("ink", "muted", "accent", "good", "bad", "care")
LINES = re.compile(r"--([a-z-]+): *(#[0-9a-f]{6})")


@pytest.fixture(scope="module")
def sealed() -> bool:
    return True


@pytest.fixture(scope="module")
def report(place: World) -> WaveReport:
    return read(place.ledger, WAVE, contact="Service <desk> & co.")


@pytest.fixture(scope="module")
def pages(report: WaveReport) -> dict[str, str]:
    """By language."""
    return {language: wave_page(report, text(language)) for language in LANGUAGES}


def box(place: World, report: WaveReport, number: int) -> MailboxReport:
    return next(one for one in report.boxes if one.id == place.ids[number])


def moved(report: WaveReport) -> WaveReport:
    """Of the mailboxes that moved, alone."""
    whole = tuple(one for one in report.boxes if one.verified and not one.failures)
    return replace(report, boxes=whole)


# Who and what may be in it


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_person_is_named(place: World, report: WaveReport, pages: dict[str, str], language: str) -> None:
    people = [person_page(report, one, text(language)) for one in report.boxes]
    for page in (pages[language], *people):
        assert not [word for word in PRIVATE if word in page]
        assert "@" not in re.sub(r"@(?:media|page)\b", "", page)
    assert place.ids[5] in pages[language]


def test_a_person_s_page_is_about_nobody_else(place: World, report: WaveReport) -> None:
    for one in report.boxes:
        page = person_page(report, one, text("en"))
        assert one.id in page
        assert not [other for other in place.ids.values() if other != one.id and other in page]
        assert "C. Hansen" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_fetched_and_nothing_runs(
    report: WaveReport, pages: dict[str, str], language: str
) -> None:
    for page in (pages[language], person_page(report, report.boxes[0], text(language))):
        addresses = set(re.findall(r"[a-z]+://[^\s\"'<]+", page))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
        tree = html.fromstring(page)
        assert not tree.xpath("//script | //link | //img | //iframe | //object | //embed | //form | //base")
        assert not tree.xpath("//@src | //@onclick | //@onload | //@srcset")
        (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert "img-src data:" in policy, "a logo is data, and nothing else is a picture"
        assert all(link.startswith("#") for link in tree.xpath("//a/@href"))
        assert "url(" not in page
        assert "@import" not in page
        (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert "default-src 'none'" in policy


def test_what_people_wrote_is_text(place: World, report: WaveReport) -> None:
    page = person_page(report, report.boxes[0], text("en"))
    assert "Service &lt;desk&gt; &amp; co." in page
    decided = replace(report.chain.decisions[0], reason="<script>alert(1)</script>", by='"><b>x')
    forged = replace(report, wave="<i>w</i>", chain=replace(report.chain, decisions=(decided,)))
    page = wave_page(forged, text("en"))
    assert "<script" not in page
    assert "<i>w" not in page
    assert "<b>x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert coded("`a` <b>") == "<code>a</code> &lt;b&gt;"


# What it says


def test_the_tables_add_up(report: WaveReport, pages: dict[str, str]) -> None:
    tree = html.fromstring(pages["en"])
    (table,) = tree.xpath("//section[@id='fates']//table")
    rows = [
        [int(cell.text_content().replace(",", "")) for cell in row.xpath("td")]
        for row in table.xpath("tbody/tr | tfoot/tr")
    ]
    *workloads, total = rows
    assert [sum(column) for column in zip(*workloads, strict=True)] == total
    assert all(sum(row[:-1]) == row[-1] for row in rows)
    assert total[-1] == report.fates.total() == 2750
    (sums,) = re.findall(r"<li>([\d, +]+ = [\d,]+)</li>", pages["en"])
    parts, _, whole = sums.replace(",", "").partition(" = ")
    assert sum(map(int, parts.split(" + "))) == int(whole) == 2750


def test_a_french_page_has_a_space_before_every_colon(report: WaveReport, pages: dict[str, str]) -> None:
    people = [person_page(report, one, text("fr")) for one in report.boxes]
    for page in (pages["fr"], *people):
        tree = html.fromstring(page)
        words = "".join(tree.xpath("//body//text()[not(ancestor::code)]"))
        assert not re.findall(r".{12}[^\W\d](?: )?:\s.{12}", words)


def test_words_of_a_picture_are_apart_as_the_language_has_it(pages: dict[str, str]) -> None:
    space = "\N{NARROW NO-BREAK SPACE}"
    told = "".join(html.fromstring(pages["fr"]).xpath("//svg/desc/text()"))
    assert f"{space};" in told
    assert not re.findall(rf"[^{space}];", told)


def test_a_number_stays_with_what_it_counts(pages: dict[str, str]) -> None:
    (head,) = html.fromstring(pages["en"]).xpath("//h1/text()")
    assert "but for 7\N{NO-BREAK SPACE}items, 2\N{NO-BREAK SPACE}need" in head


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_section_is_there_and_led_to(pages: dict[str, str], language: str) -> None:
    tree = html.fromstring(pages[language])
    assert tree.get("lang") == language
    assert tree.xpath("//nav//a/@href") == [f"#{name}" for name in SECTIONS]
    assert tree.xpath("//main/section/@id") == list(SECTIONS)
    assert "{" not in tree.xpath("string(//body)"), "a place that was not filled"
    assert not tree.xpath("//span[@lang]"), "all of it is translated"


def test_the_one_sentence(place: World, report: WaveReport) -> None:
    own = text("en")
    told = (
        "7 of 12 mailboxes have moved completely and were checked; 1 has moved but for 7 items, "
        "2 need a decision, 1 was taken back, 1 has not begun, 4 are copied and wait for their cutover."
    )
    assert headline(report, own) == told
    nothing_failed = moved(report)
    head = "All 7 mailboxes have moved completely and were checked"
    low = "1 of them is to be looked at before it goes live"
    assert headline(nothing_failed, own) == f"{head}; {low}, 4 are copied and wait for their cutover."
    approved = replace(
        nothing_failed, boxes=tuple(replace(one, accepted=True) for one in nothing_failed.boxes)
    )
    assert headline(approved, own) == f"{head}; 5 are copied and wait for their cutover."
    perfect = replace(report, boxes=tuple(one for one in nothing_failed.boxes if not one.attention))
    assert headline(perfect, own) == (
        "All 6 mailboxes have moved completely and were checked; 4 are copied and wait for their cutover."
    )
    with_failures = replace(report, boxes=tuple(one for one in report.boxes if one.verified))
    assert headline(with_failures, own).endswith(
        "; 1 has moved but for 7 items, 2 of them are to be looked at before they go live, "
        "4 are copied and wait for their cutover."
    )
    two = replace(report, boxes=(box(place, report, 0), box(place, report, 5)))
    assert headline(two, own).startswith("1 of 2 mailboxes has moved completely")
    one = replace(report, boxes=(box(place, report, 5),))
    assert headline(one, own).startswith(
        "The only mailbox of this wave has not moved completely; 1 has moved"
    )
    planned = replace(report, boxes=(box(place, report, 11),))
    assert headline(planned, own) == "The wave has not begun: 1 mailbox is planned."


def test_who_was_given_back_is_not_in_use(place: World, report: WaveReport) -> None:
    """All of it is at the target, and the person works at the source."""
    live, other = box(place, report, 0), box(place, report, 1)
    back = replace(other, phase=Phase.STAGING, given_back=True)
    given_back = replace(report, boxes=(live, back))
    head = "All 2 mailboxes were copied completely and checked"
    waits = "1 was given back to the old system and waits for its cutover"
    assert headline(given_back, text("en")) == f"{head}; {waits}."
    assert figures(given_back, text("en"))[2].note == waits
    assert "given back" in html.fromstring(wave_page(given_back, text("en"))).xpath(
        "string(//section[@id='boxes'])"
    )
    head = "All 2 mailboxes have moved completely and were checked"
    changing = replace(report, boxes=(live, replace(other, phase=Phase.FROZEN)))
    assert headline(changing, text("en")) == f"{head}; 1 is changing over."
    before = tuple(replace(one, phase=Phase.STAGING) for one in (live, other))
    assert headline(replace(report, boxes=before), text("en")) == f"{head}; every item is accounted for."


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_decisions_are_told_in_words(pages: dict[str, str], language: str) -> None:
    (section,) = html.fromstring(pages[language]).xpath("//section[@id='decisions']")
    own, cells = text(language), [cell.text_content() for cell in section.xpath(".//td")]
    told = [" ".join(cell.split()) for cell in cells]
    colon = {"en": ": ", "de": ": ", "fr": "\N{NARROW NO-BREAK SPACE}: "}[language]
    assert f"{own.name('decision', 'plan-approved')}{colon}{own.name('about', 'start')}" in cells
    assert {"A. Petersen", "B. Iversen", "first wave"} <= set(told)
    assert f"{own.name('decision', 'rolled-back')} rolled-back" in told
    assert not [words for words in told if words.startswith("plan-approved")]


def test_what_was_approved_says_so_beside_its_score(place: World, report: WaveReport) -> None:
    low = box(place, report, 5)
    approved = replace(report, boxes=(replace(low, accepted=True, missed=7),))
    found = html.fromstring(wave_page(approved, text("en")))
    assert "poor, approved" in found.xpath("string(//section[@id='boxes'])")
    assert "No mailbox needs a person" in found.xpath("string(//section[@id='attention'])")


def test_three_numbers(report: WaveReport) -> None:
    assert [one.number for one in figures(report, text("en"))] == ["7", "87.66%", "4"]
    assert [one.number for one in figures(replace(report, boxes=()), text("en"))] == ["0", "0", "0"]
    why = "2 have stopped, 7 items could not be moved, 2 have a low score"
    assert figures(report, text("en"))[2].note == why
    perfect = replace(report, boxes=(next(one for one in report.boxes if one.phase is Phase.LIVE),))
    assert figures(perfect, text("en"))[2].note == "nobody has to decide anything"
    assert figures(moved(report), text("en"))[1].number == "100%"


def test_what_was_promised_is_judged_by_what_is_recorded(place: World, report: WaveReport) -> None:
    def kept(found: WaveReport) -> list[str]:
        return [one.kept for one in promises(found, text("en"))]

    assert kept(report) == [KEPT, NOT_YET, PARTLY, NOT_YET, KEPT]
    read_back = tuple(one for one in moved(report).boxes if not any(part.unread for part in one.parts))
    whole = replace(report, boxes=read_back)
    assert kept(whole) == [KEPT, KEPT, PARTLY, KEPT, KEPT]
    assert kept(replace(whole, invitation_probe=InvitationProbe("silent", 0.0)))[2] == PARTLY, (
        "the ledger hears no mail"
    )
    assert kept(replace(whole, invitation_probe=InvitationProbe("invited", 0.0)))[2] == BROKEN
    assert kept(replace(whole, seal=None))[4] == NOT_YET
    assert report.seal is not None
    for seal in (replace(report.seal, changed=True), replace(report.seal, complete=False)):
        assert kept(replace(whole, seal=seal))[4] == NOT_YET
    assert kept(replace(whole, chain=replace(report.chain, head=None)))[4] == BROKEN
    wrong = replace(box(place, report, 10), phase=Phase.LIVE)
    assert kept(replace(report, boxes=(wrong,)))[1] == BROKEN, "found after somebody works there"
    assert kept(replace(report, boxes=(box(place, report, 11),)))[0] == NOT_YET


def test_a_broken_chain_stands_at_the_top(report: WaveReport) -> None:
    page = wave_page(replace(report, chain=replace(report.chain, head=None)), text("en"))
    main = page[page.index("<main") : page.index("<nav")]
    assert "BROKEN" in main
    assert "BROKEN" not in wave_page(report, text("en"))


def test_the_seal_and_how_to_check_it(report: WaveReport, pages: dict[str, str]) -> None:
    assert "03" * 32 in pages["en"]
    assert f"--root {'03' * 16}{'5a' * 16}" in pages["en"]
    assert "kogge audit verifier" not in pages["en"], "it runs without Kogge, and does not come from it"
    assert pages["en"].index("sha256sum verify_kogge.py") < pages["en"].index("python -I verify_kogge.py")
    assert "--correct" not in pages["en"]
    assert report.seal is not None
    seal = replace(report.seal, changed=True, number=4, corrected=1)
    changed = wave_page(replace(report, seal=seal), text("en"))
    assert "The wave changed since" in changed
    assert "--key operator.pem --correct REASON" in changed
    assert f"wave-{report.wave}-seal-4 --pubkey" in changed
    unsealed = html.fromstring(wave_page(replace(report, seal=None, wave="a wave"), text("en")))
    said = unsealed.xpath("string(//section[@id='evidence'])")
    assert "not sealed yet" in said
    assert not re.search("verify_kogge|above|Compare", said), "it speaks of nothing that is not there"
    orders = unsealed.xpath("string(//section[@id='engineer'])")
    assert "kogge audit seal --wave 'a wave' --key operator.pem" in orders


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_the_engineer_s_annex_has_commands(pages: dict[str, str], language: str) -> None:
    tree = html.fromstring(pages[language])
    for section in ("engineer", "evidence"):
        (one,) = tree.xpath(f"//section[@id='{section}']")
        assert "kogge" in one.text_content()
        assert not one.xpath("details/@open"), "whoever decides does not unfold it"
        one.getparent().remove(one)
    said = tree.xpath("string(//body)")
    assert not re.search(r"kogge [a-z]|--[a-z]|operator\.pem", said)


def test_losses_are_folded_by_what_they_concern(report: WaveReport, pages: dict[str, str]) -> None:
    (section,) = html.fromstring(pages["en"]).xpath("//section[@id='losses']")
    heads = [" ".join(one.text_content().split()) for one in section.xpath("details/summary")]
    *groups, appearance, meaning = heads
    assert groups[:3] == [
        "Attached files · 1 item, 1 mailbox",
        "Long texts · 1 item, 1 mailbox",
        "Pictures of contacts · 1 item, 1 mailbox",
    ], "what is missing comes first"
    assert "Names of folders · 1 folder, 1 mailbox" in groups
    assert appearance == "Details of appearance · at most 15 items, 1 folder, 2 mailboxes"
    assert meaning == "What “concerns” means"
    assert not section.xpath(".//details/@open")
    rows = section.xpath(".//tbody/tr")
    assert len(rows) == len(totals(one.losses for one in report.boxes)), "each loss is still there by itself"


def test_who_needs_a_person_for_the_same_reason_is_one_row(place: World, report: WaveReport) -> None:
    stopped = box(place, report, 7)
    many = tuple(replace(stopped, id=f"m-{at:08}") for at in range(23))
    rows = attention(replace(report, boxes=(*many, box(place, report, 5))), text("en"))
    assert [(len(row.ids), row.more, row.status) for row in rows] == [
        (20, 3, Status.PERSON),
        (1, 0, Status.MOVED),
    ]
    assert [why.code for row in rows for why in row.whys if why.code] == ["over-quota"]


def test_what_stays_for_one_reason_is_one_row(place: World, report: WaveReport) -> None:
    kinds = (Kind.MAIL, Kind.CALENDAR)
    twice = tuple(Coded(kind, "hidden", items) for kind, items in zip(kinds, (20, 30), strict=True))
    found = left_rows(replace(report, boxes=(replace(box(place, report, 0), omitted=twice),)), text("en"))
    assert [(row.workloads, row.items, row.mailboxes) for row in found] == [(["Mail", "Calendar"], 50, 1)]


def test_the_load_is_told_in_per_cent_and_drawn_only_if_there_was_any(report: WaveReport) -> None:
    drawn = Charts(text("de")).pace(report.beats)
    assert drawn is not None
    assert drawn.words == (
        "100\N{NO-BREAK SPACE}% ist volles Tempo, 0\N{NO-BREAK SPACE}% ist Stillstand. "
        "Die langsamste Minute lag bei 0\N{NO-BREAK SPACE}%."
    )
    full = [replace(beat, source=1.0, target=None) for beat in report.beats]
    assert Charts(text("de")).pace(full) is None


def test_a_chart_s_axis_is_the_clock_of_its_readers(report: WaveReport) -> None:
    few = report.beats[:2]
    drawn = [Charts(text("en", zone)).progress(few) for zone in ("UTC", "Asia/Kolkata")]
    hours = [re.findall(r">(\d\d:\d\d)<", "" if one is None else one.wide) for one in drawn]
    assert hours[0]
    assert hours[0] != hours[1]


def test_a_wave_of_which_nothing_is_known_yet(place: World, report: WaveReport) -> None:
    nothing = replace(report, boxes=(box(place, report, 11),), beats=(), rates={}, seal=None)
    tree = html.fromstring(wave_page(nothing, text("en")))
    assert "is not recorded" in tree.xpath("string(//section[@id='course'])")
    assert not tree.xpath("//section[@id='course']//svg")
    assert not tree.xpath("//main/figure"), "a flow of nothing is no picture"


def test_of_many_mailboxes_a_page_lists_the_first(place: World, report: WaveReport) -> None:
    many = replace(report, boxes=report.boxes * 50)
    tree = html.fromstring(wave_page(many, text("en")))
    assert len(tree.xpath("//section[@id='boxes']//tbody/tr")) == 500
    assert "and 100 more" in tree.xpath("string(//section[@id='boxes'])")
    assert not tree.xpath("//section[@id='boxes']/details[@open]"), "a long list is folded"


@pytest.mark.parametrize(
    ("number", "greeting", "sections"),
    [
        (0, "Everything that was to move has moved: 250 items.", ["moved", "changes", "ask"]),
        (5, "243 of 250 items have moved. 7 could not be moved.", ["moved", "not-moved", "changes", "ask"]),
        (6, "Everything that was to move has moved: 243 items.", ["moved", "changes", "stays", "ask"]),
        (7, "170 of 250 items are at the new system.", ["moved", "not-moved", "changes", "ask"]),
        (8, "The move of your mailbox was taken back.", ["ask"]),
        (11, "Your mailbox has not begun to move.", ["ask"]),
    ],
)
def test_a_person_is_told_what_is_so(
    place: World, report: WaveReport, number: int, greeting: str, sections: list[str]
) -> None:
    tree = html.fromstring(person_page(report, box(place, report, number), text("en")))
    assert greeting in tree.xpath("string(//h1)")
    assert tree.xpath("//main/section/@id") == sections


def test_a_person_reads_what_changed_and_what_did_not(place: World, report: WaveReport) -> None:
    changed = html.fromstring(person_page(report, box(place, report, 2), text("de")))
    words = changed.xpath("string(//section[@id='changes'])")
    assert "Namen von Ordnern (E-Mail, 1 Ordner)" in words
    assert "Was Sie tun können: Suchen Sie nach einem ähnlichen Namen." in words
    assert "Dazu kommen 13 Kleinigkeiten im Aussehen" in words, "and 13 bullets they are not"
    assert "Suchordner" in changed.xpath("string(//section[@id='stays'])")
    failed = html.fromstring(person_page(report, box(place, report, 5), text("de")))
    assert "Zu groß (E-Mail, 2 Elemente)" in failed.xpath("string(//section[@id='not-moved'])")
    for tree in (changed, failed):
        said = tree.xpath("string(//main)")
        assert not re.search("kogge|RFC|CRLF", said), "an engineer's words are no use to a person"
        assert not tree.xpath("//main//code")


def test_the_owner_alone_reads_where_it_is(place: World, report: WaveReport) -> None:
    ids = [place.ids[2], place.ids[5]]
    found = read_own_folders(place.ledger, WAVE, ids)
    assert sorted(found) == sorted(ids)
    pages = {number: person_page(report, box(place, report, number), text("en"), found[place.ids[number]])
             for number in (2, 5)}  # fmt: skip
    for number, page in pages.items():
        assert "This page is for you alone." in html.fromstring(page).xpath("string(//header)")
        assert "Geheime Ablage" in page
        assert "Geheimer Bericht" not in page, "the name of an item is not told"
        assert not [other for own, other in place.ids.items() if own != number and other in page]
    (rows,) = html.fromstring(pages[5]).xpath(
        "//section[@id='not-moved']//li[contains(., 'Too large')]//tbody"
    )
    assert [row.xpath("string(td[1])") for row in rows.xpath("tr")] == ["Geheime Ablage"] * 2
    assert rows.xpath("string(tr[1]/td[3])") == "4.1\N{NO-BREAK SPACE}kB"


def test_a_hostile_folder_is_text_and_many_are_counted(place: World, report: WaveReport) -> None:
    names = Counter(
        {Folder(f"<script>{at}</script>\N{RIGHT-TO-LEFT OVERRIDE}", f"<b>{at}"): 1 for at in range(25)}
    )
    missing = [MissingItem(Kind.MAIL, '"><img src=x>', 1_764_144_300, None)] * 203
    own = OwnFolders({"folder-name": names}, {"too-large": missing})
    lost = (Lost(Kind.MAIL, "name", "taken", 25, True),)
    one = replace(box(place, report, 5), losses=lost)
    page = person_page(report, one, text("en"), own)
    tree = html.fromstring(page)
    assert not tree.xpath("//script | //img")
    assert "&lt;script&gt;0&lt;/script&gt;" in page
    folders = tree.xpath("//section[@id='changes']//ul[@class='folders']/li")
    assert len(folders) == 21
    assert folders[-1].text_content() == "and 5 more folders"
    assert all(len(one.xpath("bdi")) == 2 for one in folders[:-1]), "no name turns the line around"
    assert folders[0].text_content().endswith("is now called <b>0")
    assert "and 3 more items" in tree.xpath("string(//section[@id='not-moved'])")


def test_the_organisation_stands_at_the_top(report: WaveReport, pages: dict[str, str]) -> None:
    named = replace(report, organisation=Organisation("Stadt <Muster>", "data:image/png;base64,aaaa"))
    (head,) = html.fromstring(person_page(named, report.boxes[0], text("en"))).xpath("//header/p[@class]")[:1]
    assert head.text_content() == "Stadt <Muster>"
    assert head.xpath("img/@src") == ["data:image/png;base64,aaaa"]
    alone = replace(report, organisation=Organisation("", "data:image/png;base64,aaaa"))
    assert 'alt="Logo of the organisation"' in person_page(alone, report.boxes[0], text("en"))
    assert not html.fromstring(pages["en"]).xpath("//img | //*[@class='masthead']"), "nothing is made up"


def test_what_has_no_translation_is_marked_as_english(
    place: World, report: WaveReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = WorkloadReport(
        next(iter(box(place, report, 7).parts)).workload, LegState.BLOCKED, "not-in-plan", None, {}
    )
    one = replace(box(place, report, 7), parts=(part,))
    monkeypatch.setattr("reports.i18n.advice_of", lambda entry: {"en": entry.do["en"]})
    page = wave_page(replace(report, boxes=(one,)), text("de"))
    assert '<span lang="en">' in page
    assert "gibt es noch keine Übersetzung" in page


# Whether everybody can read it


@pytest.mark.parametrize("language", LANGUAGES)
def test_headings_and_tables_are_in_order(report: WaveReport, pages: dict[str, str], language: str) -> None:
    people = [person_page(report, one, text(language)) for one in report.boxes]
    for page in (pages[language], *people):
        tree = html.fromstring(page)
        levels = [int(found.tag[1]) for found in tree.xpath("//h1 | //h2 | //h3 | //h4")]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        ids = tree.xpath("//@id")
        assert len(ids) == len(set(ids))
        for name in tree.xpath("//@aria-labelledby"):
            assert set(name.split()) <= set(ids)
        assert len(tree.xpath("//main")) == 1
        assert tree.xpath("//a[@class='skip']/@href") == ["#content"]
        for table in tree.xpath("//table"):
            assert table.xpath(".//th[@scope]"), "every table has heads that say what they are of"
        assert all(tree.xpath("//*[@role='region']/@aria-label"))


def test_every_picture_has_words_and_the_same_numbers_as_a_table(pages: dict[str, str]) -> None:
    tree = html.fromstring(pages["en"])
    pictures = tree.xpath("//figure//svg")
    assert len(pictures) == 2 * 5, "each for a desk and for a telephone"
    for one in pictures:
        assert one.get("role") == "img"
        named = one.get("aria-labelledby").split()
        assert [child.get("id") for child in one[:2]] == named
        assert all(child.text for child in one[:2])
    (flow,) = tree.xpath("//main/figure")
    numbers = {cell.text_content() for cell in flow.xpath(".//details//td[@class='n'][1]")}
    drawn = " ".join(flow.xpath(".//div[@class='wide']//*[local-name()='text']//text()"))
    assert {"2,354", "40", "7", "12", "250", "80"} == numbers
    assert all(number in drawn for number in numbers)
    assert len(tree.xpath("//section[@id='course']//details[@class='same']//tbody/tr")) == 60


def test_what_is_thin_is_still_seen_and_all_of_it_is_drawn() -> None:
    few = {Fate.MIGRATED: 1_000_000, Fate.FAILED: 1}
    picture = Charts(text("en")).flow(few)
    assert picture is not None
    assert "var(--fate-failed)" in picture.wide
    assert "var(--fate-skipped)" not in picture.wide
    assert Charts(text("en")).flow({}) is None


def test_speed_is_what_was_copied_while_at_work(report: WaveReport) -> None:
    found = speeds(report.beats)
    assert len(found) == len(report.beats) - 1
    whole = sum(speed * beat.worked for speed, beat in zip(found, report.beats[1:], strict=True))
    assert round(whole) == report.beats[-1].copied - report.beats[0].copied
    assert min(found) >= 0


def schemes() -> dict[str, dict[str, str]]:
    """Custom properties, as light, dark and print have them."""
    roots = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    assert len(roots) == 3
    light, dark, printed = (dict(LINES.findall(root)) for root in roots)
    return {"light": light, "dark": dark, "print": printed}


def luminance(colour: str) -> float:
    """By WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dim, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_there_is_enough_contrast(scheme: str) -> None:
    colours = schemes()[scheme]
    for name, ground in product(TEXT, ("paper", "panel")):
        assert contrast(colours[name], colours[ground]) >= 4.5, f"{name} on {ground}"
    pictures = [name for name in colours if name.startswith(("fate-", "score-"))]
    assert len(pictures) == 7 + 5
    for name in pictures:
        assert contrast(colours[name], colours["paper"]) >= 3, name


def test_every_scheme_has_every_colour() -> None:
    names = [set(one) for one in schemes().values()]
    assert names[0] == names[1] == names[2]
    assert set(re.findall(r"var\(--([a-z-]+)\)", CSS)) <= names[0]
    assert {f"fate-{fate}" for fate in Fate} <= names[0]
