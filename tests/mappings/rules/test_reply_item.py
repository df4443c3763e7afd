"""An automatic reply of Exchange and of Graph in Sieve: for people inside, and for others."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS
from mappings.rules.reply import Audience, Reply, fit_reply
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Mapped, Native, Ref
from model.sieve_limits import SieveLimits
from model.sieve_rule import SieveRule, rule_of

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SIEVE = SieveLimits(frozenset({"vacation", "envelope", "date", "relational"}))
OWNER = frozenset({"anna@new.example", "anna@old.example", "chef@old.example"})
CONTEXT = Context(Capabilities(frozenset({Kind.SETTINGS}), sieve=SIEVE), NOW, NOW, OWNER)
INSIDE = 'envelope :domain :is "from" ["new.example", "old.example"]'
SPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
EWS = """<m:Items {spaces}><t:OofSettings><t:OofState>{state}</t:OofState><t:ExternalAudience>{audience}
</t:ExternalAudience><t:Duration><t:StartTime>{start}</t:StartTime><t:EndTime>2027-01-07T07:00:00Z</t:EndTime>
</t:Duration><t:InternalReply><t:Message>Drinnen</t:Message></t:InternalReply><t:ExternalReply><t:Message>
Draußen</t:Message></t:ExternalReply></t:OofSettings>{more}</m:Items>"""


def native(form: str, text: str, side: str) -> Native:
    body = text.encode()
    return Native(Ref("reply", "1"), form, {"Side": side}, lambda: io.BytesIO(body))


def ews(
    side: str,
    state: str = "Enabled",
    audience: str = "All",
    start: str = "2026-12-21T17:00:00Z",
    more: str = "",
) -> Mapped:
    text = EWS.format(spaces=SPACES, state=state, audience=audience, start=start, more=more)
    return ITEM_FORMS[Kind.SETTINGS].map(native("ews-reply", text, side), CONTEXT)


def graph(side: str, **setting: object) -> Mapped:
    shown = {"status": "alwaysEnabled", "externalAudience": "all", "internalReplyMessage": "Drinnen"}
    text = json.dumps({"item": shown | setting})
    return ITEM_FORMS[Kind.SETTINGS].map(native("graph-reply", text, side), CONTEXT)


def rule(result: Mapped) -> SieveRule:
    assert result.left == ""
    with result.item.body() as stream:
        return rule_of(stream.read().decode())


def test_each_side_is_told_by_the_envelope_and_gets_its_text() -> None:
    inside, outside = rule(ews("inside")), rule(ews("outside"))
    assert (inside.test, outside.test) == (INSIDE, f"not {INSIDE}")
    assert inside.place < outside.place < 0
    addresses = '["anna@new.example", "anna@old.example", "chef@old.example"]'
    assert inside.actions == (f'vacation :days 30 :addresses {addresses} "Drinnen";',)
    assert outside.actions == (f'vacation :days 30 :addresses {addresses} "Draußen";',)
    assert inside.active
    assert outside.active
    assert ews("inside").losses == (Loss("reply", "again-after-a-month"),)


def test_a_scheduled_one_acts_between_its_moments_in_utc() -> None:
    for start in ("2026-12-21T18:00:00+01:00", "2026-12-21T17:00:00"):
        test = rule(ews("inside", "Scheduled", start=start)).test
        assert test.startswith(f"allof({INSIDE}, anyof(currentdate")
        assert ':value "ge" "time" "17:00:00"' in test
        assert ':value "lt" "time" "07:00:00"' in test
    assert "currentdate" not in rule(ews("inside", "Enabled", start="nonsense")).test
    with pytest.raises(Rejected, match="malformed-record"):
        ews("inside", "Scheduled", start="nonsense")
    stated = {"dateTime": "2026-12-21T18:00:00.0000000", "timeZone": "W. Europe Standard Time"}
    one = graph("inside", status="scheduled", scheduledStartDateTime=stated, scheduledEndDateTime=stated)
    assert ':value "ge" "time" "17:00:00"' in rule(one).test
    with pytest.raises(Rejected, match="malformed-record"):
        graph("inside", status="scheduled", scheduledStartDateTime=stated, scheduledEndDateTime=None)


def test_nobody_is_answered_who_was_not() -> None:
    assert not rule(ews("inside", "Disabled")).active
    assert ews("outside", audience="None").left == "reply-inside-only"
    assert ews("outside", audience="Everyone").left == "reply-inside-only"
    forbidden = "<m:AllowExternalOof>None</m:AllowExternalOof>"
    assert ews("outside", more=forbidden).left == "reply-inside-only"
    known = ews("outside", audience="Known")
    assert not rule(known).active
    assert known.losses == (Loss("reply", "again-after-a-month"), Loss("reply", "known-senders"))
    assert not rule(graph("outside", externalAudience="contactsOnly", externalReplyMessage="x")).active
    assert graph("outside", externalAudience="all").left == "reply-without-text"
    assert not rule(graph("inside", status="new-state")).active


def test_a_server_without_the_words_gets_none() -> None:
    reply = Reply(True, Audience.ALL, "Text", "Text", start=NOW)
    for missing in sorted(SIEVE.extensions):
        less = SieveLimits(SIEVE.extensions - {missing})
        assert fit_reply(reply, OWNER, less, outside=False).left == "reply-not-at-target"
    assert fit_reply(reply, frozenset({"x"}), SIEVE, outside=False).left == "reply-not-at-target"


@pytest.mark.parametrize(
    ("text", "said", "losses"),
    [
        ("<html><body><p>Ich bin <b>weg</b>.</p><p>M&amp;S</p></body></html>", "Ich bin weg.\n\nM&S", True),
        ("<p>Nur Text</p>", "Nur Text", False),
        ("a < b und > c", "a < b und > c", False),
        ("1\r\n# kogge end\r\n\t/* x\r\n.\r\nEnde", "1\n # kogge end\n    /* x\n .\nEnde", False),
        ('sagt "ja" \\ ${user}', 'sagt "ja" \\ $ {user}', False),
        ("weg\x1b[2J\u202e!", "weg?[2J?!", False),
    ],
)
def test_a_text_means_nothing_but_itself(text: str, said: str, losses: bool) -> None:
    fitted = fit_reply(Reply(True, Audience.NONE, text), OWNER, SIEVE, outside=False)
    assert fitted.rule is not None
    assert (Loss("reply", "formatting") in fitted.losses) is losses
    escaped = said.replace("\\", "\\\\").replace('"', '\\"')
    assert fitted.rule.actions[0].endswith(f' "{escaped}";')
    assert rule_of(fitted.rule.text()) == fitted.rule


def test_a_text_beyond_all_measure_is_refused() -> None:
    with pytest.raises(Rejected, match="too-large"):
        fit_reply(Reply(True, Audience.NONE, "x" * 60_000), OWNER, SIEVE, outside=False)
    empty = Reply(True, Audience.NONE, " \n")
    assert fit_reply(empty, OWNER, SIEVE, outside=False).rule is None
