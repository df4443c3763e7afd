"""What `kogge discover` says of a Microsoft 365 mailbox: all that stays is counted, of whatever kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run
from configurations import graph_source
from memory.doubles import MemoryMailbox, MemorySource
from walking import letter

from engine.config.load import load
from engine.planning.mailbox_list import read_mailboxes
from engine.preflight import source_inventory
from model.kinds import Kind
from model.protocols import Container
from practice.graph.server import GraphServer
from practice.world.world import World

TARGETS = ("mail", "calendar", "contacts", "tasks")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOGGE_TEST_SECRET", "practice-migrator")
    return World(seed=4, people=1, items=5, nasty=False, pim=40)


def configure(server: GraphServer) -> None:
    (owner,) = server.world.addresses()
    Path("mailboxes.csv").write_text(f"source,target,wave\n{owner},{owner},1\n")
    kinds = {"mail": 'kind = "imap"\nhost = "imap.example.org"', "calendar": "", "contacts": "", "tasks": ""}
    dav = 'kind = "{}"\nprofile = "radicale"\nurl = "https://dav.example.org/"'
    for kind in TARGETS[1:]:
        kinds[kind] = dav.format("carddav" if kind == "contacts" else "caldav")
    password = 'password = { env = "KOGGE_TEST_SECRET" }\n'
    targets = "\n".join(f"[target.{kind}]\n{text}\n{password}" for kind, text in kinds.items())
    Path("kogge.toml").write_text(f"""
{graph_source(server)}{targets}""")


def discovered(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert run("discover", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    return dict(found)


def test_hidden_folders_of_every_kind_are_counted(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (owner,) = world.addresses()
    box = world.mailbox(owner)
    places = {"calendar": box.root, "contacts": box.distinguished("contacts"), "tasks": box.root}
    classes = {"calendar": "IPF.Appointment", "contacts": "IPF.Contact.Cache", "tasks": "IPF.Task"}
    for kind, parent in places.items():
        unseen = box.create_folder(parent, f"Unseen {kind}", folder_class=classes[kind], kind="hidden")
        for item in list(box.distinguished(kind).items)[:4]:
            assert item.record is not None
            box.put(unseen, item.record)
    mail = sum(folder.total for folder in box.folders() if folder.kind == "hidden" and reached(folder)) - 12
    with GraphServer(world) as server:
        configure(server)
        found = discovered(capsys)
    stays = found["stays"]
    assert isinstance(stays, dict)
    assert stays["hidden"] == mail + 12
    told = found["not_told"]
    assert isinstance(told, list)
    assert "hidden" not in told


def reached(folder: object) -> bool:
    """Below the top that people see."""
    here = getattr(folder, "parent", None)
    while here is not None and here.role != "msgfolderroot":
        here = here.parent
    return here is not None


class Uncounted(MemorySource):
    """Tells of no container how much is in it."""

    def containers(self) -> Iterator[Container]:
        return (replace(one, total=None) for one in super().containers())


@pytest.mark.parametrize(
    ("code", "stays", "untold"),
    [("shared", {"shared": 3}, []), ("hidden", {"hidden": 3}, []), ("no-select", {}, ["no-select"])],
)
def test_what_nobody_counts_is_listed_where_it_can_be(
    world: World, monkeypatch: pytest.MonkeyPatch, code: str, stays: dict[str, int], untold: list[str]
) -> None:
    mailbox = MemoryMailbox(page=2)
    folder = mailbox.create_folder(("Theirs",), omit=code)
    for number in range(4):
        mailbox.deliver(folder, letter(number))
    mailbox.delete(next(iter(mailbox.folders[folder].messages)))
    with GraphServer(world) as server:
        configure(server)
    config = load(Path("kogge.toml"))
    monkeypatch.setattr(source_inventory, "open_source", lambda *_, **__: Uncounted(mailbox))
    found = source_inventory.take_inventory(config, read_mailboxes(Path("mailboxes.csv"))[0])
    assert (found.stays, found.unknown, found.items) == (stays, untold, 0)
    del mailbox.folders[folder]
    gone = Uncounted(mailbox)
    gone.containers = lambda: iter([Container(Kind.MAIL, "x", ("X",), omit=code)])  # type: ignore[method-assign]
    monkeypatch.setattr(source_inventory, "open_source", lambda *_, **__: gone)
    found = source_inventory.take_inventory(config, read_mailboxes(Path("mailboxes.csv"))[0])
    assert (found.stays, found.unknown, found.code) == ({}, [code], None)
