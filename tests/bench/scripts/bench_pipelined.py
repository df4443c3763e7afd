"""The reference where the way is long: a thread fetches the next batches while one is stored.

    python bench_pipelined.py HOST PORT MASTER-USER PASSWORD SOURCE TARGET

prints the seconds it took to copy INBOX: 100 messages a FETCH, two of them ahead, one MULTIAPPEND for each;
no ledger, no digest, nothing kept.
"""

from __future__ import annotations

import queue
import re
import socket
import threading
from collections.abc import Iterator
from typing import BinaryIO

from bench_bare import AT_ONCE, main
from imapclient import IMAPClient

AHEAD = 2
_FETCHED = re.compile(rb'FLAGS \(([^)]*)\) INTERNALDATE ("[^"]*") BODY\[\] \{(\d+)\}\r\n\Z')
Batch = list[bytes]


def fetch_all(client: IMAPClient, batches: queue.Queue[Batch | None]) -> None:
    """Put every batch as the arguments of an APPEND, and None at the end."""
    client.select_folder("INBOX", readonly=True)
    uids = client.search("ALL")
    sock = client.socket()
    with sock.makefile("rb", 1 << 18) as reader:
        for first in range(0, len(uids), AT_ONCE):
            part = ",".join(map(str, uids[first : first + AT_ONCE])).encode()
            sock.sendall(b"f UID FETCH %s (FLAGS INTERNALDATE BODY.PEEK[])\r\n" % part)
            batches.put(list(_messages(reader)))
    batches.put(None)


def _messages(reader: BinaryIO) -> Iterator[bytes]:
    while not (line := reader.readline()).startswith(b"f "):
        if found := _FETCHED.search(line):
            flags = b" ".join(flag for flag in found[1].split() if flag != rb"\Recent")
            size = int(found[3])
            yield b" (%s) %s {%d+}\r\n" % (flags, found[2], size) + reader.read(size)
            reader.readline()
    assert line.startswith(b"f OK"), line


def append(sock: socket.socket, reader: BinaryIO, batch: Batch) -> None:
    sock.sendall(b"a APPEND INBOX" + b"".join(batch) + b"\r\n")
    while not (line := reader.readline()).startswith(b"a "):
        pass
    assert line.startswith(b"a OK"), line


def copy_inbox(source: IMAPClient, target: IMAPClient) -> None:
    batches: queue.Queue[Batch | None] = queue.Queue(AHEAD)
    fetcher = threading.Thread(target=fetch_all, args=(source, batches), daemon=True)
    fetcher.start()
    sock = target.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock.makefile("rb") as reader:
        while batch := batches.get():
            append(sock, reader, batch)
    fetcher.join()


if __name__ == "__main__":
    main(copy_inbox)
