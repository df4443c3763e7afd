"""Folders of a real Dovecot that only show mail of other folders, and that no use marks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from connector_settings import dovecot_settings
from imapclient import IMAPClient
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import letter

from connectors.imap.source import ImapSource
from connectors.settings import Account

pytestmark = pytest.mark.dovecot

VIRTUAL = """
mail_plugins {
  virtual = yes
}
namespace virtual {
  prefix = Virtuell/
  separator = /
  mail_driver = virtual
  mail_path = %{home}/virtual
  mailbox_list_layout = fs
}
namespace archive {
  prefix = Archiv/
  separator = /
  mail_path = %{home}/archive
}
protocol imap {
  mail_plugins {
    virtual = yes
  }
}
"""
dovecot = dovecot_fixture(["anna"], more=VIRTUAL)


def test_mail_that_is_shown_twice_moves_once(tmp_path: Path, dovecot: Dovecot) -> None:
    home = dovecot.lab / "mail" / "anna"
    for name in ("Alle", "Büro &Co"):
        folder = home / "virtual" / (name if name.isascii() else "B&APw-ro &-Co")
        folder.mkdir(parents=True)
        (folder / "dovecot-virtual").write_text("*\n-Virtuell/*\n  all\n")
    owner = dovecot.lab / "mail"
    for one in (home, *home.rglob("*")):
        shutil.chown(one, owner.owner(), owner.group())
    with IMAPClient(dovecot.host, port=dovecot.port, ssl=False) as client:
        client.login("anna", dovecot.user_password)
        client.create_folder("Archiv/2020")
        for number in range(3):
            client.append("INBOX", letter(number))
            client.append("Archiv/2020", letter(10 + number))
        assert client.folder_status("Virtuell/Alle", ["MESSAGES"])[b"MESSAGES"] > 2
    source = ImapSource(dovecot_settings(dovecot, tmp_path), Account(login="anna"), tmp_path)
    found = {one.path: (one.omit, one.total) for one in source.containers()}
    source.close()
    assert found["INBOX",] == found["Archiv", "2020"] == (None, 3)
    assert {path: omit for path, (omit, _) in found.items() if omit not in (None, "no-select")} == {
        ("Virtuell", "Alle"): "virtual-folder",
        ("Virtuell", "Büro &Co"): "virtual-folder",
    }
