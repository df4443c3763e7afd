"""Read query options ($select, $top, $skip, $filter, $orderby, $expand), and make pages by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from practice.graph.errors import bad_query, bad_request, no_property
from practice.graph.wire import Ask, Json

PAGE = 10
LARGEST = 1000
_KNOWN = frozenset(
    {"$select", "$top", "$skip", "$filter", "$orderby", "$expand", "$count", "$search", "$skiptoken"}
    | {"$deltatoken", "$format"}
)
Options = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """Hold the options.

    Attributes:
        select: None for all.
        expand: by name, with its own options.
    """

    select: frozenset[str] | None = None
    top: int | None = None
    skip: int = 0
    filter: str | None = None
    orderby: str | None = None
    expand: Mapping[str, Options] = field(default_factory=dict)
    count: bool = False

    def wants(self, name: str) -> bool:
        """Return whether a property is selected."""
        return self.select is None or name in self.select

    def shown(self, whole: Json) -> Json:
        """Return what was selected of an entity; its id, annotations and expansions always are."""
        if self.select is None:
            return whole
        chosen = {"id", *self.expand, *(name.rpartition("/")[2] for name in self.select)}
        return {name: value for name, value in whole.items() if name in chosen or name.startswith("@odata")}


def parse(ask: Ask) -> Query:
    """Return the options of a request.

    Raises:
        GraphError: one is not understood.
    """
    unknown = [name for name in ask.query if name.startswith("$") and name not in _KNOWN]
    if unknown:
        raise bad_request(f"The query parameter '{unknown[0]}' is not supported.")
    if "$search" in ask.query:
        raise bad_query("$search is not available here.")
    chosen = ask.query.get("$select")
    return Query(
        select=frozenset(one.strip() for one in chosen.split(",") if one.strip()) if chosen else None,
        top=_number(ask, "$top"),
        skip=_number(ask, "$skip") or 0,
        filter=ask.query.get("$filter"),
        orderby=ask.query.get("$orderby"),
        expand=dict(_expanded(ask.query.get("$expand", ""))),
        count=ask.query.get("$count", "").lower() == "true",
    )


def _number(ask: Ask, name: str) -> int | None:
    text = ask.query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or (name == "$top" and not 0 < int(text) <= LARGEST):
        raise bad_query(f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def parted(text: str, mark: str) -> Iterator[str]:
    """Split at the marks that stand outside of parentheses and quotes."""
    depth, quoted, start = 0, False, 0
    for at, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif not quoted:
            depth += (char == "(") - (char == ")")
            if char == mark and not depth:
                yield text[start:at]
                start = at + 1
    yield text[start:]


def _expanded(text: str) -> Iterator[tuple[str, Options]]:
    for part in parted(text, ",") if text else ():
        name, opened, inner = part.strip().partition("(")
        if opened and not inner.endswith(")"):
            raise bad_query("The $expand query option is malformed.")
        pairs = (one.partition("=") for one in parted(inner[:-1], ";")) if opened else ()
        yield name, {key.strip(): value.strip() for key, _, value in pairs}


def checked(query: Query, known: Iterable[str], kind: str, expands: Iterable[str]) -> Query:
    """Return the same query.

    Raises:
        GraphError: this kind of entity does not have what it names.
    """
    names, ways = {*known, "id"}, {one.lower() for one in expands}
    for name in sorted(query.select or ()):
        if name not in names:
            raise no_property(name, kind)
    for name in query.expand:
        if name.lower() not in ways:
            raise no_property(name, kind)
    return query


def paged(ask: Ask, rows: Sequence[Json], query: Query, size: int | None = None) -> Json:
    """Return one page of a collection, with the link to the next by $skip.

    Args:
        ask: the request.
        rows: all.
        query: the options.
        size: of a page, if neither $top nor the Prefer header states it.
    """
    count = query.top or ask.prefer.page or size or PAGE
    shown = rows[query.skip : query.skip + count]
    content: Json = {"@odata.context": f"{ask.base}/$metadata#{'/'.join(ask.path)}"}
    if query.count:
        content["@odata.count"] = len(rows)
    content["value"] = [query.shown(row) for row in shown]
    if query.skip + count < len(rows):
        content["@odata.nextLink"] = linked(ask, {"$top": str(count), "$skip": str(query.skip + count)})
    return content


def linked(ask: Ask, changes: Mapping[str, str], only: bool = False) -> str:
    """Return the request's address with other options.

    Args:
        ask: the request.
        changes: the other options.
        only: True for no further ones.
    """
    options = dict(changes) if only else {**ask.query, **changes}
    path = "/".join((ask.base, *(quote(one, safe="$=@.:!,") for one in ask.path)))
    return f"{path}?{urlencode(options, safe='$,=', quote_via=quote)}"
