"""Answer the WebDAV of a practice Nextcloud: one user's files, and uploads in chunks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

import httpx

from practice.dav.proxy import Reply, Request, dav_error, reply
from practice.nextcloud.store import Names, Refusal, Shelf, composed, hashed, write_sparse
from practice.nextcloud.versions import listed

FILES, UPLOADS = "/remote.php/dav/files/", "/remote.php/dav/uploads/"
CHUNKS_MOST = 10_000
HASHES = {"sha256": ("sha256",), "md5": ("md5",), "sha1": ("sha1",), "all": ("sha256", "md5", "sha1")}
_DATE = re.compile(rb"<(?:\w+:)?lastmodified[^>]*>\s*(-?\d+)\s*</")


def files(shelf: Shelf, user: str, names: Names, request: Request) -> Reply:
    """Answer a request about a user's files.

    Raises:
        Refusal: it ends with an error.
    """
    verbs = {
        "PUT": _put,
        "GET": _get,
        "HEAD": _get,
        "MKCOL": _mkcol,
        "DELETE": _delete,
        "MOVE": _move,
        "PROPPATCH": _proppatch,
        "PATCH": _patch,
    }
    if request.method == "PROPFIND":
        return _propfind(shelf, f"{FILES}{user}", names, request)
    if request.method not in verbs:
        raise Refusal(501)
    return verbs[request.method](shelf, names, request)


def versions(shelf: Shelf, _user: str, names: Names, request: Request) -> Reply:
    """Answer a request about what a file was before.

    Raises:
        Refusal: it ends with an error.
    """
    known = names[:1] == ("versions",) and len(names) > 1
    of = next((one for one, id_ in shelf.ids.items() if str(id_) == names[1]), None) if known else None
    if of is None or not shelf.real(of).is_file():
        raise Refusal(404)
    if request.method == "PROPFIND" and len(names) == 2:
        return listed(shelf.history.dates(of), shelf.real(of), request)
    found = shelf.history.path(of, names[2]) if len(names) == 3 else None
    if found is None:
        raise Refusal(404)
    if request.method != "GET":
        raise Refusal(403)
    return Reply(200, httpx.Headers(), found.read_bytes())


def uploads(shelf: Shelf, user: str, names: Names, request: Request) -> Reply:
    """Answer a request about uploads in chunks.

    Raises:
        Refusal: it ends with an error.
    """
    if not names:
        raise Refusal(405)
    folder = shelf.upload(names[0])
    if request.method == "MKCOL" and len(names) == 1:
        _destination(user, request)
        _room(shelf, request)
        if folder.exists():
            raise Refusal(405)
        folder.mkdir()
        return reply(201)
    if request.method == "MOVE" and names[1:] == (".file",):
        return _put_together(shelf, user, folder, request)
    if not folder.is_dir():
        raise Refusal(404)
    if request.method == "PROPFIND":
        return _chunks_listed(folder, user)
    if request.method == "DELETE":
        shutil.rmtree(folder)
        return reply(204)
    if request.method == "PUT" and len(names) == 2:
        return _chunk(shelf, user, folder, names[1], request)
    raise Refusal(501)


def _put(shelf: Shelf, names: Names, request: Request) -> Reply:
    if not names:
        raise Refusal(409)
    shelf.check(names[-1:])
    shelf.must_have_parent(names, 404)
    path = shelf.real(names)
    _conditions(shelf, path, request)
    shelf.must_have_room(len(request.body))
    new = shelf.put(
        names, request.body, request.headers.get("x-oc-mtime"), request.headers.get("oc-checksum")
    )
    return _stored(shelf, path, request, new)


def _stored(shelf: Shelf, path: Path, request: Request, new: bool) -> Reply:
    headers = httpx.Headers({"ETag": shelf.etag(path), "OC-ETag": shelf.etag(path)})
    if "x-oc-mtime" in request.headers:
        headers["X-OC-MTime"] = "accepted"
    for how in HASHES.get(request.headers.get("x-hash", "").lower(), ()):
        headers[f"X-Hash-{how.upper()}"] = hashed(path, how)
    return Reply(201 if new else 204, headers)


def _conditions(shelf: Shelf, path: Path, request: Request) -> None:
    there = path.is_file()
    if path.exists() and request.headers.get("if-none-match") == "*":
        raise Refusal(412)
    match = request.headers.get("if-match")
    if match is not None and (not there or match not in {"*", shelf.etag(path)}):
        raise Refusal(412)


def _get(shelf: Shelf, names: Names, _request: Request) -> Reply:
    path = shelf.real(names)
    if not path.is_file():
        raise Refusal(404 if not path.is_dir() else 405)
    dated = formatdate(path.stat().st_mtime, usegmt=True)
    headers = httpx.Headers({"ETag": shelf.etag(path), "Last-Modified": dated})
    return Reply(200, headers, path.read_bytes())


def _mkcol(shelf: Shelf, names: Names, _request: Request) -> Reply:
    if not names or shelf.real(names).exists():
        raise Refusal(405)
    shelf.check(names[-1:])
    shelf.must_have_parent(names, 409)
    shelf.real(names).mkdir()
    return reply(201)


def _delete(shelf: Shelf, names: Names, request: Request) -> Reply:
    if not names or not shelf.real(names).exists():
        raise Refusal(404)
    _conditions(shelf, shelf.real(names), request)
    shelf.remove(names)
    return reply(204)


def _move(shelf: Shelf, names: Names, request: Request) -> Reply:
    user = request.path[len(FILES) :].partition("/")[0]
    to = _destination(user, request)
    shelf.must_have_parent(to, 409)
    if shelf.real(to).exists() and request.headers.get("overwrite", "T") == "F":
        raise Refusal(412)
    if not shelf.real(names).exists():
        raise Refusal(404)
    shelf.check(to[-1:])
    return reply(201 if shelf.move(names, to) else 204)


def _destination(user: str, request: Request) -> Names:
    """Return where an upload is to go.

    Raises:
        Refusal: the request does not say it; every request of an upload has to (400).
    """
    path = unquote(urlsplit(request.headers.get("destination", "")).path)
    if not path.startswith(f"{FILES}{user}/"):
        raise Refusal(400, "no Destination")
    return composed(path[len(f"{FILES}{user}/") :])


def _proppatch(shelf: Shelf, names: Names, request: Request) -> Reply:
    path = shelf.real(names)
    found = _DATE.search(request.body)
    if not path.exists():
        raise Refusal(404)
    status = "403 Forbidden"
    if found is not None:
        shelf.touch(names, found.group(1).decode())
        status = "200 OK"
    prop = f"<d:prop><d:lastmodified/></d:prop><d:status>HTTP/1.1 {status}</d:status>"
    href = f"<d:href>{quote(request.path)}</d:href>"
    return _multistatus([f"<d:response>{href}<d:propstat>{prop}</d:propstat></d:response>"])


def _patch(shelf: Shelf, names: Names, request: Request) -> Reply:
    path, how = shelf.real(names), request.headers.get("x-recalculate-hash", "").lower()
    if not path.is_file():
        raise Refusal(404)
    if how not in {"sha256", "md5", "sha1"}:
        raise Refusal(501)
    shelf.checksums[names] = f"{how.upper()}:{hashed(path, how)}"
    return Reply(204, httpx.Headers({"OC-Checksum": shelf.checksums[names]}))


def _propfind(shelf: Shelf, base: str, names: Names, request: Request) -> Reply:
    path, depth = shelf.real(names), request.headers.get("depth", "infinity")
    if not path.exists():
        raise Refusal(404)
    found = [(names, path)]
    if path.is_dir() and depth != "0":
        found += [(names + one.relative_to(path).parts, one) for one in _below(path, depth == "infinity")]
    quota = shelf.quota if b"quota-available-bytes" in request.body else 0
    free = "" if quota == 0 else f"{-3 if quota is None else max(0, quota - shelf.used)}"
    room = f"<d:quota-used-bytes>{shelf.used}</d:quota-used-bytes>" if free else ""
    room += f"<d:quota-available-bytes>{free}</d:quota-available-bytes>" if free else ""
    ids = (
        {one: f"<oc:fileid>{shelf.id(one)}</oc:fileid>" for one, _ in found}
        if b"fileid" in request.body
        else {}
    )
    return _multistatus([_entry(shelf, base, one, real, room + ids.get(one, "")) for one, real in found])


def _below(path: Path, deep: bool) -> Iterator[Path]:
    yield from sorted(path.rglob("*") if deep else path.iterdir())


def _entry(shelf: Shelf, base: str, names: Names, path: Path, more: str) -> str:
    known = path.stat()
    folder = path.is_dir()
    href = "/".join((base, *(quote(name) for name in names))) + ("/" if folder else "")
    kind = "<d:resourcetype><d:collection/></d:resourcetype>" if folder else "<d:resourcetype/>"
    size = "" if folder else f"<d:getcontentlength>{known.st_size}</d:getcontentlength>"
    checksum = shelf.checksums.get(names)
    sums = f"<oc:checksums><oc:checksum>{escape(checksum)}</oc:checksum></oc:checksums>" if checksum else ""
    mounted = "M" if names[:1] and names[0] in shelf.mounted else ""
    mounted = "S" if names[:1] and names[0] in shelf.lent else mounted
    return (
        f"<d:response><d:href>{escape(href)}</d:href><d:propstat><d:prop>{kind}{size}{sums}{more}"
        f"<d:getlastmodified>{formatdate(known.st_mtime, usegmt=True)}</d:getlastmodified>"
        f"<d:getetag>{escape(shelf.etag(path))}</d:getetag>"
        f"<oc:permissions>{mounted}{'RGDNVCK' if folder else 'RGDNVW'}</oc:permissions></d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def _multistatus(responses: list[str]) -> Reply:
    spaces = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"'
    text = f'<?xml version="1.0"?>\n<d:multistatus {spaces}>{"".join(responses)}</d:multistatus>'
    return reply(207, text, kind="application/xml; charset=utf-8")


def _room(shelf: Shelf, request: Request) -> None:
    total = request.headers.get("oc-total-length", "")
    if total.isdigit():
        shelf.must_have_room(int(total))


def _chunk(shelf: Shelf, user: str, folder: Path, name: str, request: Request) -> Reply:
    _destination(user, request)
    _room(shelf, request)
    if not name.isdecimal() or not 1 <= int(name) <= CHUNKS_MOST:
        raise Refusal(400, "a chunk's name is 1 to 10000")
    write_sparse(folder / f"{int(name):05d}", request.body)
    return reply(201)


def _chunks_listed(folder: Path, user: str) -> Reply:
    base = f"{UPLOADS}{quote(user)}/{folder.name}"
    ok = "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    listed = [
        f"<d:response><d:href>{base}/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>"
        f"</d:resourcetype></d:prop>{ok}"
    ]
    for one in sorted(folder.iterdir()):
        size = f"<d:getcontentlength>{one.stat().st_size}</d:getcontentlength>"
        listed.append(
            f"<d:response><d:href>{base}/{one.name}</d:href><d:propstat><d:prop><d:resourcetype/>{size}"
            f"</d:prop>{ok}"
        )
    listed.append(
        f"<d:response><d:href>{base}/.file</d:href><d:propstat><d:prop><d:resourcetype/></d:prop>{ok}"
    )
    return _multistatus(listed)


def _put_together(shelf: Shelf, user: str, folder: Path, request: Request) -> Reply:
    to = _destination(user, request)
    shelf.must_have_parent(to, 409)
    if shelf.real(to).exists() and request.headers.get("overwrite", "T") == "F":
        raise Refusal(412)
    if not folder.is_dir():
        raise Refusal(404)
    parts = sorted(folder.iterdir())
    total = request.headers.get("oc-total-length")
    size = sum(one.stat().st_size for one in parts)
    if total is not None and total != str(size):
        raise Refusal(400, "chunks are missing")
    shelf.check(to[-1:])
    shelf.must_have_room(size)
    new = shelf.put_together(to, parts, request.headers.get("x-oc-mtime"))
    shutil.rmtree(folder)
    return _stored(shelf, shelf.real(to), request, new)


def refused(refusal: Refusal) -> Reply:
    """Return a refusal as sabre/dav writes it."""
    return dav_error(
        refusal.status, "<s:exception>Sabre\\DAV\\Exception</s:exception>", escape(refusal.message)
    )
