"""The practice Exchange in a process of its own, with one mailbox for a bench.

    python bench_exchange.py ITEMS SIZE FOLDERS [LARGE]

SIZE bytes a message; LARGE: one more message of so many bytes. Prints URL, service account, its password
and the mailbox's address; ends with its standard input.
"""

from __future__ import annotations

import sys

from practice.exchange.server import ExchangeServer
from practice.world.messages import Message
from practice.world.world import World

if __name__ == "__main__":
    items, size, folders = map(int, sys.argv[1:4])
    world = World(seed=1, people=1, items=items, nasty=False, message_size=size or None, folder_count=folders)
    mailbox = world.mailbox(world.addresses()[0])
    for large in map(int, sys.argv[4:]):
        letter = Message("large", "bench", budget=large)
        mailbox.distinguished("inbox").admit(letter, mailbox.next_number(), mailbox.next_change())
    with ExchangeServer(world) as server:
        account = next(iter(world.service_accounts.values()))
        print(server.url, account.address, account.password, mailbox.address, flush=True)  # noqa: T201
        sys.stdin.read()
