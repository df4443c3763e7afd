"""What a report says in words: its one sentence, its three numbers, what was promised and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.steps.beginning.invitation_policy import SILENT
from ledger.db.rows import LegState, Outcome, Phase
from model.kinds import Kind
from reports.data import Coded, Fate, MailboxReport, Status, Total, WaveReport, added, arrived, awaited
from reports.i18n import Sentence, Wording

FOUND = {"missing": Outcome.MISSING, "extra": Outcome.EXTRA, "differs": Outcome.DIFFERS}
NAMED_MOST = 20
"""So many mailboxes with the same reasons are named in one row."""
KEPT, BROKEN, NOT_YET, PARTLY = "yes", "no", "open", "part"


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold a number, the words for it, and a note."""

    number: str
    words: str
    note: str


@dataclass(frozen=True, slots=True)
class Promise:
    """Hold a promise and what came of it.

    Attributes:
        kept: KEPT, BROKEN, NOT_YET, or PARTLY if the ledger cannot know.
    """

    title: str
    words: str
    happened: list[str]
    kept: str


@dataclass(frozen=True, slots=True)
class Why:
    """Hold a reason; `code` is "" if it has none of its own."""

    code: str
    where: str
    words: Sentence


@dataclass(frozen=True, slots=True)
class AttentionRow:
    """Hold mailboxes that need a person for the same reasons; `more` counts those that are not named."""

    ids: list[str]
    more: int
    status: Status
    whys: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class LeftRow:
    """Hold what does not move for the same reason; `folders`: the old system itself counted it."""

    workloads: list[str]
    words: Sentence
    code: str
    items: int
    mailboxes: int
    folders: bool


def headline(report: WaveReport, text: Wording) -> str:
    """Return the one sentence for somebody who reads no further.

    It says how many mailboxes have moved completely, and then where the others are.
    """
    statuses, whole, complete = report.statuses, len(report.boxes), report.complete
    if statuses[Status.PLANNED] == whole:
        return f"{text('sentence.planned', n=whole)}."
    parts = [*_gaps(report, text)]
    parts += [
        text(f"sentence.{name}", n=statuses[status])
        for status, name in (
            (Status.PERSON, "person"),
            (Status.TAKEN_BACK, "taken-back"),
            (Status.GOING, "going"),
            (Status.PLANNED, "waits"),
        )
        if statuses[status]
    ]
    if statuses[Status.MOVED] == whole and (low := _low(report)):
        parts.append(text("sentence.low", n=low))
    parts += _not_in_use(report, text)
    how = _how(report)
    if whole == 1:
        head = text(f"sentence.one{how}" if complete else "sentence.not-one")
    elif complete == whole:
        head = text(f"sentence.all{how}", n=whole)
    else:
        head = text(f"sentence.some{how}", n=complete, of=whole)
    rest = text.listed(parts) if parts else text("sentence.whole")
    return text("format.clauses", head=head, rest=rest)


def _how(report: WaveReport) -> str:
    """Return the end of the names of sentences; "-copied" if a mailbox is only copied."""
    return "-copied" if any(box.only_copied for box in report.boxes) else ""


def _gaps(report: WaveReport, text: Wording) -> Iterator[str]:
    """Yield the sentence about mailboxes that have moved without some items."""
    found = [box for box in report.boxes if box.status is Status.MOVED and not box.complete]
    if found:
        left = sum(awaited(box.fates) - arrived(box.fates) for box in found)
        yield text("sentence.gaps", n=len(found), items=text("chart.inventory", n=left))


def _not_in_use(report: WaveReport, text: Wording) -> Iterator[str]:
    """Yield sentences about mailboxes that have moved and are not in use yet.

    There are none before the first cutover has begun.
    """
    if not report.changing:
        return
    waiting = [box for box in report.boxes if box.waiting]
    counts = {
        "given-back": sum(box.given_back for box in waiting),
        "frozen": sum(box.phase is Phase.FROZEN and box.status is Status.MOVED for box in report.boxes),
        "staged": sum(not box.given_back and not box.low for box in waiting),
    }
    yield from (text(f"sentence.{name}", n=count) for name, count in counts.items() if count)


def _low(report: WaveReport) -> int:
    """Count the mailboxes whose score a person has to look at."""
    return sum(box.low for box in report.boxes)


def figures(report: WaveReport, text: Wording) -> list[Figure]:
    """Return the three large numbers of the page."""
    fates, attention = report.fates, len(report.attention)
    due, there = awaited(fates), arrived(fates)
    return [
        Figure(
            text.number(report.complete),
            text(f"figure.mailboxes{_how(report)}", n=len(report.boxes)),
            text("figure.live", n=sum(box.phase is Phase.LIVE for box in report.boxes)),
        ),
        Figure(
            text.share(there, due) if due else text.number(0),
            text("figure.arrived"),
            text("figure.arrived-of", arrived=there, n=due),
        ),
        Figure(
            text.number(attention),
            text("figure.attention", n=attention),
            _demands(report, text),
        ),
    ]


def _demands(report: WaveReport, text: Wording) -> str:
    """Return why people are needed."""
    counts = {
        "stuck": report.statuses[Status.PERSON],
        "attention-of": sum(box.fates[Fate.FAILED] for box in report.boxes if box.failing),
        "low": _low(report),
    }
    parts = [text(f"figure.{name}", n=count) for name, count in counts.items() if count]
    return text.listed(parts or [*_not_in_use(report, text)] or [text("figure.nobody")])


def promises(report: WaveReport, text: Wording) -> list[Promise]:
    """Return each promise and what came of it."""
    told = (_right, _lost, _notices, _fates, _anyone)
    names = ("right", "lost", "notices", "fate", "anyone")
    found = []
    for name, tell in zip(names, told, strict=True):
        happened, kept = tell(report, text)
        found.append(Promise(text(f"promises.{name}"), text(f"promises.{name}-text"), happened, kept))
    return found


def _right(report: WaveReport, text: Wording) -> tuple[list[str], str]:
    levels = report.levels
    parts = [
        text("promises.right-level", n=levels[level], level=text.name("level", level or "none"))
        for level in ("directory", "address", "asserted", None)
        if levels[level]
    ]
    written = any(box.fates[fate] for box in report.boxes for fate in (Fate.MIGRATED, Fate.TRANSFORMED))
    return parts, KEPT if written else NOT_YET


def _lost(report: WaveReport, text: Wording) -> tuple[list[str], str]:
    """Return what happened to the promise that nothing is lost, and whether it was kept.

    Differences that are found before a person works at the target are repaired; those found later break it.
    """
    there, unread, found = arrived(report.fates), report.unread, report.findings
    read = text("promises.lost-unread", n=unread) if unread else text("promises.lost-all")
    parts = [text("promises.lost-read", n=there), *([read] if there else [])]
    faults = [text(f"promises.{name}", n=found[outcome]) for name, outcome in FOUND.items() if found[outcome]]
    unsure = found[Outcome.ERROR] + found[Outcome.UNCHECKED]
    if unsure:
        faults.append(text("promises.unsure", n=unsure))
    live = [box for box in report.boxes if box.phase is Phase.LIVE]
    differs = any(part.state is LegState.DIFFERS for box in live for part in box.parts)
    parts.append(
        text("promises.lost-found", parts=text.listed(faults)) if faults else text("promises.lost-none")
    )
    if differs:
        return parts, BROKEN
    done = report.statuses[Status.MOVED] == len(report.boxes) and not unread and not unsure
    return parts, KEPT if done else NOT_YET


def _notices(report: WaveReport, text: Wording) -> tuple[list[str], str]:
    """Return what happened to the promise that nobody notices, and whether it was kept.

    The ledger does not know what a server mails, so it is kept as far as it is recorded.
    """
    probe = report.invitation_probe
    if probe is None:
        parts = [text("promises.probe-none")]
    else:
        key = "probe-silent" if probe.outcome == SILENT else "probe-other"
        parts = [text(f"promises.{key}", at=text.day(probe.at))]
    told = [beat for beat in report.beats if beat.source is not None or beat.target is not None]
    slow = sum(min(pace for pace in (beat.source, beat.target) if pace is not None) < 1 for beat in told)
    if not told:
        parts.append(text("promises.pace-unknown"))
    elif slow:
        parts.append(text("promises.paced", n=slow, of=len(told)))
    else:
        parts.append(text("promises.unpaced"))
    return parts, BROKEN if probe is not None and probe.outcome != SILENT else PARTLY


def _fates(report: WaveReport, text: Wording) -> tuple[list[str], str]:
    fates = {fate: report.fates[fate] for fate in Fate if report.fates[fate]}
    total = text.number(sum(fates.values()))
    parts = []
    if fates:
        numbers = " + ".join(text.number(items) for items in fates.values())
        parts.append(text("promises.fate-sum", sum=numbers, n=total))
    still = report.fates[Fate.OPEN]
    if still:
        parts.append(text("promises.fate-open", n=still))
    begun = report.statuses[Status.PLANNED] == 0
    return parts, KEPT if begun and not still and fates else NOT_YET


def _anyone(report: WaveReport, text: Wording) -> tuple[list[str], str]:
    chain = report.chain
    whole = text("promises.chain-whole", n=chain.events) if chain.head else text("promises.chain-broken")
    if report.seal is None:
        return [text("promises.anyone-unsealed"), whole], NOT_YET if chain.head else BROKEN
    told = [text("promises.anyone-sealed", at=text.day(report.seal.at))]
    if report.seal.changed:
        told.append(text("promises.anyone-changed"))
    if not report.seal.complete:
        told.append(text("promises.anyone-incomplete"))
    kept = KEPT if report.seal.holds else NOT_YET
    return [*told, whole], kept if chain.head else BROKEN


def reasons(box: MailboxReport, text: Wording) -> Iterator[Why]:
    """Yield why a person has to look at a mailbox."""
    if box.withheld is not None:
        yield Why(box.withheld, "", _meaning(box.withheld, "withheld", text))
    for code in dict.fromkeys(part.code for part in box.parts if part.code):
        own = [part for part in box.parts if part.code == code and part.state is not LegState.VERIFIED]
        if own:
            where = text.listed([text.name("workload", part.workload) for part in own])
            yield Why(code, where, _meaning(code, "stopped", text))
    if box.failing:
        failed = added({one.code: one.items} for one in box.failures)
        told = [f"`{code}` ({text.number(items)})" for code, items in failed.most_common()]
        words = text("attention.failed", n=failed.total(), codes=text.listed(told))
        yield Why("", "", Sentence(words, text.language))
    if box.score is not None and box.low:
        words = text("attention.low", rating=text.name("rating", box.score.rating))
        yield Why("", "", Sentence(words, text.language))


def _meaning(code: str, otherwise: str, text: Wording) -> Sentence:
    """Return what a code means, or the sentence `otherwise` if it has none in this language."""
    return text.meaning(code) or Sentence(text(f"attention.{otherwise}"), text.language)


def attention(report: WaveReport, text: Wording) -> list[AttentionRow]:
    """Return the rows of mailboxes that need a person; those with the same reasons share a row."""
    groups: dict[tuple[Status, tuple[Why, ...]], list[str]] = {}
    for box in report.attention:
        groups.setdefault((box.status, tuple(reasons(box, text))), []).append(box.id)
    return [
        AttentionRow(ids[:NAMED_MOST], max(0, len(ids) - NAMED_MOST), status, whys)
        for (status, whys), ids in groups.items()
    ]


def advised(
    rows: Iterable[AttentionRow], failures: Iterable[Total], text: Wording
) -> list[tuple[str, Sentence]]:
    """Return what an engineer does about each code on the page."""
    stopped = [why.code for row in rows for why in row.whys if why.code]
    codes = dict.fromkeys([*stopped, *(one.one.code for one in failures if isinstance(one.one, Coded))])
    return [(code, found) for code in codes if (found := text.advice(code)).text]


TO_DECIDE = frozenset({"archive-mailbox", "delegates", "holds", "inbox-rules"})
"""What no person meets in a folder, and is gone with the old system."""


def left_rows(report: WaveReport, text: Wording) -> list[LeftRow]:
    """Return what does not move by a rule: one row for each reason, whatever its items are."""
    found = []
    for folders in (False, True):
        each = [box.omitted if folders else box.skips for box in report.boxes]
        by_code: dict[str, list[Coded]] = {}
        for one in (one for own in each for one in own):
            by_code.setdefault(one.code, []).append(one)
        for code, own in by_code.items():
            kinds = [kind for kind in Kind if any(one.workload is kind for one in own)]
            found.append(
                LeftRow(
                    text.names("workload", kinds),
                    text.stays(code) if folders else text.reason(own[0]),
                    code,
                    sum(one.items for one in own),
                    sum(any(one.code == code for one in box) for box in each),
                    folders,
                )
            )
    return sorted(found, key=lambda row: (row.folders, -row.items, row.code))


def decided_by_somebody(report: WaveReport) -> bool:
    """Return True if something stays that is lost with the old system unless a person decides."""
    return any(one.code in TO_DECIDE for box in report.boxes for one in box.omitted)


def gists(report: WaveReport, text: Wording) -> dict[str, str]:
    """Return one line for each folded section, for those who do not unfold it."""
    rating, deciders = report.score.rating, {one.by for one in report.chain.decisions}
    left = sum(one.items for box in report.boxes for one in (*box.skips, *box.omitted))
    return {
        "fates": text("fates.gist", n=report.fates.total()),
        "left": text("left.gist-decide" if decided_by_somebody(report) else "left.gist", n=left)
        if left
        else text("left.none"),
        "score": text("score.wave", rating=text.name("rating", rating))
        if rating
        else text("score.wave-none", n=report.score.unscored),
        "course": text("course.size", size=text.size(report.bytes)) if report.bytes else text("course.none"),
        "boxes": text("boxes.gist", n=len(report.boxes)),
        "decisions": text("decisions.gist", n=len(report.chain.decisions), people=len(deciders))
        if deciders
        else text("decisions.none"),
        "evidence": text("evidence.gist" if report.seal else "promises.anyone-unsealed"),
        "notes": text("notes.gist"),
        "engineer": text("engineer.gist"),
    }


def greeting(box: MailboxReport, text: Wording) -> str:
    """Return the one sentence for the person."""
    fates = box.fates
    due, there, failed = awaited(fates), arrived(fates), fates[Fate.FAILED]
    if box.status is Status.TAKEN_BACK and not there:
        return text("person.back")
    if box.status is Status.PLANNED:
        return text("person.planned")
    if not box.verified:
        return text("person.going", arrived=there, n=due)
    how = "-copied" if box.only_copied else ""
    if failed:
        return text(f"person.part{how}", arrived=there, n=due, failed=failed)
    return text(f"person.whole{how}", n=due)


def situation(box: MailboxReport, text: Wording) -> str | None:
    """Return where the person works now.

    It is None for a person whose move was taken back, because the greeting says it.
    """
    if box.status is Status.TAKEN_BACK and box.phase is not Phase.LIVE:
        return None
    return text("person.given-back" if box.only_copied else f"person.{box.phase}")
