"""Read [source]: one source for every workload, and a source of its own for some of them.

A table such as [source.mail] is the source of that workload alone. It stands for itself: nothing of [source]
is taken over into it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationError, create_model
from pydantic_core import InitErrorDetails, PydanticCustomError

from connectors.catalogue.connector import Connector, named
from connectors.catalogue.entries import connectors, sources, targets
from connectors.server_settings import ServerSettings
from connectors.settings import Strict
from model.kinds import Kind

SOURCE = "source"
"""The side of the source that serves every workload without one of its own."""
WORKLOADS = frozenset(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True)
class Sources:
    """Hold where the workloads are read from.

    Attributes:
        whole: the source of every workload without one of its own; None if there is none.
        own: the sources of single workloads.
    """

    whole: ServerSettings | None
    own: Mapping[Kind, ServerSettings]

    def of(self, workload: Kind) -> ServerSettings | None:
        """Return the settings of a workload's source; None if it has none."""
        return self.own.get(workload, self.whole)

    def side(self, workload: Kind) -> str:
        """Return the table in which a workload's source is set: "source", or "source.mail"."""
        return side_of_own(workload) if workload in self.own else SOURCE

    def tables(self) -> dict[str, ServerSettings]:
        """Return the settings of each source by its side."""
        whole = {} if self.whole is None else {SOURCE: self.whole}
        return whole | {side_of_own(kind): settings for kind, settings in self.own.items()}

    def asked(self, workloads: Iterable[Kind]) -> dict[str, frozenset[Kind]]:
        """Return what each source is asked for these workloads, by side."""
        found: dict[str, frozenset[Kind]] = {}
        for kind in workloads:
            side = self.side(kind)
            found[side] = found.get(side, frozenset()) | {kind}
        return found

    def misfits(self, workloads: Collection[Kind]) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield place and advice of each table that does not fit the workloads that have a target.

        A file without tables of single workloads has none: what its source does not read stays empty.
        """
        for kind in self.own:
            if kind not in workloads:
                text = f"there is no [target.{kind}] that it could go to: give that, or remove this table"
                yield (SOURCE, kind.value), text
        for kind in workloads if self.own else ():
            settings = self.of(kind)
            if settings is None:
                text = f"is missing: [target.{kind}] needs it, as there is no [source] for all workloads"
                yield (SOURCE, kind.value), text
            elif kind not in connectors()[settings.kind].reads:
                yield (SOURCE, "kind"), f"{settings.kind} does not read {kind}: give [source.{kind}]"


def side_of_own(workload: Kind) -> str:
    """Return the side of a source that serves one workload alone."""
    return f"{SOURCE}.{workload}"


def target_of(workload: Kind, raw: object) -> Strict:
    """Return the settings of a workload's target: a validator.

    The model is imported only when the configuration names it: a command that uses no Exchange should not
    load its libraries.

    Raises:
        ValidationError: with every fault, each at its field.
    """
    return _model_of(raw, targets(workload), "write", workload).model_validate(raw)


def _model_of(
    raw: object,
    choices: Mapping[str, Connector],
    does: Literal["read", "write"],
    workload: Kind | None = None,
) -> type[Strict]:
    """Return the model that `kind` names.

    Raises:
        ValidationError: if it names none of the choices, which are those that do this with the workload.
    """
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if not isinstance(kind, str) or kind not in choices:
        known = connectors().get(kind) if isinstance(kind, str) else None
        why = "" if known is None else f"{_refusal(known, does, workload)}; "
        raise fault(("kind",), why + "give " + " or ".join(f'kind = "{name}"' for name in choices))
    model: type[Strict] = named(choices[kind].settings)
    return model


def _refusal(one: Connector, does: str, workload: Kind | None) -> str:
    """Return why a connector is none of those that read or write a workload."""
    if not (one.reads if does == "read" else one.writes):
        return f"{one.kind} can only be a {'target' if does == 'read' else 'source'}"
    return f"{one.kind} does not {does} {workload}"


def fault(place: tuple[str, ...], text: str) -> ValidationError:
    """Return the error of one field, with advice."""
    return faults([(place, text)])


def faults(found: Iterable[tuple[tuple[str, ...], str]]) -> ValidationError:
    """Return the error of several fields, each with advice."""
    details = [
        InitErrorDetails(type=PydanticCustomError("advice", "{text}", {"text": text}), loc=place, input=None)
        for place, text in found
    ]
    return ValidationError.from_exception_data("kogge.toml", details)


def read_sources(raw: object) -> Sources:
    """Return the sources of a table [source]: a validator.

    Raises:
        ValidationError: with every fault, each at its field.
    """
    if not isinstance(raw, dict) or not _is_of_tables(raw):
        _model_of(raw, sources(), "read")
    given: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
    kind = given.get("kind", "")
    found = model_of_source(kind).model_validate(given)
    own = {kind: settings for kind in Kind if (settings := getattr(found, kind.value)) is not None}
    if not kind:
        return Sources(None, own)
    rest = {name: value for name, value in given.items() if name not in WORKLOADS}
    return Sources(named(sources()[kind].settings).model_validate(rest), own)


def _is_of_tables(raw: Mapping[str, object]) -> bool:
    """Return True if a table [source] holds nothing but tables, as those of workloads are."""
    return bool(raw) and "kind" not in raw and all(isinstance(value, dict) for value in raw.values())


@cache
def model_of_source(kind: str) -> type[Strict]:
    """Return the model of the whole table [source].

    Args:
        kind: which connector [source] is for; "" if it has none, and holds tables of workloads alone.
    """
    base: type[Strict] = named(connectors()[kind].settings) if kind else Strict
    fields: dict[str, Any] = {workload.value: (_own_field(workload), None) for workload in Kind}
    return create_model(base.__name__, __base__=base, **fields)


def _own_field(workload: Kind) -> Any:
    return Annotated[Any, BeforeValidator(partial(_own_source, workload))] | None


def _own_source(workload: Kind, raw: object) -> Strict:
    """Return the settings of a source of one workload; a connector that does not read it is refused."""
    return _model_of(raw, sources(workload), "read", workload).model_validate(raw)
