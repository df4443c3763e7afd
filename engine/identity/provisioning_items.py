"""Recognise what a new account holds before it is used.

Welcome mail, an example contact, files that explain its use.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mappings.fields.bounded_reading import head_of
from model.protocols import Native, Target

HEADER_MOST = 65536


def artefacts_among(
    target: Target, container: str, hrefs: Sequence[str], beginnings: Collection[str]
) -> set[str]:
    """Return those of these items that are provisioning artefacts.

    An artefact's title begins with one of the given beginnings: a mail's Subject, an event's SUMMARY, a
    contact's FN. The first lines of each item are read; an item that cannot be read is no artefact. For files
    the name decides, and nothing is read.

    Args:
        target: the open target.
        container: the folder.
        hrefs: the items.
        beginnings: how titles or names of artefacts begin.
    """
    if not beginnings:
        return set()
    if target.capabilities.files is not None:
        return {href for href in hrefs if is_artefact(container, href, beginnings)}
    artefacts: set[str] = set()
    for href, result in target.read(container, hrefs):
        if isinstance(result, Native) and result.body is not None:
            with result.body() as stream:
                title = _title(stream.read(HEADER_MOST))
            if title.startswith(tuple(beginnings)):
                artefacts.add(href)
    return artefacts


def is_artefact(folder: str, name: str, beginnings: Collection[str]) -> bool:
    """Return True if a file, or a folder, is a provisioning artefact.

    Args:
        folder: the path of the folder.
        name: the name of the file; "" for the folder itself.
        beginnings: each is a folder, a slash, and how the names of files in it begin: "Photos/Birdie",
            "Templates/" for all files in it; without a slash, files at the top.
    """
    for entry in beginnings:
        above, _, beginning = entry.rpartition("/")
        if folder.lstrip("/") == above and (name.startswith(beginning) if name else above):
            return True
    return False


def _title(head: bytes) -> str:
    if head[:6].upper() != b"BEGIN:":
        return str(head_of(head).get("Subject", ""))
    unfolded = head.decode("utf-8", "replace").replace("\r\n ", "").replace("\r\n\t", "")
    for line in unfolded.splitlines():
        name, _, value = line.partition(":")
        if name.partition(";")[0].upper() in ("SUMMARY", "FN"):
            return value
    return ""
