"""Describe what one product of file servers does that no request reveals: one small file per product."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model.file_names import FileNames


@dataclass(frozen=True, slots=True)
class FilesProfile:
    """Describe one product.

    Paths may hold {user} (the account's id) and {crowd} (eXo's folders of users whose names begin alike); ""
    means that there is none.

    Attributes:
        name: the product's name.
        home: path of an account's files below the URL's own path.
        ocs: path of the interface that states the account's owner, the allowed names and the like.
        editable: path below `ocs` that lists what people may change of their own profile.
        drives: path that gives the id of a user's drive.
        uploads: path under which large files are assembled from chunks.
        versions: path below which a file's versions are listed by its id, each named by its date in seconds.
            Each overwriting PUT makes one, and they are removed with their file.
        bulk: path that takes many small files in one request.
        writers: how many requests may write to one account at a time.
        conditional: True if a PUT honours If-None-Match: * and If-Match.
        atomic: True if an interrupted PUT leaves nothing; else a file is written beside its place and moved.
        hashes: True if the server hashes what it stored on request (X-Hash, X-Recalculate-Hash).
        deep: True if a PROPFIND of Depth: infinity lists everything below.
        dates: how PROPPATCH sets a date: "seconds" in lastmodified, "http" for an HTTP date in
            getlastmodified, "" for not at all.
        oldest: the earliest date that it takes, in seconds since 1970.
        names: which names it takes, unless it states them itself.
        artefacts: what a new account holds: beginnings of the names of files at the top; for files in a
            folder, the folder's name and a slash come first.
        user_agent: the User-Agent.
    """

    name: str
    home: str = ""
    ocs: str = ""
    editable: str = ""
    drives: str = ""
    uploads: str = ""
    versions: str = ""
    bulk: str = ""
    writers: int = 2
    conditional: bool = True
    atomic: bool = True
    hashes: bool = False
    deep: bool = False
    dates: Literal["seconds", "http", ""] = "http"
    oldest: int = 0
    names: FileNames = field(default_factory=FileNames)
    artefacts: tuple[str, ...] = ()
    user_agent: str = "Kogge"
