"""Show for people what a pack states. Nothing of it is checked here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence import verifier
from evidence.bag_writer import REPLY, ROOTS
from evidence.dsse import payload_in, statement_in
from evidence.pack_reader import MALFORMED, refuse_no_pack
from ledger.db.rows import Phase
from ledger.inventory.lines import LATER, SECTIONS, VERDICTS
from model.errors import Misconfigured
from model.kinds import Kind
from model.plural import many

ABRIDGED = 16
LISTED_AGAIN = "listed again by a later pass, where its fate stands"
_LINE = 1 << 14


@dataclass(frozen=True, slots=True)
class Shown:
    """Hold what a pack states.

    Attributes:
        stated: the predicate of the statement.
        statement: the SHA-256 of the statement, in hexadecimal.
        sums: how many lines have each verdict, by section.
        stamped: True if the pack has the reply of a time-stamping authority.
    """

    stated: Mapping[str, Any]
    statement: str
    sums: Mapping[Kind, Mapping[str, int]]
    stamped: bool

    def document(self) -> dict[str, object]:
        """Return it as plain data, for --json. "checked" is always False."""
        sections = {str(kind): dict(counts) for kind, counts in self.sums.items()}
        own = {"checked": False, "statement": self.statement, "stamped": self.stamped}
        return {**own, **self.stated, **own, "by_section": sections}

    @property
    def columns(self) -> list[str]:
        """Return the columns of the table. A verdict that no line has is left out."""
        return ["section", "items", *self._verdicts()]

    def _verdicts(self) -> list[str]:
        return [one for one in VERDICTS if any(counts.get(one) for counts in self.sums.values())]

    @property
    def rows(self) -> list[list[str]]:
        """Return the rows of the table, one for each section."""
        return [
            [
                str(kind),
                f"{sum(counts.values()) - counts.get(LATER, 0):,}",
                *(f"{counts.get(one, 0):,}".rjust(len(one)) for one in self._verdicts()),
            ]
            for kind, counts in self.sums.items()
        ]

    def meanings(self) -> Iterator[str]:
        """Yield what the verdicts in the table mean, a line each."""
        for one in self._verdicts():
            yield f"{one:12} {verifier.FATES.get(one, LISTED_AGAIN)}"

    def lines(self) -> Iterator[str]:
        """Yield what the statement says about the wave and its seal, a line for each fact."""
        said = self.stated
        yield f"wave {said['wave']}, seal {said['number']}, {said['sealed']}"
        yield f"made by      {said['tool']['name']} {said['tool']['version']}"
        mailboxes = many(said["mailboxes"], "mailbox", "mailboxes")
        yield f"holds        {mailboxes}, {many(said['items'], 'item', 'items')}"
        yield f"root         {said['root']} (of the items alone)"
        yield f"statement    {self.statement} (its hash: the one for the protocol of acceptance)"
        yield f"time stamp   {'wave.tsr is there' if self.stamped else 'none (wave.tsq asks for one)'}"
        if before := said["previous"]:
            abridged = before["statement"][:ABRIDGED]
            yield f"follows      seal {before['number']} of wave {before['wave']}, statement {abridged}…"
        else:
            yield "follows      nothing: the first seal of its ledger"
        if wrong := said["corrects"]:
            yield f"corrects     seal {wrong['number']}: {wrong['reason']}"
        for one in said["approvals"]:
            yield f"approved     {one['purpose']}, by {one['by']}, {one['at']} (event {one['event']})"
        decisions = said["decisions"]
        yield f"decisions    {decisions['count']:,} recorded, the newest is {decisions['head'][:ABRIDGED]}…"
        if score := said["score"]:
            counts = [f"{count:,} {rating}" for rating, count in score["distribution"].items() if count]
            if unknown := score.get("not_verified"):
                counts.append(f"{unknown:,} not verified")
            yield f"score        {score['rating'] or 'none'} ({', '.join(counts)})"
        if phases := said.get("phases"):  # packs of earlier versions have none
            yield f"in use       {in_use_text(phases)}"
        missing = Counter((one["state"], one["code"]) for one in said["incomplete"])
        for (state, code), count in missing.most_common():
            yield f"INCOMPLETE   {missing_text(state, code, count)}"


def in_use_text(phases: Mapping[str, int]) -> str:
    """Return how many mailboxes people use at the target, as text.

    Args:
        phases: how many mailboxes are in each phase.
    """
    live = phases.get(Phase.LIVE, 0)
    others = "".join(
        f", {count:,} {phase}" for phase, count in phases.items() if count and phase != Phase.LIVE
    )
    text = f"{live:,} of {many(sum(phases.values()), 'mailbox', 'mailboxes')}{others}"
    return f"{text} (nobody works there yet at the target)" if others else text


def missing_text(state: str | None, code: str, count: int) -> str:
    """Return how many workloads, or mailboxes without any, are not accounted for, as text.

    Args:
        state: of the workloads; None for mailboxes that have no workload at all.
        code: why.
        count: how many.
    """
    if state is None:
        return f"{count:,} {'mailbox has' if count == 1 else 'mailboxes have'} no workload ({code})"
    return f"{count:,} {'workload is' if count == 1 else 'workloads are'} {state} ({code})"


def read(pack: Path) -> Shown:
    """Read what a pack states, without a check of it.

    Raises:
        Misconfigured: there is no pack, it cannot be read, or it is not what `kogge audit seal` wrote.
    """
    refuse_no_pack(pack)
    stated = payload_in(pack)["predicate"]
    sums: dict[Kind, Counter[str]] = {}
    try:
        statement = sha256(statement_in(pack)).hexdigest()
        with verifier.open_file(pack.resolve() / ROOTS) as file:
            for line in iter(lambda: file.readline(_LINE), b""):
                told = json.loads(line)
                sums.setdefault(Kind(told["section"]), Counter()).update(told["verdicts"])
        shown = Shown(
            stated, statement, {one: sums[one] for one in SECTIONS if one in sums}, (pack / REPLY).is_file()
        )
        _refuse_untold(shown)
    except OSError as error:
        raise Misconfigured("PACK", f"a file in it cannot be read ({error.strerror})") from None
    except MALFORMED:
        raise Misconfigured("PACK", "is not what `kogge audit seal` wrote, or not all of it") from None
    return shown


def _refuse_untold(shown: Shown) -> None:
    """Write everything once, and drop it. It raises one of MALFORMED if a value has a wrong type."""
    list(shown.lines())
    list(shown.rows)
    json.dumps(shown.document(), ensure_ascii=False).encode()
