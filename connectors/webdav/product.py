"""What one product of file servers does that no request tells, as data: one small file a product."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model.file_names import FileNames


@dataclass(frozen=True, slots=True)
class FilesProfile:
    """One product's habits. Paths may hold {user} (the account's id) and {crowd} (eXo's folders of users
    whose names begin alike); "" is none.

    home          path of an account's files below the URL's own
    ocs           path of the interface that tells whose the account is, what names are allowed and the like
    editable      path below ocs that names what people may change of their own profile
    drives        path that tells the id of a user's drive
    uploads       path under which large files are put together of chunks
    versions      path below which a file's versions are listed by its id, each named by its date in seconds;
                  each overwriting PUT makes one, and they go with their file
    bulk          path that takes many small files in one request
    writers       how many requests may write to one account at a time
    conditional   a PUT honours If-None-Match: * and If-Match
    atomic        a PUT that is cut off leaves nothing; else a file is written beside its place and moved
    hashes        the server hashes what it stored when it is asked (X-Hash, X-Recalculate-Hash)
    deep          a PROPFIND of Depth: infinity tells everything below
    dates         how PROPPATCH sets a date: seconds in lastmodified, an HTTP date in getlastmodified, or not
    oldest        the earliest date it takes, in seconds since 1970
    names         which names it takes, unless it tells itself
    artefacts     what a new account holds: beginnings of the names of files at the top, and after a folder
                  and a slash of those in it
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
