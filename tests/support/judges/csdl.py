"""What Microsoft Graph's own description (CSDL) says of types, properties and addresses."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
ANYTHING = "Edm.Untyped"
RAW = "Edm.Stream"
_COLLECTION = re.compile(r"Collection\((.*)\)")
_KEY = re.compile(r"\(.*\)$")


@dataclass(frozen=True, slots=True)
class Place:
    """What an address, a property or a function leads to. many: to a collection of the type."""

    type: str
    many: bool = False
    nullable: bool = True

    @property
    def raw(self) -> bool:
        return self.type == RAW


class Unknown(Exception):
    """The description has nothing of that name."""


class Csdl:
    """One description. Types are read when they are asked for: there are thousands."""

    def __init__(self, path: Path) -> None:
        with gzip.open(path) as file:
            schemas = list(etree.parse(file).iter(f"{EDM}Schema"))
        spaces = [(str(schema.get("Namespace")), schema) for schema in schemas]
        self._aliases = {str(schema.get("Alias")): space for space, schema in spaces if schema.get("Alias")}
        self._types = {
            f"{space}.{one.get('Name')}": one
            for space, schema in spaces
            for one in schema.iterchildren(f"{EDM}EntityType", f"{EDM}ComplexType", f"{EDM}EnumType")
        }
        self._bound = _bound(schemas)
        self._roots = {
            str(one.get("Name")): one
            for schema in schemas
            for one in schema.iterfind(f"{EDM}EntityContainer/*")
            if one.tag in {f"{EDM}EntitySet", f"{EDM}Singleton"}
        }
        self._properties: dict[str, dict[str, Place]] = {}

    def full(self, name: str) -> str:
        """A type's name with its namespace in place of an alias."""
        alias, _, local = name.rpartition(".")
        return f"{self._aliases.get(alias, alias)}.{local}"

    def knows(self, type_: str) -> bool:
        return type_ in self._types

    def members(self, type_: str) -> frozenset[str] | None:
        """The values of an enumeration; None for any other type."""
        found = self._types.get(type_)
        if found is None or found.tag != f"{EDM}EnumType":
            return None
        return frozenset(str(one.get("Name")) for one in found.iterchildren(f"{EDM}Member"))

    def properties(self, type_: str) -> dict[str, Place]:
        """Those of the type and of what it is derived from."""
        if type_ not in self._properties:
            found = self._types.get(type_)
            of_all: dict[str, Place] = {}
            if found is not None:
                base = found.get("BaseType")
                of_all |= self.properties(self.full(base)) if base else {}
                for one in found.iterchildren(f"{EDM}Property", f"{EDM}NavigationProperty"):
                    of_all[str(one.get("Name"))] = self._place(one)
            self._properties[type_] = of_all
        return self._properties[type_]

    def property(self, type_: str, name: str) -> Place:
        """Raises Unknown."""
        try:
            return self.properties(type_)[name]
        except KeyError:
            raise Unknown(f"{type_} has no {name!r}") from None

    def is_a(self, type_: str, wanted: str) -> bool:
        """Whether it is that type, or derived from it."""
        while type_ != wanted:
            base = self._types[type_].get("BaseType") if type_ in self._types else None
            if not base:
                return False
            type_ = self.full(base)
        return True

    def place(self, segments: Sequence[str]) -> Place:
        """Where a path leads, below the version. Raises Unknown."""
        root = self._roots.get(_KEY.sub("", segments[0]))
        if root is None:
            raise Unknown(f"no root of the service is {segments[0]!r}")
        type_ = self.full(str(root.get("EntityType") or root.get("Type")))
        at = Place(type_, many=root.tag == f"{EDM}EntitySet")
        rest = list(segments[1:])
        if at.many and segments[0].endswith(")"):
            at = Place(type_)
        while rest:
            at = self._step(at, rest)
        return at

    def _step(self, at: Place, rest: list[str]) -> Place:
        """One segment further, or several: a path in a drive or of a site ends with a colon."""
        segment = rest.pop(0)
        if segment == "$value":
            return Place(RAW)
        if segment.endswith(":") or (at.many and ":" in segment):
            by_path = self._by_path(at, segment, rest)
            if by_path is not None:
                return by_path
        called = self._called(at, _KEY.sub("", segment))
        if called is not None:
            return called
        cast = self.full(segment)
        if self.knows(cast):
            if not self.is_a(cast, at.type):
                raise Unknown(f"{cast} is not derived from {at.type}")
            return Place(cast, at.many)
        if at.many:
            return Place(at.type)
        found = self.property(at.type, _KEY.sub("", segment))
        return Place(found.type) if found.many and segment.endswith(")") else found

    def _by_path(self, at: Place, segment: str, rest: list[str]) -> Place | None:
        """What "root:/a/b:" or "example.org:/sites/one:" leads to; None where it is a property or an id."""
        site = at.type == "microsoft.graph.site"
        drive = at.type in {"microsoft.graph.drive", "microsoft.graph.driveItem"}
        if not (site or drive):
            return None
        while rest and not rest[0].endswith(":"):
            rest.pop(0)
        if rest:
            rest.pop(0)
        return Place("microsoft.graph.site" if site else "microsoft.graph.driveItem")

    def _called(self, at: Place, name: str) -> Place | None:
        """What a function of this name gives that is bound to such a place; None without one."""
        local = name.rpartition(".")[2]
        for function in self._bound.get(local, ()):
            parameter = function.find(f"{EDM}Parameter")
            given = function.find(f"{EDM}ReturnType")
            assert parameter is not None
            to = self._place(parameter)
            if to.many == at.many and self.is_a(at.type, to.type):
                return Place(ANYTHING) if given is None else self._place(given)
        return None

    def _place(self, element: etree._Element) -> Place:
        name = str(element.get("Type"))
        inner = _COLLECTION.fullmatch(name)
        nullable = element.get("Nullable") != "false"
        return Place(self.full(inner[1] if inner else name), many=inner is not None, nullable=nullable)


def _bound(schemas: Iterable[etree._Element]) -> dict[str, list[etree._Element]]:
    found: dict[str, list[etree._Element]] = {}
    for schema in schemas:
        for one in schema.iterchildren(f"{EDM}Function", f"{EDM}Action"):
            if one.get("IsBound") == "true":
                found.setdefault(str(one.get("Name")), []).append(one)
    return found
