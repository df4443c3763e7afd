"""What model.protocols asks of those connectors that can answer: servers, quotas, extras, senders."""

from __future__ import annotations

import re

import pytest
from benches import SourceBench, TargetBench

from model.optional_protocols import SupportsExtras, SupportsQuota, SupportsSenders, SupportsServerInfo

CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def test_a_server_is_described_in_short_words(bench: SourceBench) -> None:
    source = bench.open()
    if not isinstance(source, SupportsServerInfo):
        pytest.skip("this source tells nothing more about its server")
    facts = source.server()
    source.close()
    assert facts
    assert all(word and word.isprintable() and len(word) < 100 for pair in facts.items() for word in pair)


def test_extras_are_codes_and_counts_and_always_the_same_codes(bench: SourceBench) -> None:
    source = bench.open()
    if not isinstance(source, SupportsExtras):
        pytest.skip("this source has nothing outside of its containers")
    first, second = list(source.extras()), list(source.extras())
    source.close()
    codes = [code for code, _ in first]
    assert all(CODE.fullmatch(code) for code in codes)
    assert len(set(codes)) == len(codes)
    assert codes == [code for code, _ in second]
    assert all(count is None or count >= 0 for _, count in first)


def test_nobody_sent_what_is_not_there(bench: SourceBench) -> None:
    source = bench.open()
    if not isinstance(source, SupportsSenders):
        pytest.skip("this source does not know its senders")
    senders = source.sent_from(3)
    source.close()
    assert len(senders) <= 3
    assert all(sender == sender.lower() and "@" in sender for sender in senders)


def test_a_quota_is_used_and_allowed(target_bench: TargetBench) -> None:
    target = target_bench.open(lambda: None)
    if not isinstance(target, SupportsQuota):
        pytest.skip("this target knows no quota")
    quota = target.quota()
    target.close()
    if quota is not None:
        used, allowed = quota
        assert 0 <= used <= allowed
