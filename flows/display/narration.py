"""A wave at work in one line, as the log of its run in Prefect tells it once a minute. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flows.display.artifact_text import Seen, outlook
from model.plural import many
from reports.mailbox_facts import MailboxFacts, count
from reports.progress import share

CODES_SHOWN = 3


def progress_line(seen: Seen, lines: Sequence[MailboxFacts]) -> str:
    """Return how far the wave is, how fast it goes, how long it still takes, and what needs a person.

    Args:
        seen: the wave at this moment.
        lines: its mailboxes.
    """
    shot = seen.snapshot
    total = max(shot.items, seen.expected)
    counts = count(lines)
    told = [
        f"{share(shot, seen.expected):.0f} % done: {shot.done:,} of {total:,} items, "
        f"{counts.verified:,} of {many(counts.mailboxes, 'mailbox', 'mailboxes')} verified.",
        f"{seen.rate:.1f} items a second.",
        outlook(seen),
        person_line(lines),
    ]
    return " ".join(told)


def person_line(lines: Sequence[MailboxFacts]) -> str:
    """Return what needs a person, with the most frequent codes."""
    person = [line for line in lines if line.needs_person]
    if not person:
        return "Nothing needs a person."
    codes = Counter(code for line in person for code in line.codes)
    named = ", ".join(f"{code} ({count})" for code, count in codes.most_common(CODES_SHOWN))
    told = many(len(person), "mailbox needs a person", "mailboxes need a person")
    return f"{told}: {named}." if named else f"{told}."
