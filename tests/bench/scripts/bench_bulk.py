"""The reference of small files on a Nextcloud: bulk uploads of 100 files each, one after the other, and one
MKCOL a folder before; no hash but the MD5 it insists on, no conditions, nothing looked at.

    python bench_bulk.py URL LOGIN PLACE FOLDER

The headers to log in with come as JSON in BENCH_HEADERS. Everything in FOLDER goes into the folder PLACE,
which is there. Prints the seconds it took; the bodies are made before the clock starts.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import requests

MANY = 100
BOUNDARY = "bench"


def bodies(place: str, root: Path) -> list[bytes]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    parts = [_part(f"/{place}/{path.relative_to(root)}", path) for path in files]
    return [_whole(parts[first : first + MANY]) for first in range(0, len(parts), MANY)]


def _part(name: str, path: Path) -> bytes:
    data = path.read_bytes()
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    lines = (
        f"--{BOUNDARY}",
        f"X-File-Path: {name}",
        f"Content-Length: {len(data)}",
        f"OC-Checksum: MD5:{digest}",
        f"X-File-MD5: {digest}",
        f"X-OC-MTime: {int(path.stat().st_mtime)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + data + b"\r\n"


def _whole(parts: Sequence[bytes]) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def send_all(session: requests.Session, url: str, folders: Sequence[str], made: Sequence[bytes]) -> None:
    """Raises requests.HTTPError, and AssertionError for a file that was not written."""
    for folder in folders:
        session.request("MKCOL", folder).raise_for_status()
    kind = {"Content-Type": f"multipart/related; boundary={BOUNDARY}"}
    for body in made:
        answer = session.post(f"{url}/remote.php/dav/bulk", data=body, headers=kind)
        answer.raise_for_status()
        assert not any(one["error"] for one in answer.json().values()), "a file was refused"


if __name__ == "__main__":
    url, login, place, given = sys.argv[1:]
    root, home = Path(given), f"{url}/remote.php/dav/files/{quote(login)}/{quote(place)}"
    below = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_dir())
    folders = [f"{home}/{quote(str(path))}" for path in below]
    made = bodies(place, root)
    with requests.Session() as session:
        session.headers.update(json.loads(os.environ["BENCH_HEADERS"]))
        began = time.perf_counter()
        send_all(session, url, folders, made)
        print(time.perf_counter() - began)  # noqa: T201
