"""Put links into OneDrive and SharePoint into practice mailboxes, for a rehearsal of `kogge links`."""

from __future__ import annotations

from collections.abc import Sequence

from practice.drive.drive import Drive, Node
from practice.drive.drive_population import WORDS
from practice.drive.drives import SITES, Drives
from practice.drive.sites import MY_HOST
from practice.graph_items.drive_rows import web_of
from practice.world.world import World

WRITERS = 5
"""At most so many people write some: their mailboxes and drives are made at once."""

PLAN = "Sitzungsplan.txt"
ELSEWHERE = "https://fabrikam.sharepoint.example/sites/werk/Angebot.docx"
LOST = f"https://{MY_HOST}/personal/niemand/Documents/verschwunden.txt"


def strew(world: World, drives: Drives, addresses: Sequence[str]) -> None:
    """Let people write a mail and a page that lead to a file of their own and of their neighbour.

    The mail also leads to a library, to what is gone and to somebody else's Microsoft 365.
    """
    writers = list(addresses[:WRITERS])
    plans = [_plan(drives.of(address)) for address in writers]
    library = drives.site(next(iter(SITES))).libraries[0]
    shared = web_of(library, next(node for node in library.root.walk() if not node.children))
    for number, address in enumerate(writers):
        near = [plans[number], plans[(number + 1) % len(plans)]]
        drive, mailbox = drives.of(address), world.mailbox(address)
        page = "".join(f'<p><a href="{url}">{WORDS[at]}</a></p>' for at, url in enumerate(near))
        drive.write(drive.root, "Linksammlung.html", f"<html><body>{page}</body></html>".encode())
        text = "\n\n".join([*near, shared, LOST, ELSEWHERE])
        mailbox.deliver(mailbox.distinguished("inbox"), subject="Wo alles liegt", text=text)


def _plan(drive: Drive) -> str:
    node: Node = drive.write(drive.root, PLAN, drive.key.encode())
    return web_of(drive, node)
