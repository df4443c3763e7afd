"""Fill a new mailbox: its tree, and the mails in it with their marks.

Five neighbouring mailboxes hold every oddity between them; each has some others by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from practice.harness.dice import Dice, digest
from practice.mail.recipes import INCOMING, ODD_MARKS, ODDITIES, ORDINARY
from practice.world.folders import Folder
from practice.world.mailbox import OWNERS, Mailbox
from practice.world.messages import UNMARKED, Marks, Message
from practice.world.population_pim import grow_pim
from practice.world.tree import CALM, NASTY, Extra, grow, grow_unseen

NEIGHBOURS = 5
_WEIGHTS = {"inbox": 40, "sentitems": 25, "deleteditems": 6, "junkemail": 3, "archive": 6, "outbox": 0}
_STREWN = 0.2
_QUIET = Marks(("Rote Kategorie",), "Flagged"), Marks(flag="Complete"), Marks(verb=102), Marks(verb=104)


@dataclass(frozen=True, slots=True)
class Measure:
    """Say how a world's mailboxes are filled; see practice.world.world.World."""

    nasty: bool = True
    folder_count: int | None = None
    message_size: int | None = None
    large: tuple[int, ...] = ()
    pim: int = 0


@dataclass(frozen=True, slots=True)
class _Planned:
    recipe: str
    seed: str
    marks: Marks = UNMARKED
    budget: int | None = None


def populate(mailbox: Mailbox, count: int, measure: Measure) -> None:
    """Make the folders and `count` items."""
    folders = _folders(mailbox, measure)
    wheel = [folder for folder in folders for _ in range(_WEIGHTS.get(folder.role or "", 3))]
    nasty = measure.nasty and measure.message_size is None
    plan = list(_odd(mailbox, measure))[:count] if nasty else []
    # Strewn among the others, in an order that is the seed's.
    plan.sort(key=lambda planned: digest(mailbox.seed, mailbox.address, planned.seed))
    step = max(count // len(plan), 1) if plan else 0
    for n in range(count):
        odd = plan.pop() if plan and (n % step == 0 or len(plan) >= count - n) else None
        dice = Dice(mailbox.seed, mailbox.address, "place", odd.seed if odd else n)
        folder = folders[n % len(folders)] if measure.folder_count else dice.pick(wheel)
        if odd and odd.recipe in INCOMING and folder.role in OWNERS:
            folder = mailbox.distinguished("inbox")
        planned = odd or _ordinary(str(n), dice, nasty)
        _put(mailbox, folder, planned, is_read=dice.chance(0.8))
    if nasty:
        _unseen(mailbox)
    if measure.pim:
        grow_pim(mailbox, measure.pim, nasty=nasty)


def _unseen(mailbox: Mailbox) -> None:
    """Add items that are no one's mail: associated, in hidden folders, recoverable, archived in place."""
    _put(mailbox, mailbox.distinguished("inbox"), _Planned("associated", "associated"), is_read=True)
    hidden = [folder for folder in mailbox.folders() if folder.kind == "hidden"]
    unseen = grow_unseen(mailbox, archive=mailbox.owner.index % NEIGHBOURS == 1)
    for folder in (*hidden, *unseen):
        for n in range(2):
            _put(mailbox, folder, _Planned("post", f"unseen/{folder.number}/{n}"), is_read=True)


def _folders(mailbox: Mailbox, measure: Measure) -> list[Folder]:
    """Make the tree, and return the folders that get mail."""
    if measure.folder_count is not None:
        grow(mailbox, tuple(Extra((f"Ordner {n:05d}",)) for n in range(1, measure.folder_count)))
        return [folder for folder in mailbox.folders() if folder.role in (None, "inbox")]
    grow(mailbox, NASTY if measure.nasty else CALM)
    return [
        folder
        for folder in mailbox.folders()
        if folder.kind == "normal" and folder.folder_class == "IPF.Note" and folder.role != "outbox"
    ]


def _odd(mailbox: Mailbox, measure: Measure) -> Iterator[_Planned]:
    """Yield this mailbox's share of the oddities, duplicates in pairs."""
    index = mailbox.owner.index
    dice = Dice(mailbox.seed, mailbox.address, "odd")
    if index == 0:
        yield from (_Planned("large", f"large/{size}", budget=size) for size in measure.large)
    for n, recipe in enumerate(ODDITIES):
        if (n - index) % NEIGHBOURS == 0 or dice.chance(_STREWN):
            yield _Planned(recipe, f"odd/{recipe}")
            if recipe == "duplicate":
                yield _Planned(recipe, f"odd/{recipe}")
    for n, marks in enumerate(ODD_MARKS):
        if (n - index) % NEIGHBOURS == 0 or dice.chance(_STREWN):
            yield _Planned("plain", f"marked/{n}", marks)


def _ordinary(seed: str, dice: Dice, nasty: bool) -> _Planned:
    recipe = dice.pick(ORDINARY) if nasty else "plain"
    return _Planned(recipe, seed, dice.pick(_QUIET) if dice.chance(0.2) else UNMARKED)


def _put(mailbox: Mailbox, folder: Folder, planned: _Planned, *, is_read: bool) -> None:
    recipe, marks = planned.recipe, planned.marks
    if folder.role == "drafts":
        marks = replace(marks, draft=True)
        recipe = "draft" if recipe == "plain" else recipe
    item = Message(
        recipe,
        planned.seed,
        marks,
        is_read=is_read,
        by_owner=folder.role in OWNERS,
        budget=planned.budget,
    )
    folder.admit(item, mailbox.next_number(), mailbox.next_change())
