"""Every table that is keyed by Kind has each kind: who adds one learns here what is missing."""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

import pytest

from connectors.catalogue.entries import connectors
from engine.config.load import Targets
from engine.config.planning import PlanRates
from engine.control.remedies import ADVICE
from evidence import verifier
from flows.process.parameters import Workload
from ledger.inventory.lines import SECTIONS
from mappings.registry import FORMS, ITEM_FORMS
from model.kinds import KINDS, Kind, KindTraits, kinds_that
from reports.i18n import LANGUAGES, text

TABLES: dict[str, Collection[object]] = {
    "model.kinds.KINDS": KINDS,
    "mappings.registry.ITEM_FORMS": ITEM_FORMS,
    "mappings.registry.FORMS": list(dict.fromkeys(kind for kind, _ in FORMS)),
    "ledger.inventory.lines.SECTIONS": SECTIONS,
    "engine.config.load.Targets": [Kind(name) for name in Targets.model_fields],
    "engine.config.planning.PlanRates": [Kind(name) for name in PlanRates.model_fields if name != "bytes"],
    "flows.process.parameters.Workload": [Kind(name) for name in get_args(Workload)],
    "evidence.verifier.WORKLOADS": [Kind(name) for name in verifier.WORKLOADS],
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_every_kind_in_the_one_order(name: str) -> None:
    assert list(TABLES[name]) == list(Kind)


def test_every_kind_has_a_name_of_its_own_in_each_language() -> None:
    for language in LANGUAGES:
        named = [text(language).name("workload", kind) for kind in Kind]
        assert len(set(named)) == len(Kind), language
        assert not {*named} & {*Kind}, language


def test_no_two_kinds_share_a_word() -> None:
    for field in ("noun", "nouns", "column", "permission"):
        words = [getattr(traits, field) for traits in KINDS.values()]
        given = [word for word in words if word or field != "permission"]
        assert len({*given} - {""}) == len(given), field


def test_the_code_of_a_missing_permission_is_explained() -> None:
    assert {traits.permission for traits in KINDS.values()} - {""} <= ADVICE.keys()
    asked = frozenset[Kind]().union(*(one.reads for one in connectors().values() if one.scoped))
    assert all(KINDS[kind].permission for kind in asked)


def test_figures_can_be_divided_by() -> None:
    for traits in KINDS.values():
        assert min(traits.typical_bytes, traits.typical_items, traits.requests) >= 1
        assert traits.typical_rate > 0
        assert traits.typical_amount == (traits.typical_items, traits.typical_items * traits.typical_bytes)


def test_each_trait_tells_kinds_apart() -> None:
    """A trait that all kinds have, or none, is no trait."""
    for name in KindTraits.__slots__:
        values = {str(getattr(traits, name)) for traits in KINDS.values()}
        assert len(values) > 1, name


def test_kinds_are_found_by_their_traits() -> None:
    assert kinds_that(lambda traits: traits.invites) == {Kind.CALENDAR, Kind.TASKS}
    assert kinds_that(lambda _: False) == frozenset()
