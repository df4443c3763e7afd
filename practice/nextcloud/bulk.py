"""Answer the bulk upload of a practice Nextcloud.

It overwrites, and checks checksums, but not names, whose last blanks it loses. It answers JSON and calls it
HTML.
"""

from __future__ import annotations

import hashlib
import json

from practice.dav.proxy import Reply, Request, reply
from practice.nextcloud.store import Names, Refusal, Shelf, composed

PATH = "/remote.php/dav/bulk"


KIND = "text/html; charset=UTF-8"


class Broken(Exception):
    """Say that the rest of a request cannot be read."""


def bulk(shelf: Shelf, request: Request) -> Reply:
    """Return what became of each path. A part that cannot be read ends it with 400."""
    kind, _, boundary = request.headers.get("content-type", "").partition("boundary=")
    if not kind.startswith("multipart/related") or not boundary:
        return reply(400, "{}", kind=KIND)
    start, end = f"--{boundary}\r\n".encode(), f"--{boundary}--\r\n".encode()
    results: dict[str, dict[str, object]] = {}
    rest = request.body
    while not rest.startswith(end):
        try:
            path, mtime, data, rest = _part(rest, start)
        except Broken:
            return reply(400, json.dumps(results), kind=KIND)
        if path.lower().endswith((".part", ".filepart")):
            return reply(500, "")
        results[path] = _written(shelf, composed(path), mtime, data)
    return reply(200, json.dumps(results), kind=KIND)


def _part(rest: bytes, start: bytes) -> tuple[str, str | None, bytes, bytes]:
    if not rest.startswith(start):
        raise Broken
    head, found, body = rest[len(start) :].partition(b"\r\n\r\n")
    if not found:
        raise Broken
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    headers = {name.strip().lower().decode(): text.strip().decode() for name, _, text in lines}
    length = headers.get("content-length", "")
    if not length.isdigit():
        raise Broken
    data = body[: int(length)]
    how, _, digest = headers.get("oc-checksum", "").partition(":")
    if how.lower() not in {"md5", "sha1", "sha256"} or hashlib.new(how.lower(), data).hexdigest() != digest:
        raise Broken
    if body[int(length) : int(length) + 2] != b"\r\n":
        raise Broken
    return headers["x-file-path"], headers.get("x-oc-mtime"), data, body[int(length) + 2 :]


def _written(shelf: Shelf, names: Names, mtime: str | None, data: bytes) -> dict[str, object]:
    try:
        shelf.must_have_parent(names, 404)
        shelf.must_have_room(len(data))
        shelf.put(names, data, mtime)
    except Refusal as refusal:
        return {"error": True, "message": refusal.message}
    return {"error": False, "etag": shelf.etag(shelf.real(names)).strip('"')}
