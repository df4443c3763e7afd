"""Say one condition of a rule as a test in Sieve, exactly or not at all.

What Exchange asks of its own properties (categories, item classes, voice mail) has no words in Sieve. Some
tests hold for fewer mails than Exchange's, and for no other: they may be conditions, but no exceptions.

Source:
    RFC 5228 (Sieve), 5173 (body), 5231 (relational), 5260 (date), 5703 (mime);
    MS-OXCMAIL 2.1.3.2 (importance, sensitivity)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mappings.fields.addresses import is_smtp, spellings
from mappings.fields.ews_xml import moment
from mappings.rules.rule import YES, Condition, Predicate
from mappings.rules.sieve_text import all_of, any_of, sayable, strings, variants

MIME = frozenset({"mime"})
COUNTING = frozenset({"relational", "comparator-i;ascii-numeric"})
_KILOBYTES = re.compile(r"\d{1,7}", re.ASCII)
_MOST = (1 << 21) - 1
"""KB in the largest number that every server takes, 2^31 - 1 (RFC 5228, 2.4.1)."""
_HEADER = re.compile(r"([!-9;-~]+):(?: (.*))?", re.ASCII)
_DECODED = frozenset({"subject", "from", "to", "cc", "bcc", "sender", "reply-to", "comments", "keywords"})
"""Header fields whose words may be encoded: Exchange looks at the raw header, Sieve at the decoded one."""
_SENSITIVITIES = {"personal": "Personal", "private": "Private", "confidential": "Company-Confidential"}
_CIPHERS = ["application/pkcs7-mime", "application/x-pkcs7-mime"]


@dataclass(frozen=True, slots=True)
class People:
    """Tell who is meant by a rule.

    Attributes:
        owner: lower-case addresses of the mailbox's owner, all of them.
        addresses: from a lower-case X.500 or IMCEAEX address to the SMTP address.
    """

    owner: frozenset[str]
    addresses: Mapping[str, str] = field(default_factory=dict)

    def smtp(self, written: str) -> str | None:
        """Return the SMTP address of an address as a rule has it; None if the directory knows none."""
        plain = written.strip().strip("<>").strip()
        plain = plain[5:] if plain.lower().startswith("smtp:") else plain
        found = next((self.addresses[one] for one in spellings(plain) if one in self.addresses), plain)
        return found if is_smtp(found) and sayable(found) else None

    def is_own(self, address: str) -> bool:
        """Return True if an address lies in a domain in which the owner has an address."""
        domains = {one.rpartition("@")[2] for one in self.owner}
        return address.rpartition("@")[2].lower() in domains


@dataclass(frozen=True, slots=True)
class Test:
    """Hold a test in Sieve.

    Attributes:
        text: in one line.
        extensions: what `require` must name.
        is_narrower: True if it may not hold for a mail for which Exchange's condition holds.
    """

    text: str
    extensions: frozenset[str] = frozenset()
    is_narrower: bool = False


Say = Callable[[tuple[str, ...], People], Test | None]


def sieve_test(condition: Condition, people: People) -> Test | None:
    """Return the test of a condition; None if Sieve has no words for exactly this.

    A predicate that is set to "false" may ask for the contrary or for nothing: no documentation says which.
    """
    say = SAID.get(condition.predicate)
    return None if say is None else say(condition.values, people)


def _if_yes(test: Test) -> Say:
    return lambda values, _: test if values == (YES,) else None


def _from(values: tuple[str, ...], people: People) -> Test | None:
    return _addresses('"from"', values, people)


def _sent_to(values: tuple[str, ...], people: People) -> Test | None:
    return _addresses('["to", "cc"]', values, people)


def _addresses(headers: str, values: Iterable[str], people: People) -> Test | None:
    found = [people.smtp(one) for one in values]
    known = [one for one in found if one is not None]
    spelled = variants(known) if len(known) == len(found) else None
    return None if not spelled else Test(f"address :is {headers} {strings(spelled)}")


def _to_me(headers: str) -> Say:
    def say(values: tuple[str, ...], people: People) -> Test | None:
        return _addresses(headers, sorted(people.owner), people) if values == (YES,) else None

    return say


def _not_to_me(values: tuple[str, ...], people: People) -> Test | None:
    found = _to_me('"to"')(values, people)
    return None if found is None else Test(f"not {found.text}")


def _only_to_me(values: tuple[str, ...], people: People) -> Test | None:
    found = _to_me('"to"')(values, people)
    if found is None:
        return None
    one = 'address :count "eq" :comparator "i;ascii-numeric" ["to", "cc"] "1"'
    return Test(f"allof({found.text}, {one})", COUNTING)


def _contains(start: str, *extensions: str) -> Say:
    def say(values: tuple[str, ...], _: People) -> Test | None:
        spelled = variants(values)
        return None if not spelled else Test(f"{start} {strings(spelled)}", frozenset(extensions))

    return say


_SUBJECT_HAS = _contains('header :contains "Subject"')
_BODY_HAS = _contains("body :text :contains", "body")


def _subject_or_body(values: tuple[str, ...], people: People) -> Test | None:
    parts = (_SUBJECT_HAS(values, people), _BODY_HAS(values, people))
    return _either([one for one in parts if one is not None])


def _either(tests: list[Test]) -> Test | None:
    if not tests:
        return None
    extensions = frozenset[str]().union(*(one.extensions for one in tests))
    return Test(any_of([one.text for one in tests]), extensions, any(one.is_narrower for one in tests))


def _header_has(values: tuple[str, ...], _: People) -> Test | None:
    """Say words of the whole header, if each of them begins with the name of a field.

    Exchange looks for the words anywhere: it finds "X-Spam: yes" in "My-X-Spam: yes", too.
    """
    found = [_one_header(value) for value in values]
    return _either([one for one in found if one is not None]) if all(found) else None


def _one_header(value: str) -> Test | None:
    match = _HEADER.fullmatch(value) if sayable(value) and value.isascii() else None
    if match is None or match[1].lower() in _DECODED:
        return None
    name, start = match[1], (match[2] or "").rstrip(" ")
    if start != (match[2] or ""):
        return None
    if not start:
        return Test(f"exists {strings([name])}", is_narrower=True)
    pattern = re.sub(r"([\\*?])", r"\\\1", start) + "*"
    return Test(f"header :matches {strings([name])} {strings([pattern])}", is_narrower=True)


def _importance(values: tuple[str, ...], _: People) -> Test | None:
    marks = {"high": ("high", ["1*", "2*"]), "low": ("low", ["4*", "5*"])}
    said = {
        word: f'anyof(header :is ["Importance", "X-MSMail-Priority"] "{name}", '
        f'allof(not exists "Importance", not exists "X-MSMail-Priority", '
        f'header :matches "X-Priority" {strings(digits)}))'
        for word, (name, digits) in marks.items()
    }
    if values == ("normal",):
        return Test(f"not anyof({said['high']}, {said['low']})")
    return Test(said[values[0]]) if len(values) == 1 and values[0] in said else None


def _sensitivity(values: tuple[str, ...], _: People) -> Test | None:
    if values == ("normal",):
        return Test(f'not header :is "Sensitivity" {strings(list(_SENSITIVITIES.values()))}')
    word = _SENSITIVITIES.get(values[0]) if len(values) == 1 else None
    return None if word is None else Test(f'header :is "Sensitivity" "{word}"')


def _size(values: tuple[str, ...], _: People) -> Test | None:
    """Say a range of sizes in KB; both ends belong to it.

    A server of Sieve measures mail as it is sent. Base64 with its line ends makes 1.37 of each octet
    (RFC 2045, 6.8), so that the lower end is put higher.
    """
    if len(values) != 2 or not any(values) or not all(_KILOBYTES.fullmatch(one) for one in values if one):
        return None
    low, high = (int(one) if one else None for one in values)
    if max(low or 0, high or 0) > _MOST:
        return None
    parts = [f"not size :under {-(-low * 7 // 5)}K"] if low else []
    parts += [] if high is None else [f"not size :over {high}K"]
    return Test(all_of(parts), is_narrower=True) if parts else None


def _dates(values: tuple[str, ...], _: People) -> Test | None:
    """Say a range of moments in UTC, to the second; both ends belong to it."""
    if len(values) != 2 or not any(values):
        return None
    parts = []
    for one, operator in zip(values, ("ge", "le"), strict=True):
        when = moment(one) if one else None
        if one and when is None:
            return None
        if when is not None:
            parts += now_compared(when, operator)
    return Test(all_of(parts), frozenset({"date", "relational"}))


def now_compared(when: datetime, operator: str) -> list[str]:
    """Compare the date, and on the same date the time: servers spell iso8601 in several ways."""
    day, clock = when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S").split()
    now = 'currentdate :zone "+0000"'
    beyond = "gt" if operator == "ge" else "lt"
    same_day = f'allof({now} :is "date" "{day}", {now} :value "{operator}" "time" "{clock}")'
    return [f'anyof({now} :value "{beyond}" "date" "{day}", {same_day})']


def _report(kind: str, field_value: str | None) -> Test:
    """Return the test for a report (RFC 6522) of a kind, whose machine-readable part has these words."""
    said = f'header :mime :param "report-type" :is "Content-Type" "{kind}"'
    if field_value is None:
        return Test(said, MIME)
    part = f'body :content "message/{kind}" :contains "{field_value}"'
    return Test(f"allof({said}, {part})", MIME | {"body"})


def _meeting(*methods: str) -> Test:
    """Return the test for iTIP (RFC 5546, 1.4) by the object itself, if the mail is that object.

    A file of a calendar, or a meeting within a mail that was sent on, is none. Pigeonhole 2.4.1 looks for
    :anychild no further than to a part without a header.
    """
    said = strings([f"METHOD:{method}" for method in methods])
    whole = 'header :matches "Content-Type" ["text/calendar*", "multipart/alternative*"]'
    found = f'body :content "text/calendar" :contains {said}'
    return Test(f"allof({whole}, {found})", frozenset({"body"}), is_narrower=True)


_SIGNED_INSIDE = 'header :mime :param "smime-type" :is "Content-Type" "signed-data"'
_OPAQUE = f'header :mime :contenttype :is "Content-Type" {strings(_CIPHERS)}'
_ENVELOPED = 'header :mime :param "smime-type" :is "Content-Type" ["enveloped-data", "authEnveloped-data"]'

SAID: Mapping[Predicate, Say] = {
    Predicate.FROM: _from,
    Predicate.SENDER_HAS: _contains('address :contains "from"'),
    Predicate.TO_ME: _to_me('"to"'),
    Predicate.CC_ME: _to_me('"cc"'),
    Predicate.TO_OR_CC_ME: _to_me('["to", "cc"]'),
    Predicate.ONLY_TO_ME: _only_to_me,
    Predicate.NOT_TO_ME: _not_to_me,
    Predicate.SENT_TO: _sent_to,
    Predicate.RECIPIENT_HAS: _contains('address :contains ["to", "cc"]'),
    Predicate.SUBJECT_HAS: _SUBJECT_HAS,
    Predicate.SUBJECT_OR_BODY_HAS: _subject_or_body,
    Predicate.BODY_HAS: _BODY_HAS,
    Predicate.HEADER_HAS: _header_has,
    Predicate.IMPORTANCE: _importance,
    Predicate.SENSITIVITY: _sensitivity,
    Predicate.ATTACHMENTS: _if_yes(
        Test('header :mime :anychild :type :is "Content-Disposition" "attachment"', MIME, is_narrower=True)
    ),
    Predicate.SIZE: _size,
    Predicate.DATES: _dates,
    Predicate.AUTOMATIC_REPLY: _if_yes(
        Test('header :matches "Auto-Submitted" "auto-replied*"', is_narrower=True)
    ),
    Predicate.MEETING_REQUEST: _if_yes(_meeting("REQUEST")),
    Predicate.MEETING_RESPONSE: _if_yes(_meeting("REPLY", "COUNTER")),
    Predicate.NDR: _if_yes(_report("delivery-status", "Action: failed")),
    Predicate.READ_RECEIPT: _if_yes(_report("disposition-notification", None)),
    Predicate.SIGNED: _if_yes(
        Test(
            f'anyof(header :mime :contenttype :is "Content-Type" "multipart/signed", '
            f"allof({_OPAQUE}, {_SIGNED_INSIDE}))",
            MIME,
        )
    ),
    Predicate.ENCRYPTED: _if_yes(Test(f"allof({_OPAQUE}, {_ENVELOPED})", MIME, is_narrower=True)),
}
"""How each predicate is said. One that is not here has no words in Sieve."""
