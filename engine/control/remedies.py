"""Say what to do about every code: one sentence on which an operator can act at night.

The sentences stand in model/codes, a file an area.
"""

from __future__ import annotations

from mappings.losses.catalogue import SKIPS
from model.code_entries import Entry, Sentences, Text, entries_of

UNKNOWN = "This version does not know it; `kogge failures --server-words --by NAME` shows what servers said."
"""The advice about a code that no entry explains."""
RETRY = "retry"
"""What ends the advice about a fault that Kogge tries again by itself."""
ENDS = entries_of("then")


def advice_of(entry: Entry) -> Text:
    """Return what to do, in each language that has it."""
    parts = [part for part in (entry.do, ENDS[entry.then].do if entry.then else {}) if part]
    languages = set(parts[0]).intersection(*parts[1:])
    return {language: " ".join(part[language] for part in parts) for language in languages}


MAILBOX = Sentences(entries_of("mailbox"), advice_of)
ITEM = Sentences(entries_of("item", "rejection"), advice_of)
PASSING = Sentences(entries_of("passing"), advice_of)
RUN = Sentences(entries_of("run"), advice_of)
ADVICE = Sentences(entries_of("mailbox", "item", "rejection", "passing", "run"), advice_of)
STATES = entries_of("states")
STAYS = Sentences(entries_of("stays"), lambda entry: entry.meaning)
"""What does not move, by the code of model.protocols.Container.omit and of a source's extras()."""


def advice(code: str) -> str:
    """Return what to do about a code; UNKNOWN if no entry explains it, and "" for none and for a state."""
    if is_explained(code):
        return ADVICE.get(code) or SKIPS[code]
    return UNKNOWN if code and code not in STATES else ""


def is_explained(code: str) -> bool:
    """Tell whether an entry says what to do about a code. Another version may have recorded others."""
    return code in ADVICE or code in SKIPS


def is_tried_again(code: str) -> bool:
    """Tell whether Kogge tries again by itself, and nothing else is to be done for now."""
    return code in PASSING and PASSING.entries[code].then == RETRY
