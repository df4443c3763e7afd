"""The reference: imapclient alone, 100 messages at a time; no ledger, no digest, nothing kept.

    python bench_bare.py HOST PORT MASTER-USER PASSWORD SOURCE TARGET

prints the seconds it took to copy INBOX.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from imapclient import IMAPClient

AT_ONCE = 100


def opened(host: str, port: int, master: str, password: str, user: str) -> IMAPClient:
    client = IMAPClient(host, port, ssl=False)
    client.plain_login(f"{user}*{master}", password)
    return client


def copy_inbox(source: IMAPClient, target: IMAPClient) -> int:
    source.select_folder("INBOX", readonly=True)
    uids = source.search("ALL")
    for first in range(0, len(uids), AT_ONCE):
        part = uids[first : first + AT_ONCE]
        found = source.fetch(part, ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"])
        target.multiappend(
            "INBOX",
            [
                {
                    "msg": found[uid][b"BODY[]"],
                    "flags": [flag for flag in found[uid][b"FLAGS"] if flag != rb"\Recent"],
                    "date": found[uid][b"INTERNALDATE"],
                }
                for uid in part
            ],
        )
    return len(uids)


def main(copy: Callable[[IMAPClient, IMAPClient], object]) -> None:
    """Log both users in, copy, and print the seconds of both."""
    host, port, master, password, first_user, second_user = sys.argv[1:]
    began = time.perf_counter()
    with (
        opened(host, int(port), master, password, first_user) as one,
        opened(host, int(port), master, password, second_user) as other,
    ):
        copy(one, other)
        took = time.perf_counter() - began
    print(took)  # noqa: T201


if __name__ == "__main__":
    main(copy_inbox)
