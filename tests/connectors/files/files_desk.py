"""What a test of files works with: targets that are closed in the end, items, and what the server has."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from servers.dav.faults import Fault, Faults

from connectors.files.target import FilesSettings, FilesTarget
from connectors.settings import Account
from model.kinds import Kind
from model.protocols import Container, Guard, Item, Stored, key_of
from practice.nextcloud.files import NextcloudFiles

PASSWORD_ENV = "KOGGE_FILES_PASSWORD"
WHEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
CHUNK = 1000


def file(
    number: int,
    data: bytes = b"content",
    name: str | None = None,
    *,
    replaces: Stored | None = None,
    date: datetime | None = WHEN,
) -> Item:
    return Item(
        kind=Kind.FILES,
        key=key_of(f"file-{number}"),
        digest=hashlib.sha256(data).digest(),
        size=len(data),
        body=lambda: io.BytesIO(data),
        date=date,
        name=name or f"file {number}.txt",
        replaces=replaces,
    )


def folder(*names: str) -> Container:
    return Container(Kind.FILES, f"source-{names}", ("", *names))


@dataclass
class Desk:
    """Small settings: what is larger than 3,000 bytes goes in chunks of 1,000; nothing goes in bulk unless
    asked for. patience is short."""

    cloud: NextcloudFiles
    spool: Path
    opened: list[FilesTarget] = field(default_factory=list)

    def target(
        self, guard: Guard = lambda: None, *, live: bool = False, user: str = "anna", **settings: object
    ) -> FilesTarget:
        given = {
            "kind": "nextcloud",
            "url": self.cloud.url,
            "password": {"env": PASSWORD_ENV},
            "bulk_below": 0,
            "chunk_above": 3 * CHUNK,
            "chunk_bytes": CHUNK,
            "patience_seconds": 20,
            "timeout_seconds": 10,
        }
        made = FilesTarget(
            FilesSettings.model_validate({**given, **settings}),
            Account(login=user),
            guard,
            self.spool,
            live=live,
        )
        self.opened.append(made)
        return made

    def close(self) -> None:
        for one in self.opened:
            one.close()

    def faults(self, script: dict[tuple[str, int], Fault]) -> Faults:
        """From the next request on."""
        made = Faults(script, retry_after=0)
        self.cloud.layers = (made,)
        return made

    def files(self) -> dict[str, bytes]:
        """Everything there is of the user's, by path."""
        base = self.cloud.shelves["anna"].real(())
        return {
            path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()
        }

    def dates(self) -> dict[str, int]:
        base = self.cloud.shelves["anna"].real(())
        return {
            path.relative_to(base).as_posix(): int(path.stat().st_mtime)
            for path in base.rglob("*")
            if path.is_file()
        }

    def uploads(self) -> list[str]:
        return sorted(path.name for path in (self.cloud.shelves["anna"].folder / "uploads").iterdir())

    def counts(self) -> Counter[str]:
        return Counter(request.method for request in self.cloud.requests)
