"""Links into OneDrive and SharePoint: which are found in mails and documents, and where a click leads."""

from __future__ import annotations

import zipfile
from email.message import EmailMessage
from io import BytesIO
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.mail import links
from mappings.mail.links import followed, in_document, in_mail, is_document

SITE = "https://contoso.sharepoint.com/sites/one/Shared%20Documents"
MINE = "https://contoso-my.sharepoint.com/:w:/g/personal/anna_contoso_com/EaBc?e=x1&b=2"
RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{SITE}/a.docx", f"{SITE}/a.docx"),
        (MINE, MINE),
        ("https://1drv.ms/w/s!Abc", "https://1drv.ms/w/s!Abc"),
        ("https://onedrive.live.com/?id=1", "https://onedrive.live.com/?id=1"),
        ("https://contoso.sharepoint.us/a", "https://contoso.sharepoint.us/a"),
        ("https://www.example.org/sharepoint.com", ""),
        ("https://sharepoint.com.evil/", ""),
        ("https://notsharepoint.com/a", ""),
        ("mailto:anna@contoso.sharepoint.com", ""),
        ("https://[bad/", ""),
        ("", ""),
        (f"https://eur01.safelinks.protection.outlook.com/?url={quote(MINE, '')}&data=05%7C", MINE),
        ("https://eur01.safelinks.protection.outlook.com/?data=05", ""),
        (f"https://eur01.safelinks.protection.outlook.com/?url={quote('https://example.org/', '')}", ""),
        (
            "https://contoso.sharepoint.com/sites/one/Akten/Forms/AllItems.aspx?id=%2Fsites%2Fone%2FAkten%2Fa%20b.txt",
            "https://contoso.sharepoint.com/sites/one/Akten/a%20b.txt",
        ),
        (
            "https://contoso-my.sharepoint.com/personal/a/_layouts/15/onedrive.aspx?id=%2Fpersonal%2Fa%2FDocuments%2Fx",
            "https://contoso-my.sharepoint.com/personal/a/Documents/x",
        ),
    ],
)
def test_where_a_click_leads(url: str, expected: str) -> None:
    assert followed(url) == expected


def test_wrappers_in_wrappers_end() -> None:
    url = MINE
    for _ in range(links.WRAPPED_MOST):
        url = f"https://eur01.safelinks.protection.outlook.com/?url={quote(url, '')}"
    assert followed(url) == ""


def mail(text: str = "", page: str = "", *attachments: tuple[str, bytes]) -> BytesIO:
    message = EmailMessage()
    message["Subject"] = "links"
    message.set_content(text)
    if page:
        message.add_alternative(page, subtype="html")
    for name, data in attachments:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return BytesIO(message.as_bytes())


def test_of_a_mail_s_texts() -> None:
    text = f"See ({SITE}/a.docx), <{SITE}/b(1).docx>.\nAnd {SITE}/Übersicht.docx!\nhttps://example.org/"
    assert in_mail(mail(text)) == [f"{SITE}/a.docx", f"{SITE}/b(1).docx", f"{SITE}/Übersicht.docx"]


def test_of_a_mail_s_page_entities_and_blanks_included() -> None:
    shown = "https://contoso.sharepoint.com/sites/one/Freigegebene Dokumente/a.docx"
    wrapped = f"https://eur01.safelinks.protection.outlook.com/?url={quote(MINE, '')}&amp;data=1"
    page = f'<p><a href="{wrapped}" originalsrc="{MINE.replace("&", "&amp;")}">x</a> <a href="{shown}">y</a>'
    assert in_mail(mail("plain", page)) == [MINE, shown]


def test_each_once_and_in_attached_mails_and_documents() -> None:
    outer = EmailMessage()
    outer.set_content(f"{MINE} {MINE}")
    inner = EmailMessage()
    inner.set_content(f"{SITE}/inner.txt")
    outer.add_attachment(inner)
    outer.add_attachment(office(f"{SITE}/deck"), maintype="application", subtype="x", filename="Ünï.PPTX")
    assert in_mail(BytesIO(outer.as_bytes())) == [MINE, f"{SITE}/inner.txt", f"{SITE}/deck"]


def office(*targets: str, mode: str = "External", part: str = "word/_rels/document.xml.rels") -> bytes:
    rows = "".join(
        f'<Relationship Id="r{at}" Type="t" Target="{target.replace("&", "&amp;")}" TargetMode="{mode}"/>'
        for at, target in enumerate(targets)
    )
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr(part, f'<Relationships xmlns="{RELATIONSHIPS}">{rows}</Relationships>')
    return made.getvalue()


@pytest.mark.parametrize("name", ["a.docx", "b.XLSX", "c.pptx", "d.docm"])
def test_of_office_documents_the_relationships(name: str) -> None:
    data = office(MINE, "https://example.org/", part="ppt/slides/_rels/slide1.xml.rels")
    assert in_document(name, BytesIO(data)) == [MINE]
    assert in_document(name, BytesIO(office(MINE, mode="Internal"))) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.url", f"[InternetShortcut]\r\nURL={MINE}\r\n".encode()),
        ("a.txt", MINE.encode("utf-16")),
        ("a.txt", b"\xff\xe4 " + MINE.encode()),
        ("a.html", f"<a href='{MINE}'>ä</a>".encode("latin-1")),
        ("a.HTM", f"<script>var a = '{MINE}'</script>".encode()),
    ],
)
def test_of_pages_texts_and_shortcuts(name: str, data: bytes) -> None:
    assert is_document(name)
    assert in_document(name, BytesIO(data)) == [MINE]


def test_other_files_are_not_looked_into() -> None:
    assert not is_document("a.pdf")
    assert in_document("a.pdf", BytesIO(MINE.encode())) == []


def test_reading_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "UNPACKED_MOST", 1000)
    bomb = office(*[f"{SITE}/{number}" for number in range(5000)])
    assert in_document("a.docx", BytesIO(bomb)) == []
    monkeypatch.setattr(links, "TEXT_MOST", 10)
    assert in_document("a.txt", BytesIO(b" " * 10 + MINE.encode())) == []
    assert in_mail(mail(" " * 10 + MINE)) == []
    monkeypatch.setattr(links, "DOCUMENT_MOST", 10)
    assert in_mail(mail("", "", ("a.docx", office(MINE)))) == []


def test_an_entity_bomb_is_not_expanded() -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Relationships>&b;</Relationships>'
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        package.writestr("_rels/.rels", bomb)
        package.writestr("x/_rels/y.rels", office_part(MINE))
    assert in_document("a.docx", made) == [MINE]


def office_part(target: str) -> bytes:
    with zipfile.ZipFile(BytesIO(office(target))) as package:
        return package.read("word/_rels/document.xml.rels")


@given(st.binary(max_size=500), st.integers(min_value=0, max_value=600), st.sampled_from(links.DOCUMENTS))
def test_whatever_the_bytes_are_nothing_is_raised(data: bytes, cut: int, name: str) -> None:
    head = mail(f"{MINE} x", "<p>y</p>", ("a.docx", office(MINE))).getvalue()
    assert_addresses(in_mail(BytesIO(head[:cut] + data + head[cut:])))
    assert_addresses(in_document(name, BytesIO(data)))
    broken = bytearray(office(MINE))
    broken[cut % len(broken) : cut % len(broken) + 4] = data[:4]
    assert_addresses(in_document(name, BytesIO(bytes(broken))))


def assert_addresses(found: list[str]) -> None:
    """Each once, and nothing that leads elsewhere or is still wrapped."""
    assert isinstance(found, list)
    assert found == list(dict.fromkeys(found))
    assert [followed(url) for url in found] == found
