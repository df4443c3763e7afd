"""What a server tells about itself: names, abilities, quota; and whose account it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from files_desk import PASSWORD_ENV, Desk, file, folder
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from results import stored
from servers.webdav import WebDavServer

from connectors.files.target import FilesSettings, FilesTarget
from connectors.settings import Account
from connectors.webdav.names import takes
from mappings.fields.file_names import file_name
from model.errors import Blocked
from model.file_names import FileNames
from practice.dav.proxy import Reply, Request, reply
from practice.nextcloud.files import App, NextcloudFiles

RULES = st.builds(
    FileNames,
    bytes=st.integers(60, 255),
    characters=st.text('\\:*?"<>|;%#', max_size=5),
    names=st.frozensets(st.sampled_from([".htaccess", "thumbs.db"])),
    stems=st.frozensets(st.sampled_from(["con", "aux"])),
    endings=st.frozensets(st.sampled_from([".part", " ", "."])),
    fold=st.booleans(),
)


@given(st.text(min_size=1, max_size=80), RULES)
def test_whatever_the_mapping_makes_of_a_name_is_taken(name: str, rules: FileNames) -> None:
    made, _ = file_name(name, rules)
    assert takes(made, rules) or made.startswith(".kogge-")


def test_a_nextcloud_tells_its_names_and_abilities(desk: Desk) -> None:
    found = desk.target().capabilities
    assert found.files == FileNames(
        bytes=250,
        path_bytes=3800,
        characters="\\",
        names=frozenset({".htaccess"}),
        endings=frozenset({".part", ".filepart"}),
    )
    assert found.replaces
    assert found.facts == {
        "product": "nextcloud",
        "version": "32.0.1",
        "brute-force-delay": "0",
        "allow-listed": "no",
        "windows-names": "no",
        "versions": "yes",
        "bulk": "yes",
    }


def test_windows_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "userpw")
    with NextcloudFiles(["anna"], windows=True, allow_listed=True) as cloud:
        desk = Desk(cloud, tmp_path)
        target = desk.target()
        rules = target.capabilities.files
        assert rules is not None
        assert set(rules.characters) == set('\\<>:"|?*')
        assert {"con", "com1", "lpt9"} <= rules.stems
        assert {" ", ".", ".part"} <= rules.endings
        assert rules.fold
        assert target.server()["windows-names"] == "yes"
        assert target.server()["allow-listed"] == "yes"
        names = ["CON.txt", "a:b", "Ende.", "Frage?", "ok"]
        stored(target.write("", [file(n, name=file_name(name, rules)[0]) for n, name in enumerate(names)]))
        assert len(desk.files()) == 5
        desk.close()


def test_an_old_nextcloud_tells_less(desk: Desk) -> None:
    def told(user: str, request: Request) -> Reply:
        raise AssertionError

    can: Mapping[str, object] = {"files": {"blacklisted_files": [".htaccess", "Private"]}, "dav": []}
    data = {"ocs": {"data": {"version": [], "capabilities": can}}}

    def layer(request: Request, rest: object) -> Reply:
        if request.path.endswith("/capabilities"):
            return reply(200, json.dumps(data), kind="application/json")
        return rest(request)  # type: ignore[operator, no-any-return]

    desk.cloud.layers = (layer,)
    target = desk.target(bulk_below=1000)
    rules = target.capabilities.files
    assert rules is not None
    assert rules.names == {".htaccess", "private"}
    stored(target.write(target.ensure(folder("New")), [file(1), file(2, b"x" * 5000)]))
    assert (desk.counts()["POST"], desk.counts()["MOVE"]) == (0, 0)


def test_a_quota_is_used_and_allowed(desk: Desk) -> None:
    assert desk.target().quota() is None
    desk.cloud.shelves["anna"].quota = 1000
    target = desk.target()
    stored(target.write("", [file(1, b"x" * 100)]))
    assert target.quota() == (100, 1000)


def test_an_account_is_known_by_its_own_word(desk: Desk) -> None:
    found = desk.target().identity()
    assert (found.system, found.addresses) == ("nextcloud", {"anna@example.org"})
    assert "anna" not in found.id
    assert found == desk.target().identity()
    assert found != desk.target(root="Elsewhere").identity()


def test_an_app_writes_as_anybody_without_their_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_ENV, App().secret)
    with NextcloudFiles(["anna", "bert"], app=App()) as cloud:
        desk = Desk(cloud, tmp_path)
        for user in ("anna", "bert"):
            stored(desk.target(user=user, auth="appapi", app_id="kogge").write("", [file(1)]))
        assert all(cloud.shelves[user].real(("file 1.txt",)).is_file() for user in ("anna", "bert"))
        desk.close()


def test_a_wrong_password_is_tried_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "wrong")
    target = desk.target()
    for _ in range(3):
        with pytest.raises(Blocked, match="login-refused"):
            target.identity()
    assert len(desk.cloud.requests) == 1


def test_a_digest_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "userpw")
    with WebDavServer(["anna"], digest=True) as server:
        settings = {"kind": "webdav", "url": f"{server.url}/{{login}}", "auth": "digest"}
        right = opened(settings, tmp_path)
        right.identity()
        stored(right.write("", [file(number, b"x" * 300_000) for number in range(5)]))
        assert len(list(server.folder("anna").iterdir())) == 5
        right.close()
        monkeypatch.setenv(PASSWORD_ENV, "wrong")
        wrong = opened(settings, tmp_path)
        with pytest.raises(Blocked, match="login-refused"):
            wrong.identity()
        wrong.close()


def test_nothing_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "userpw")
    with WebDavServer(["anna"]) as server:
        for settings in (
            {"kind": "nextcloud", "url": server.url},
            {"kind": "webdav", "url": f"{server.url}/anna/nowhere"},
            {"kind": "exo", "url": server.url},
        ):
            target = opened(settings, tmp_path)
            with pytest.raises(Blocked, match="no-files-access"):
                target.identity()
            target.close()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("application/json; charset=utf-8", "no-permission"),
        ("text/html", "no-permission"),
        ("text/plain; charset=utf-8", "not-files"),  # as Radicale has it
        ("application/xml", "not-files"),
    ],
)
def test_who_forbids_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, code: str
) -> None:
    """Nextcloud or a proxy before it; or a server of something else."""
    monkeypatch.setenv(PASSWORD_ENV, "userpw")
    with NextcloudFiles(["anna"]) as server:
        server.layers = (lambda _request, _rest: reply(403, "no", kind=kind),)
        target = opened({"kind": "nextcloud", "url": server.url}, tmp_path)
        with pytest.raises(Blocked, match=code):
            target.identity()
        target.close()


def test_a_drive_of_exo_is_found_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "userpw")
    with WebDavServer(["anna"], place=lambda user: f"/webdav/drives/d/{user} (17)", atomic=True) as server:
        rest = server.root / "portal/rest/v1/social/identities/organization"
        rest.mkdir(parents=True)
        (rest / "anna").write_text('{"id": "17", "remoteId": "anna"}')
        target = opened({"kind": "exo", "url": server.url}, tmp_path)
        stored(target.write(target.ensure(folder("A")), [file(1)]))
        assert (server.folder("anna") / "A" / "file 1.txt").read_bytes() == b"content"
        target.close()


def test_where_a_put_makes_a_version_one_looks_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "userpw")
    with WebDavServer(["bob"], place=lambda _: PATH + "b___/bo___/bob/Private", atomic=True) as server:
        target = opened({"kind": "exo", "url": server.url, "flavour": "jcr"}, tmp_path, "bob")
        (server.folder("bob") / "file 1.txt").write_bytes(b"theirs")
        (failed,) = target.write("", [file(1, b"ours")])
        assert "name-taken" in repr(failed)
        assert (server.folder("bob") / "file 1.txt").read_bytes() == b"theirs"
        target.close()


PATH = "/rest/private/jcr/repository/collaboration/Users/"


def opened(settings: Mapping[str, object], spool: Path, user: str = "anna") -> FilesTarget:
    given = {"password": {"env": PASSWORD_ENV}, "patience_seconds": 1, **settings}
    return FilesTarget(FilesSettings.model_validate(given), Account(login=user), lambda: None, spool)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://example.org"},
        {"url": "http://example.org"},
        {"url": "https://anna:secret@example.org"},
        {"url": "https://example.org/?a"},
        {"root": "a/../b"},
        {"auth": "appapi"},
        {"user_agent": "a\nb"},
        {"kind": "ftp"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    good = {"kind": "nextcloud", "url": "https://cloud.example.org", "password": {"env": "X"}}
    assert FilesSettings.model_validate(good).artefacts
    with pytest.raises(ValidationError):
        FilesSettings.model_validate({**good, **wrong})


def test_an_address_that_people_may_change_is_their_own_word(desk: Desk) -> None:
    assert desk.target().identity().self_stated
    desk.cloud.changeable.remove("email")
    found = desk.target().identity()
    assert found.addresses
    assert not found.self_stated
