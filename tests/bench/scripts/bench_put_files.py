"""The reference of large files: each streamed in one PUT, one after the other; no hash, no conditions,
nothing looked at.

    python bench_put_files.py COLLECTION-URL USER PASSWORD FOLDER

prints the seconds it took to send the files of FOLDER, without its folders, and those of CPU time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import requests


def send_all(url: str, user: str, password: str, files: list[Path]) -> None:
    """Raises requests.HTTPError for anything but a created file."""
    with requests.Session() as session:
        session.auth = (user, password)
        for file in files:
            with file.open("rb") as stream:
                session.put(f"{url}/{file.name}", data=stream).raise_for_status()


if __name__ == "__main__":
    url, user, password, folder = sys.argv[1:]
    files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    began, used = time.perf_counter(), time.process_time()
    send_all(url, user, password, files)
    print(time.perf_counter() - began, time.process_time() - used)  # noqa: T201
