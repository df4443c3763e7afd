"""Links that practice people wrote lead to files of theirs, and to what is not there."""

from __future__ import annotations

from io import BytesIO

from mappings.mail.links import in_document, in_mail
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.drive.pointers import ELSEWHERE, LOST, PLAN, WRITERS, strew
from practice.world.world import World


def test_a_mail_and_a_page_lead_to_files_that_are_there() -> None:
    world = World(seed=3, people=WRITERS + 1, items=0, nasty=False)
    drives = Drives(world, Tree(files=2, nasty=False))
    strew(world, drives, world.addresses())
    for number, address in enumerate(world.addresses()[:WRITERS]):
        (mail,) = world.mailbox(address).distinguished("inbox").items
        *near, library, lost, elsewhere = in_mail(BytesIO(b"".join(mail.letter.write(0))))
        assert (lost, elsewhere) == (LOST, ELSEWHERE)
        found = [drives.by_web(url) for url in near]
        neighbour = world.addresses()[(number + 1) % WRITERS]
        assert [drive.key for drive, _ in found] == [address, neighbour]
        assert {names for _, names in found} == {(PLAN,)}
        assert drives.by_web(library)[0].owner is None
        page = drives.of(address).at("Linksammlung.html")
        assert in_document(page.name, BytesIO(page.content.read(0, page.content.size))) == near
    assert not world.mailbox(world.addresses()[WRITERS]).distinguished("inbox").items
