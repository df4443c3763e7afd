"""Nextcloud's own interface beside DAV (OCS): whose account it is, and what the server takes and can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors import json_answer
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE
from connectors.webdav.client import request_reading
from model.errors import Blocked, MigrationError, Transient
from model.file_names import FileNames

HEADERS = {"OCS-APIRequest": "true", "Accept": "application/json"}
SHOWN_MOST = 40  # characters of a value


@dataclass(frozen=True, slots=True)
class Abilities:
    """names: None when the server does not say. facts: for a preflight. sharing: what it tells of that."""

    names: FileNames | None = None
    bulk: bool = False
    chunks: bool = False
    versions: bool = False
    sharing: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


class Ocs:
    """base: the path before /cloud."""

    def __init__(self, client: HttpClient, base: str) -> None:
        self._client = client
        self._base = base

    def data(self, path: str) -> Any:
        """What lies at a path below base; None where there is nothing. Raises Transient, Blocked."""
        answer = request_reading(self._client, "GET", f"{self._base}{path}?format=json", HEADERS)
        if answer.status in GONE:
            return None
        if answer.status == 403 and _is_another(answer):
            raise Blocked("not-files", "the url leads to a server that is no Nextcloud")
        if not answer.ok:
            raise answer.error()
        try:
            return mapping(mapping(json_answer.read(answer.body)).get("ocs")).get("data")
        except ValueError:
            raise _garbage() from None

    def person(self) -> Mapping[str, object]:
        return mapping(self.data("/cloud/user"))

    def lets_change(self, field: str, path: str) -> bool:
        """Whether people may change this field of their own profile, or the server does not tell. path: below
        base, of the names of what they may change."""
        return is_changeable(self.data(path), field)

    def abilities(self, names: FileNames) -> Abilities:
        """names: what is taken where the server says nothing about it."""
        told = mapping(self.data("/cloud/capabilities"))
        can = mapping(told.get("capabilities"))
        files, dav = mapping(can.get("files")), mapping(can.get("dav"))
        return Abilities(
            names=_names(files, names),
            bulk=bool(dav.get("bulkupload")),
            chunks=bool(dav.get("chunking")) or bool(files.get("bigfilechunking")),
            versions=bool(files.get("versioning")),
            sharing=mapping(can.get("files_sharing")),
            facts=_facts(told, can),
        )


def is_changeable(fields: object, field: str) -> bool:
    """Whether a field is among those that a server says people may change; so is any, where it says none."""
    return not isinstance(fields, list) or field in fields


def mapping(value: object) -> Mapping[str, object]:
    """value, when it is an object; PHP writes an empty one as []."""
    return value if isinstance(value, dict) else {}


def _is_another(answer: HttpAnswer) -> bool:
    """A refusal in Nextcloud's name is JSON, and a proxy's before it a page."""
    kind = answer.headers.get("content-type", "").lower()
    return "json" not in kind and "html" not in kind


def _garbage() -> MigrationError:
    return Transient("not-files", "something answered that is no file server")


def _names(files: Mapping[str, object], known: FileNames) -> FileNames:
    """Nextcloud 30 and later tell; before, blacklisted_files alone."""
    whole = files.get("forbidden_filenames", files.get("blacklisted_files"))
    characters = _words(files.get("forbidden_filename_characters"))
    endings = _words(files.get("forbidden_filename_extensions"))
    made = replace(
        known,
        names=frozenset(known.names | {word.lower() for word in _words(whole)}),
        stems=frozenset(word.lower() for word in _words(files.get("forbidden_filename_basenames"))),
        characters="".join(sorted(set(known.characters) | set("".join(characters)) - {"/"})),
        endings=frozenset(known.endings | {word.lower() for word in endings}),
    )
    # what Windows clients shall be able to synchronise may not differ in case alone
    return replace(made, fold=known.fold or _windows(made))


def _windows(names: FileNames) -> bool:
    return ":" in names.characters


def _facts(told: Mapping[str, object], can: Mapping[str, object]) -> dict[str, str]:
    version = mapping(told.get("version"))
    force = mapping(can.get("bruteforce"))
    names = _names(mapping(can.get("files")), FileNames())
    facts = {
        "version": _shown(version.get("string")),
        "brute-force-delay": _shown(force.get("delay")),
        "allow-listed": _shown(force.get("allow-listed")),
        "windows-names": "yes" if _windows(names) else "no",
        "versions": "yes" if mapping(can.get("files")).get("versioning") else "no",
        "bulk": "yes" if mapping(can.get("dav")).get("bulkupload") else "no",
    }
    return {name: text for name, text in facts.items() if text}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value) if isinstance(value, str | int) else ""
    return text[:SHOWN_MOST] if text.isprintable() else ""


def _words(value: object) -> list[str]:
    return [word for word in value if isinstance(word, str) and word] if isinstance(value, list) else []
