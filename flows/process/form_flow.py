"""Make flows whose parameter is a form: it is written down without FastAPI, which takes long to load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from prefect import Flow
from prefect.client.schemas.objects import State
from pydantic import BaseModel

F = TypeVar("F", bound=BaseModel)
Run = Callable[[F], Awaitable[State[Any]]]


class FormFlow(Flow[[F], Any]):
    """Run a flow whose parameter is a model of pydantic, which writes itself down.

    For any other parameter Prefect has that done by FastAPI, in the same words.
    """

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters as JSON values."""
        if not all(isinstance(form, BaseModel) for form in parameters.values()):
            return super().serialize_parameters(parameters)
        return {name: form.model_dump(mode="json", by_alias=True) for name, form in parameters.items()}


def form_flow(name: str, run_name: str) -> Callable[[Run[F]], FormFlow[F]]:
    """Make the function below it a flow. Its result is not stored.

    Args:
        name: the flow's name.
        run_name: the name of its runs, with fields of the form.
    """

    def made(run: Run[F]) -> FormFlow[F]:
        return FormFlow(run, name=name, flow_run_name=run_name, persist_result=False)

    return made
