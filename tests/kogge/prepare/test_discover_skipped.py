"""What a rule leaves out of the migration is not counted as moving by `kogge discover`."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from commands import run

from engine.config.load import load
from engine.config.template import write_new
from engine.opening.open_sides import open_source
from engine.planning.mailbox_list import read_mailboxes
from kogge.prepare.practice_servers import practising
from mappings.losses.catalogue import SKIPS
from mappings.registry import ITEM_FORMS
from model.protocols import Native

PEOPLE = 5
"""So many neighbouring mailboxes have every odd item between them."""


def counted(place: Path) -> tuple[int, Counter[str]]:
    """How many items the mailboxes' folders hold, and what the rules of a migration leave out of them."""
    config = load(place / "kogge.toml")
    skipped: Counter[str] = Counter()
    items = 0
    for person in read_mailboxes(place / "mailboxes.csv"):
        with closing(open_source(config, person.source_account, frozenset(config.workloads))) as source:
            for container in source.containers():
                if container.omit is not None:
                    continue
                refs = [ref for page in source.changes(container, None) for ref in page.refs]
                items += len(refs)
                answers = source.fetch(container, refs, bodies=False)
                read = [one for one in answers if isinstance(one, Native)]
                skipped.update(code for one in read if (code := ITEM_FORMS[container.kind].skip(one)))
    return items, skipped


def test_what_is_skipped_is_counted_apart_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with practising(people=PEOPLE, items=60, seed=7, pim=5, prefect_port=0) as running:
        write_new(tmp_path, running.files(required=0))
        items, skipped = counted(tmp_path)
        assert skipped, "the practice mailboxes hold something that a rule leaves out"
        assert run("discover", "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert run("discover") == 0
        shown = " ".join(capsys.readouterr().out.split())
    moving = sum(one["items"] for one in found)
    assert moving == items - skipped.total() == sum(sum(one["kinds"].values()) for one in found)
    stays = sum((Counter(one["stays"]) for one in found), Counter[str]())
    assert {code: count for code, count in stays.items() if code in SKIPS} == skipped
    assert "folder whose own count differs" not in {name for one in found for name in one["oddities"]}
    assert f"{PEOPLE} mailboxes, {moving:,} items" in shown
    assert all(code in shown for code in skipped)
    assert all(SKIPS[code].split()[0] in shown for code in skipped)
