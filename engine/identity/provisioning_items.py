"""What a new account holds before anybody used it: welcome mail, an example contact, files that tell how to
use it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mappings.fields.bounded_reading import head_of
from model.protocols import Native, Target

HEADER_MOST = 65536


def artefacts_among(
    target: Target, container: str, hrefs: Sequence[str], beginnings: Collection[str]
) -> set[str]:
    """Which of these items' titles begin as those of provisioning artefacts do: a mail's Subject, an event's
    SUMMARY, a contact's FN. Reads their first lines; one that cannot be read is none. Of files it is the
    names, and nothing is read."""
    if not beginnings:
        return set()
    if target.capabilities.files is not None:
        return {href for href in hrefs if is_artefact(container, href, beginnings)}
    found: set[str] = set()
    for href, result in target.read(container, hrefs):
        if isinstance(result, Native) and result.body is not None:
            with result.body() as stream:
                title = _title(stream.read(HEADER_MOST))
            if title.startswith(tuple(beginnings)):
                found.add(href)
    return found


def is_artefact(folder: str, name: str, beginnings: Collection[str]) -> bool:
    """Of a file, or with an empty name of the folder itself: whether one of these names it. Each is a folder,
    and after a slash how the names of files in it begin: "Photos/Birdie", "Templates/" for all that lie
    there; without a slash, of files at the top."""
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
