"""How runs in Prefect end that may not begin now, or not go on."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Failed

from model.errors import MigrationError, Transient
from reports.progress import LATER


def refused(error: MigrationError) -> State[Any]:
    """Of a run that may not begin."""
    if error.code in LATER:
        return Cancelled(name=LATER[error.code], message=str(error))
    return Failed(message=str(error))


def put_off(refusal: Transient, message: str) -> State[Any]:
    """Of a run that goes on another time. message: how far it came."""
    return Cancelled(name=LATER[refusal.code], message=f"{refusal}; {message}")
