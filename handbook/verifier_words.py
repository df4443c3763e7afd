"""Write into the verifier the kinds of items, and what its pages say of losses, as reports do.

An auditor has the verifier's one file alone, so that the words have to be in it. They are written once, in
model/codes; run `python -m handbook.verifier_words` after a change of them. A test compares.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from engine.control.remedies import ADVICE, STAYS
from mappings.losses.catalogue import SKIPS
from mappings.losses.severity import ENTRIES, Class, losses_of
from model.code_entries import everyday_sentences
from model.kinds import Kind
from reports.everyday import OTHER
from reports.i18n import LANGUAGES

ROOT = Path(__file__).parents[1]
VERIFIER = ROOT / "evidence/verifier.py"
DIGEST = ROOT / "docs/verifier.sha256"
WORKLOAD = re.compile('(?m)^WORKLOAD = ".*"$')
BEGIN, END = '\nEVERYDAY = r"""\n', '"""  # noqa: E501, RUF001 (written by handbook/verifier_words.py)\n'


def written(source: str) -> str:
    """Return the verifier's source with the words as they are now."""
    source = WORKLOAD.sub(f'WORKLOAD = "{"|".join(Kind)}"', source, 1)
    head, begin, rest = source.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{begin}{words()}{end}{tail}"


def words() -> str:
    """Return the words as JSON, an entry a line: classes, then groups with their codes and sentences."""
    lines = [_line("class", kind, [_name(*pair) for pair in losses_of(kind)]) for kind in Class]
    declared = {
        "change": {_name(*pair): entry for pair, entry in ENTRIES.items()},
        "refusal": ADVICE.entries,
        "stay": {**SKIPS.entries, **STAYS.entries},
    }
    for section, entries in declared.items():
        for name, parts in everyday_sentences()[section].items():
            if name != OTHER:
                codes = [code for code, entry in entries.items() if entry.everyday == name]
                texts = {one: [parts["title"][one], parts["says"][one]] for one in LANGUAGES}
                lines.append(_line(section, name, codes, texts))
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _name(field: str, reason: str) -> str:
    return f"{field}:{reason}"


def _line(section: str, name: str, codes: list[str], texts: Mapping[str, list[str]] | None = None) -> str:
    return json.dumps([section, str(name), " ".join(sorted(codes)), texts or {}], ensure_ascii=False)


def write() -> None:
    """Write the words, and the published digest of the file."""
    text = written(VERIFIER.read_text(encoding="utf-8"))
    VERIFIER.write_text(text, encoding="utf-8")
    DIGEST.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}  verify_kogge.py\n")


if __name__ == "__main__":
    write()
