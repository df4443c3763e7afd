"""Judge Microsoft Graph by its description (v1.0 as CSDL).

Judged are addresses and query options of what the connectors send, alone and in a $batch, and every answer of
the practice Microsoft 365: names and types of properties, enumerations, null, and the form of an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from servers.faulty.plan import Kind
from servers.faulty.tap import Exchanged

from judges.csdl import ANYTHING, Csdl, Place, Unknown
from judges.options import wrong_options
from judges.values import wrong_collection, wrong_object
from judges.wrong import is_ours, told
from practice.graph.app import VERSION

Json = dict[str, Any]
BATCH = "/$batch"
PAGES = frozenset({Kind.ERROR_PAGE, Kind.POISON_ITEM})
"""These answer with a page or with half an answer, by their definition."""
INVENTED = frozenset({"things", "good", "bad"})
"""Roots that tests of the client alone make up for a scripted server."""
REAL: Mapping[str, str] = {
    r"\$select: microsoft.graph.driveItem has no '@microsoft.graph.downloadUrl'": (
        "an annotation, which is asked for by its name; so do Microsoft's own samples"
    ),
    r"microsoft.graph.physicalAddress has no 'type'": "Microsoft's own samples of events have it",
    r"microsoft.graph.mail(Search)?Folder has no 'sizeInBytes'": "recorded answers of v1.0 have it",
    r"microsoft.graph.(sharePointI|i)dentity has no 'email'": "open type; drives and permissions have it",
    r"microsoft.graph.identitySet has no 'group'": "open type; the drive of a group has it",
}
"""What the description does not have, and is real all the same, and how we know it."""
_REAL = re.compile("|".join(f"(?:{one})" for one in REAL))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request, alone or part of a batch. at: what it asks for; None: nobody knows."""

    words: str
    root: str
    at: Place | None
    wrong: tuple[str, ...]


class GraphJudge:
    """Returns what is not valid in one exchange. judged: how many answers so far."""

    def __init__(self, folder: Path) -> None:
        self._csdl = Csdl(folder / "graph-v1.0.csdl.gz")
        self.judged = 0

    def __call__(self, exchanged: Exchanged) -> list[str]:
        asked = exchanged.target.removeprefix(VERSION)
        parts: dict[str, _Asked] = {}
        if asked != BATCH:
            parts[""] = self._asked(exchanged.method, asked)
        elif (requests := _listed(exchanged.request, "requests")) is not None:
            parts = {
                str(one["id"]): self._asked(one["method"], f"/{one['url'].lstrip('/')}") for one in requests
            }
        wrong: list[str] = []
        for part in parts.values() if is_ours(exchanged) else ():
            if exchanged.server == "Graph" or part.root not in INVENTED:
                wrong += told(exchanged, "sent", part.wrong, part.words)
        if exchanged.server == "Graph":
            wrong += self._answered(exchanged, parts)
        return wrong

    def _asked(self, method: str, asked: str) -> _Asked:
        path, _, query = asked.partition("?")
        words, segments = f"{method} {asked}", [unquote(one) for one in path.strip("/").split("/")]
        try:
            at = self._csdl.place(segments)
        except Unknown as unknown:
            return _Asked(words, segments[0], None, (str(unknown),))
        options = dict(parse_qsl(query, keep_blank_values=True))
        return _Asked(words, segments[0], at, tuple(_invented(wrong_options(self._csdl, at, options))))

    def _answered(self, exchanged: Exchanged, parts: Mapping[str, _Asked]) -> list[str]:
        if exchanged.answer and "json" not in exchanged.content_type:
            bare = [part for part in parts.values() if part.at is not None and part.at.raw]
            if bare or exchanged.faults & PAGES:
                return []
            return told(exchanged, "answered", [f"{exchanged.content_type}, {exchanged.status}"])
        try:
            answer = json.loads(exchanged.answer) if exchanged.answer else None
        except ValueError:
            return [] if exchanged.faults & PAGES else told(exchanged, "answered", ["broken JSON"])
        if "" in parts or exchanged.status >= 400:
            asked = parts.get("", _Asked("", "", Place(ANYTHING), ()))
            return self._part(exchanged, asked, exchanged.status, answer)
        wrong: list[str] = []
        for row in answer["responses"]:
            wrong += self._part(exchanged, parts[row["id"]], row["status"], row.get("body"))
        return wrong

    def _part(self, exchanged: Exchanged, asked: _Asked, status: int, answer: Any) -> list[str]:
        self.judged += 1
        paged = isinstance(answer, str) and exchanged.faults & PAGES
        wrong = () if paged else _invented(self._answer(asked.at, status, answer))
        return told(exchanged, "answered", wrong, asked.words)

    def _answer(self, at: Place | None, status: int, answer: Any) -> Iterator[str]:
        if status >= 400:
            error = answer.get("error") if isinstance(answer, dict) else None
            if not isinstance(error, dict) or not isinstance(error.get("code"), str):
                yield f"{status} without error.code"
        elif at is None:
            yield f"{status} for what nobody knows"
        elif status < 300 and status != 204 and not at.raw:
            judge = wrong_collection if at.many else wrong_object
            yield from judge(self._csdl, answer, at.type)


def _invented(wrong: Iterable[str]) -> Iterator[str]:
    return (one for one in wrong if not _REAL.search(one))


def _listed(body: bytes, name: str) -> list[Json] | None:
    """The rows of that name; None where there are none."""
    try:
        rows = json.loads(body)[name]
    except (ValueError, KeyError, TypeError):
        return None
    return rows if isinstance(rows, list) else None
