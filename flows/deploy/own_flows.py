"""The flows that a worker may run, by our own table: what Prefect says of a flow is compared with it."""

from __future__ import annotations

import importlib
from typing import Any

from prefect import Flow

from flows.deploy.deployments import DEPLOYMENTS
from model.errors import Misconfigured

ENTRYPOINTS = frozenset(one.entrypoint for one in DEPLOYMENTS)


def own_entrypoint(named: str | None) -> str:
    """Return the entry point that somebody named. Raises Misconfigured where it is none of ours."""
    if named not in ENTRYPOINTS:
        raise Misconfigured("deployment", "its entrypoint is none of Kogge's flows; run `kogge setup`")
    return str(named)


def flow_of(entrypoint: str | None) -> Flow[..., Any]:
    """Return one of our flows. Raises Misconfigured for any other."""
    module, _, name = own_entrypoint(entrypoint).rpartition(".")
    found: Flow[..., Any] = getattr(importlib.import_module(module), name)
    return found
