"""The tables of all kinds: what they name is there, and is loaded only when it is asked for."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module

from mappings.registry import FORMS, ITEM_FORMS, ItemForm, RecordForm

LOADED = "import mappings.registry, engine.leg.run, engine.verify.source, sys; print(*sys.modules)"
HEAVY = {"icalendar", "recurring_ical_events", "mappings.calendar.event", "mappings.rules.rule_item", "lxml"}


def late() -> Iterator[tuple[str, str]]:
    """Module and name of each function that is imported late."""
    forms: list[RecordForm | ItemForm] = [*FORMS.values(), *ITEM_FORMS.values()]
    for form in forms:
        for field in dataclasses.fields(form):
            value = getattr(form, field.name)
            if isinstance(value, partial):
                yield f"mappings.{value.args[0]}", value.args[1]


def test_each_function_that_is_imported_late_is_there() -> None:
    named = set(late())
    assert ("mappings.calendar.event", "skip_event") in named
    for module, name in named:
        assert callable(getattr(import_module(module), name))


def test_a_pass_loads_no_mapping_before_an_item_is_mapped() -> None:
    command = [sys.executable, "-P", "-c", LOADED]
    done = subprocess.run(command, env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, check=True)
    assert HEAVY & {*done.stdout.decode().split()} == set()
