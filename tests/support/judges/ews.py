"""Judge EWS by messages.xsd and types.xsd.

Judged are the body and the header of what the connectors send, and of every answer of the practice Exchange;
of a SOAP fault, which no schema describes, that its code is one of ResponseCodeType.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lxml import etree
from servers.faulty.plan import Kind
from servers.faulty.tap import Exchanged

from judges.wrong import is_ours, told
from practice.exchange.app import CHOKED
from practice.exchange.soap import ERRORS_NS, MESSAGES_NS, SOAP_NS, TYPES_NS

S = f"{{{SOAP_NS}}}"
NAMESPACES = {MESSAGES_NS: "m:", TYPES_NS: "t:"}
XS = "{http://www.w3.org/2001/XMLSchema}"
NO_SOAP = frozenset({Kind.HTTP_503, Kind.ERROR_PAGE, Kind.POISON_ITEM})
"""These answer with a page or with half an answer, by their definition."""
HABITS: Mapping[str, Mapping[str, str]] = {
    "Exchange": {},
    "gromox": {
        r"/t:CalendarItem/t:\w+: This element is not expected": "its calendar items have another order",
        r"/t:Recurrence/t:\w+/t:(Start|End)Date: '…' is not a valid value": "midnight in place of a date",
        r"/m:RootFolder/t:Groups: This element is not expected": "an empty element in every list",
        r"/m:GetDelegateResponse/m:ResponseMessages: Missing child": "an empty list where nobody is one",
        r"/m:GetInboxRulesResponse: The attribute 'ResponseClass' is required": "it is left out",
        r"/t:OutlookRuleBlobExists: This element is not expected": "in the namespace of types",
    },
}
"""Where a server's answers are invalid as they were recorded, and what it does there."""
NO_MESSAGE = re.compile(r".*/m:ResponseMessages: Missing child element")
_NAMESPACE = re.compile(r"\{([^}]*)\}")
_STEP = re.compile(r"\[\d+\]")
_LONG, _CUT = re.compile(r"'[^']{25,}'"), "'…'"


class EwsJudge:
    """Returns what is not valid in one exchange. judged: how many bodies so far."""

    def __init__(self, folder: Path) -> None:
        messages = etree.parse(folder / "messages.xsd")
        self._schema = etree.XMLSchema(messages)
        self._codes = _codes(messages)
        self._parser = etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True)
        self.judged = 0

    def __call__(self, exchanged: Exchanged) -> list[str]:
        if exchanged.method != "POST" or exchanged.status == 401:
            return []
        wrong: list[str] = []
        if is_ours(exchanged):
            wrong += told(exchanged, "sent", self._envelope(exchanged.request), _operation(exchanged.request))
        if exchanged.server in HABITS:
            wrong += told(exchanged, "answered", self._answer(exchanged), _operation(exchanged.request))
        return wrong

    def _answer(self, exchanged: Exchanged) -> Iterator[str]:
        if "xml" not in exchanged.content_type:
            choked = (exchanged.status, exchanged.answer) == (400, CHOKED)  # habits.chokes_at
            if not choked and not exchanged.faults & NO_SOAP:
                yield f"{exchanged.content_type}, {exchanged.status}"
            return
        for one in self._envelope(exchanged.answer):
            habit = any(re.search(known, one) for known in HABITS[exchanged.server])
            if not habit and not _is_on_purpose(one, exchanged.faults):
                yield one

    def _envelope(self, envelope: bytes) -> Iterator[str]:
        try:
            root = etree.fromstring(envelope, self._parser)
        except etree.XMLSyntaxError as error:
            yield f"not well-formed: {error}"
            return
        self.judged += 1
        yield from self._parts(root.find(f"{S}Header"))
        body = root.find(f"{S}Body")
        if body is None or len(body) != 1:
            yield "no SOAP envelope with one body"
        elif body[0].tag == f"{S}Fault":
            yield from self._fault(body[0])
        else:
            yield from self._parts(body)

    def _parts(self, parent: etree._Element | None) -> Iterator[str]:
        for part in () if parent is None else parent:
            schema = self._schema
            if not schema.validate(part):
                yield from _words(schema.error_log)

    def _fault(self, fault: etree._Element) -> Iterator[str]:
        for code in fault.iter(f"{{{ERRORS_NS}}}ResponseCode"):
            if code.text not in self._codes:
                yield f"a fault's ResponseCode: {code.text!r} is not in ResponseCodeType"


def _codes(messages: etree._ElementTree) -> frozenset[str]:
    kind = messages.find(f".//{XS}simpleType[@name='ResponseCodeType']")
    assert kind is not None
    return frozenset(one.get("value", "") for one in kind.iter(f"{XS}enumeration"))


def _words(log: Iterable[etree._LogEntry]) -> Iterator[str]:
    for entry in log:
        text = _NAMESPACE.sub(lambda found: NAMESPACES.get(found[1], f"{found[1]}:"), entry.message)
        yield f"{_STEP.sub('', entry.path)}: {_LONG.sub(_CUT, text.partition(': ')[2])}"


def _is_on_purpose(wrong: str, faults: frozenset[Kind]) -> bool:
    """Whether the fault is just this: a message left out may have been the only one; a poisoned item's answer
    ends in the middle of an element."""
    if Kind.LEFT_OUT in faults and NO_MESSAGE.match(wrong):
        return True
    return Kind.POISON_ITEM in faults and wrong.startswith("not well-formed")


def _operation(request: bytes) -> str:
    found = re.search(rb"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", request)
    return found[1].decode() if found else ""
