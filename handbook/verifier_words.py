"""Write into the verifier what its pages say of losses: the classes and everyday sentences that reports have.

An auditor has the verifier's one file alone, so that the words have to be in it. They are written once, in
mappings/losses/severity.py, reports/everyday.py and reports/templates/everyday_*.toml; run
`python -m handbook.verifier_words` after one of them changed. A test compares.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from mappings.losses.severity import CLASSES, Class
from reports.everyday import CHANGES, REFUSALS, STAYS
from reports.i18n import HOME, LANGUAGES

ROOT = Path(__file__).parents[1]
VERIFIER = ROOT / "evidence/verifier.py"
DIGEST = ROOT / "docs/verifier.sha256"
BEGIN, END = '\nEVERYDAY = r"""\n', '"""  # noqa: E501, RUF001 (written by handbook/verifier_words.py)\n'


def written(source: str) -> str:
    """Return the verifier's source with the words as they are now."""
    head, begin, rest = source.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{begin}{words()}{end}{tail}"


def words() -> str:
    """Return the words as JSON, an entry a line: classes, then groups with their codes and sentences."""
    everyday = {language: _everyday(language) for language in LANGUAGES}
    lines = [_line("class", kind, _pairs(kind)) for kind in Class]
    for name, fields in CHANGES.items():
        pairs = [f"{field}:{reason}" for field, own in fields.items() for reason in own.split()]
        lines.append(_line("change", name, pairs, everyday))
    for section, table in (("refusal", REFUSALS), ("stay", STAYS)):
        lines += [_line(section, name, codes.split(), everyday) for name, codes in table.items()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _pairs(kind: Class) -> list[str]:
    return sorted(f"{field}:{reason}" for (field, reason), own in CLASSES.items() if own is kind)


def _line(section: str, name: str, codes: list[str], everyday: dict[str, Any] | None = None) -> str:
    told = {
        language: [entry["title"], entry["says"]]
        for language, texts in (everyday or {}).items()
        for entry in [texts[section][name]]
    }
    return json.dumps([section, str(name), " ".join(codes), told], ensure_ascii=False)


def _everyday(language: str) -> dict[str, Any]:
    return tomllib.loads((HOME / f"everyday_{language}.toml").read_text(encoding="utf-8"))


def write() -> None:
    """Write the words, and the published digest of the file."""
    text = written(VERIFIER.read_text(encoding="utf-8"))
    VERIFIER.write_text(text, encoding="utf-8")
    DIGEST.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}  verify_kogge.py\n")


if __name__ == "__main__":
    write()
