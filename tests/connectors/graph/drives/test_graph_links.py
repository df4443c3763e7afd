"""Where addresses of OneDrive and SharePoint lead, as Graph tells."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from graph_drive_desk import desk
from graph_script import Answer, Ask, Cloud, Open, error

from connectors.graph.source import GraphSource
from model.errors import Blocked, Transient
from model.optional_protocols import Dead, SupportsLinks
from practice.graph_items.drive_rows import web_of

OWN = "https://example.sharepoint.com/sites/one/a.docx"
MINE = "https://example-my.sharepoint.com/personal/anna/Documents/a.docx"
REGION = "https://exampleeur.sharepoint.com/sites/one/a.docx"
ELSEWHERE = "https://fabrikam.sharepoint.com/sites/one/a.docx"
ROOT = Answer({"webUrl": "https://Example.sharepoint.com"})
ITEM = {"id": "I1", "parentReference": {"driveId": "b!D1", "id": "P1"}}


def cloud(item: Answer, root: Answer = ROOT) -> Cloud:
    def script(ask: Ask) -> Answer:
        return root if ask.path == "/sites/root" else item

    return Cloud(script)


@pytest.mark.parametrize("url", [OWN, MINE, REGION])
def test_an_address_is_asked_for_as_it_is(scripted_source: Open, url: str) -> None:
    scripted = cloud(Answer(ITEM))
    opened = scripted_source(scripted)
    assert isinstance(opened, SupportsLinks)
    assert opened.resolve(url) == "b!D1/I1"
    (ask,) = scripted.asks
    token = ask.path.removeprefix("/shares/u!").removesuffix("/driveItem")
    assert "=" not in token
    assert urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode() == url
    assert "redeem" not in ask.headers.get("prefer", "").lower()


def test_a_shortcut_leads_to_what_it_stands_for(scripted_source: Open) -> None:
    remote = {"id": "I2", "parentReference": {"driveId": "b!D2"}}
    assert scripted_source(cloud(Answer(ITEM | {"remoteItem": remote}))).resolve(OWN) == "b!D2/I2"


@pytest.mark.parametrize("row", [{}, {"id": "I1"}, {"id": "I1", "parentReference": {}}])
def test_an_answer_that_does_not_say_which_item(scripted_source: Open, row: dict[str, object]) -> None:
    assert scripted_source(cloud(Answer(row))).resolve(OWN) is Dead.UNREADABLE


@pytest.mark.parametrize(
    ("answer", "own", "elsewhere"),
    [
        (error("itemNotFound", 404), Dead.GONE, Dead.OTHER_TENANT),
        (error("accessDenied", 403), Dead.UNREADABLE, Dead.OTHER_TENANT),
        (error("invalidRequest", 400), Dead.UNREADABLE, Dead.OTHER_TENANT),
    ],
)
def test_why_there_is_nothing(scripted_source: Open, answer: Answer, own: Dead, elsewhere: Dead) -> None:
    scripted = cloud(answer)
    opened = scripted_source(scripted)
    assert [opened.resolve(url) for url in (OWN, MINE, ELSEWHERE)] == [own, own, elsewhere]
    assert scripted.paths().count("/sites/root") == 1
    unknowing = scripted_source(cloud(answer, error("accessDenied", 403)))
    assert unknowing.resolve(ELSEWHERE) is own


def test_private_onedrive_is_nobody_s_tenant_and_not_asked_for(scripted_source: Open) -> None:
    scripted = cloud(Answer(ITEM))
    assert scripted_source(scripted).resolve("https://1drv.ms/w/s!Abc") is Dead.OTHER_TENANT
    assert scripted.asks == []


def test_an_outage_is_no_word_about_the_address(scripted_source: Open) -> None:
    with pytest.raises(Transient):
        scripted_source(cloud(error("serviceNotAvailable", 503)), patience_seconds=0.2).resolve(OWN)


def test_a_refused_token_is_no_word_about_the_address(scripted_source: Open) -> None:
    with pytest.raises(Blocked, match="login-refused"):
        scripted_source(cloud(error("InvalidAuthenticationToken", 401))).resolve(OWN)


def test_the_practice_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path, monkeypatch) as opened:
        drive = opened.drive
        node = drive.write(drive.folder(drive.root, "Ä b"), "c#1.txt", b"1")
        library = opened.service.drives.site("sites/bauamt").libraries[1]
        found: GraphSource = opened.source()
        assert found.resolve(f"{web_of(drive, node)}?web=1") == f"{drive.id}/{node.id}"
        assert found.resolve(drive.web) == f"{drive.id}/{drive.root.id}"
        assert found.resolve(library.web) == f"{library.id}/{library.root.id}"
        drive.delete(node)
        assert found.resolve(web_of(drive, node)) is Dead.GONE
        assert found.resolve("https://fabrikam.sharepoint.example/x") is Dead.OTHER_TENANT
        found.close()
