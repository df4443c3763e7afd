"""Make the document of a wave whose SHA-256 approvers sign.

The settings that it contains are listed here by name. Whether a setting that a later release adds is signed
is a decision of that release, and voids no approval of people who do not use it: a document has a version,
and one of an earlier version counts as long as everything that it does not contain is as it was then, at its
default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from connectors.settings import Secret, Strict, Tls
from engine.config.load import Config
from ledger.plan.approvals import PlanRow
from ledger.plan.waves import WaveRow

VERSION = 2
"""The version of the document that is signed now. Version 1 contains no version, is one line, and names no
columns."""

SIGNED: Mapping[str, int] = {
    **dict.fromkeys(("kind", "url", "host", "port", "graph_url", "authority", "token_url", "rest"), 1),
    **dict.fromkeys(("security", "plain_http", "auth", "username", "master_separator", "impersonation"), 1),
    **dict.fromkeys(("tenant", "client_id", "scope", "app_id", "certificate_file", "key_file"), 1),
    **dict.fromkeys(("profile", "flavour", "silent_agent", "artefacts", "zone"), 1),
    **dict.fromkeys(("root", "drive", "groups", "groups_by_name", "versions"), 1),
    **dict.fromkeys(("administrators", "api", "special_folders", "folder_language", "tls"), 2),
    **dict.fromkeys(("dialect", "export"), 2),
}
"""Settings of a system that decide what goes where, and by whose right, with the first version that contains
each. A release that adds one raises VERSION, and gives that, unless only a new connector has it."""

_FIRST_ALONE = frozenset({"password", "client_secret", "key_password", "requests_per_10_minutes"})
UNSIGNED = _FIRST_ALONE | {
    "app_version",
    "appapi_version",
    "batch_bytes",
    "batch_items",
    "bulk_below",
    "bulk_bytes",
    "bulk_items",
    "category_colours",
    "chunk_above",
    "chunk_bytes",
    "company",
    "concurrent_requests",
    "connections",
    "count_versions",
    "own_address",
    "page_items",
    "patience_seconds",
    "rate_limit",
    "rate_limit_seconds",
    "spool_above",
    "sync_items",
    "timeout_seconds",
    "user_agent",
}
"""Settings of a system that decide nothing of that: a slower pace or a new password voids no approval. Of
those that version 1 had, it contained secrets only if there were none."""


def canonical(document: object) -> bytes:
    """Return one spelling for equal documents."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def digest_of(document: object) -> str:
    """Return the SHA-256 of a document, in hexadecimal."""
    return hashlib.sha256(canonical(document)).hexdigest()


def systems_of(config: Config, version: int = VERSION) -> dict[str, Any] | None:
    """Return where from and where to, what counts as proof, and whether one mailbox goes first, alone.

    Of a file, only the name is contained: it lies elsewhere on another worker's machine. Of a file of
    authorities it is what the file holds, wherever it lies: whoever is an authority can be any server. No
    secret is contained, nor where it is kept.

    Args:
        config: the configuration.
        version: the version of the document.

    Returns:
        The systems; None if this version cannot express them.
    """
    gate = config.gate
    sources = {side: _settings(table, version) for side, table in config.source.tables().items()}
    targets = {str(kind): _settings(config.target.of(kind), version) for kind in config.workloads}
    network = _network(config)
    if None in (*sources.values(), *targets.values()) or (version == 1 and (network or config.source.own)):
        return None
    proof = {
        "accept": gate.accept,
        "control": gate.control,
        "deny": _name(gate.deny),
        "directory": _name(gate.directory),
    }
    systems = {**sources, "targets": targets, "gate": proof, "canary": config.run.canary}
    return {**systems, "network": network} if network else systems


def _network(config: Config) -> dict[str, Any]:
    """Return through which proxy all servers are asked; nothing where none is set.

    Where the environment says it, only that word is contained.
    """
    network = config.network
    return {"proxy": network.proxy, "no_proxy": sorted(network.no_proxy)} if network.proxy else {}


def digests_of_systems(config: Config) -> list[str]:
    """Return the digest of the systems in every version that can express them, the newest first."""
    versions = (systems_of(config, version) for version in range(VERSION, 0, -1))
    return [digest_of(entry) for entry in versions if entry is not None]


def documents(
    config: Config, wave: WaveRow, rows: Iterable[PlanRow], excused: Collection[str]
) -> Iterator[bytes]:
    """Yield the plan of a wave in every version that can express it, the newest first.

    Args:
        config: the configuration.
        wave: what is planned of the wave.
        rows: its mailboxes.
        excused: the mailboxes that are not ready, and for which a person took responsibility.
    """
    listed = list(rows)
    for version in range(VERSION, 0, -1):
        systems = systems_of(config, version)
        if systems is not None:
            head = {
                "wave": wave.name,
                "starts": None if wave.starts is None else round(wave.starts),
                "window": wave.window,
                "first": wave.canary,
            }
            yield _serialize({**head, "systems": systems}, listed, excused, version)


def without_systems(text: str | bytes) -> dict[str, Any]:
    """Return what a document says of the wave and its mailboxes, without where from and where to."""
    document: dict[str, Any] = json.loads(text)
    return {name: value for name, value in document.items() if name not in ("systems", "version")}


def without_findings(text: str | bytes) -> dict[str, Any]:
    """Return what a document says that a person decided: without the systems, and what a check found."""
    document = without_systems(text)
    document["mailboxes"] = [_without_check(row) for row in document["mailboxes"]]
    return document


def _without_check(row: Any) -> Any:
    if isinstance(row, list):  # version 1 names no columns; a check and whether it is accepted are the last
        return row[:-2]
    return {name: value for name, value in row.items() if name != "checked"}


def _serialize(
    document: dict[str, Any], rows: Iterable[PlanRow], excused: Collection[str], version: int
) -> bytes:
    if version == 1:
        mailboxes = [[*row.approved_part(), row.mailbox in excused] for row in rows]
        return canonical({**document, "mailboxes": mailboxes})
    head = {**document, "version": version}
    lines = [f'"{name}":{canonical(value).decode()},' for name, value in sorted(head.items())]
    each = ",\n".join(canonical(_mailbox_document(row, row.mailbox in excused)).decode() for row in rows)
    return "\n".join(["{", *lines, '"mailboxes":[', each, "]}", ""]).encode()


def _mailbox_document(row: PlanRow, excused: bool) -> dict[str, object]:
    """Return a mailbox as approvers read it; see PlanRow.approved_part."""
    checked = None if row.at is None else {"proof": row.level, "not_ready": row.code, "accepted": excused}
    return {
        "mailbox": row.mailbox,
        "source": row.source,
        "source_login": row.source_login,
        "target": row.target,
        "target_login": row.target_login,
        "target_folder": row.target_folder,
        "workloads": list(row.workloads),
        "checked": checked,
    }


def _settings(model: Strict, version: int) -> dict[str, Any] | None:
    settings: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if name in UNSIGNED and not (version == 1 and name in _FIRST_ALONE):
            continue
        if SIGNED.get(name, 1) > version:
            if value != field.get_default(call_default_factory=True):
                return None
        elif isinstance(value, Tls):
            if value.ca_file is not None:
                settings[name] = {"authorities": _authorities(value.ca_file)}
        elif not isinstance(value, Secret):
            settings[name] = _name(value) if _names_file(name) else value
    return settings


def _authorities(path: str) -> str:
    """Return the SHA-256 of the certificates in a file, whatever their order and the text between them."""
    try:
        held = Path(path).read_bytes()
    except OSError:
        return "unreadable"  # no server can be asked with it either
    try:
        found = [one.public_bytes(Encoding.DER) for one in load_pem_x509_certificates(held)]
    except ValueError:
        found = [held]
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(one).digest() for one in found))).hexdigest()


def _names_file(name: str) -> bool:
    return name.endswith("_file") or name in {"groups", "export"}


def _name(path: str | Path | None) -> str | None:
    return Path(path).name if path else None
