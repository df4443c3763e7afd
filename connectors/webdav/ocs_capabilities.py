"""Ask Nextcloud's own interface beside DAV (OCS): the account's owner and the server's abilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors import json_answer
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE
from model.errors import Blocked, MigrationError, Transient
from model.file_names import FileNames

HEADERS = {"OCS-APIRequest": "true", "Accept": "application/json"}
SHOWN_MOST = 40  # characters of a value


@dataclass(frozen=True, slots=True)
class Abilities:
    """Hold what a server can do.

    Attributes:
        names: which names it takes; None when the server does not say.
        bulk: True if it takes bulk uploads.
        chunks: True if it takes files in chunks.
        versions: True if it keeps versions.
        sharing: what it states about sharing.
        facts: short values for a preflight.
    """

    names: FileNames | None = None
    bulk: bool = False
    chunks: bool = False
    versions: bool = False
    sharing: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


class Ocs:
    """Read the OCS interface."""

    def __init__(self, client: HttpClient, base: str) -> None:
        """Prepare the reader.

        Args:
            client: the HTTP client.
            base: the path before /cloud.
        """
        self._client = client
        self._base = base

    def data(self, path: str) -> Any:
        """Return the data at a path below `base`; None where there is nothing.

        Raises:
            Transient: "not-files" for an answer that is not OCS; busy answers after the retries.
            Blocked: "not-files" when the server is not a Nextcloud, and the errors of `status_error`.
        """
        answer = self._client.look("GET", f"{self._base}{path}?format=json", HEADERS)
        if answer.status in GONE:
            return None
        if answer.status == 403 and _is_other_product(answer):
            raise Blocked("not-files", "the url leads to a server that is no Nextcloud")
        if not answer.ok:
            raise answer.error()
        try:
            return mapping(mapping(json_answer.read(answer.body)).get("ocs")).get("data")
        except ValueError:
            raise _garbage() from None

    def person(self) -> Mapping[str, object]:
        """Return the profile of the account's owner."""
        return mapping(self.data("/cloud/user"))

    def lets_change(self, field: str, path: str) -> bool:
        """Return True if people may change a field of their own profile, or the server does not say.

        Args:
            field: the name of the field.
            path: the path below `base` that lists what people may change.
        """
        return is_changeable(self.data(path), field)

    def abilities(self, names: FileNames) -> Abilities:
        """Return what the server can do.

        Args:
            names: the rules for names where the server states none.
        """
        data = mapping(self.data("/cloud/capabilities"))
        capabilities = mapping(data.get("capabilities"))
        files, dav = mapping(capabilities.get("files")), mapping(capabilities.get("dav"))
        return Abilities(
            names=_names(files, names),
            bulk=bool(dav.get("bulkupload")),
            chunks=bool(dav.get("chunking")) or bool(files.get("bigfilechunking")),
            versions=bool(files.get("versioning")),
            sharing=mapping(capabilities.get("files_sharing")),
            facts=_facts(data, capabilities),
        )


def is_changeable(fields: object, field: str) -> bool:
    """Return True if people may change a field of their profile.

    Args:
        fields: the server's list of changeable fields; any other value means that every field may be changed.
        field: the name of the field.
    """
    return not isinstance(fields, list) or field in fields


def mapping(value: object) -> Mapping[str, object]:
    """Return a value if it is an object, else {}. PHP writes an empty object as []."""
    return value if isinstance(value, dict) else {}


def _is_other_product(answer: HttpAnswer) -> bool:
    """Return True if a refusal cannot come from Nextcloud (JSON) or a proxy before it (HTML)."""
    kind = answer.headers.get("content-type", "").lower()
    return "json" not in kind and "html" not in kind


def _garbage() -> MigrationError:
    return Transient("not-files", "something answered that is no file server")


def _names(files: Mapping[str, object], defaults: FileNames) -> FileNames:
    """Return the rules for names. Nextcloud 30 and later state them; earlier only blacklisted_files."""
    whole = files.get("forbidden_filenames", files.get("blacklisted_files"))
    characters = _words(files.get("forbidden_filename_characters"))
    endings = _words(files.get("forbidden_filename_extensions"))
    rules = replace(
        defaults,
        names=frozenset(defaults.names | {word.lower() for word in _words(whole)}),
        stems=frozenset(word.lower() for word in _words(files.get("forbidden_filename_basenames"))),
        characters="".join(sorted(set(defaults.characters) | set("".join(characters)) - {"/"})),
        endings=frozenset(defaults.endings | {word.lower() for word in endings}),
    )
    # names that Windows clients must be able to synchronise must not differ in case only
    return replace(rules, fold=defaults.fold or _windows(rules))


def _windows(names: FileNames) -> bool:
    return ":" in names.characters


def _facts(data: Mapping[str, object], capabilities: Mapping[str, object]) -> dict[str, str]:
    """Return the values for a preflight."""
    version = mapping(data.get("version"))
    force = mapping(capabilities.get("bruteforce"))
    names = _names(mapping(capabilities.get("files")), FileNames())
    facts = {
        "version": _short_text(version.get("string")),
        "brute-force-delay": _short_text(force.get("delay")),
        "allow-listed": _short_text(force.get("allow-listed")),
        "windows-names": "yes" if _windows(names) else "no",
        "versions": "yes" if mapping(capabilities.get("files")).get("versioning") else "no",
        "bulk": "yes" if mapping(capabilities.get("dav")).get("bulkupload") else "no",
    }
    return {name: text for name, text in facts.items() if text}


def _short_text(value: object) -> str:
    """Return a value as a short printable text, or ""."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value) if isinstance(value, str | int) else ""
    return text[:SHOWN_MOST] if text.isprintable() else ""


def _words(value: object) -> list[str]:
    return [word for word in value if isinstance(word, str) and word] if isinstance(value, list) else []
