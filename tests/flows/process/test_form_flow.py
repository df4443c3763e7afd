"""A flow that takes a form writes it down as Prefect would, and without FastAPI."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import BaseModel

from flows.cutover import CutoverParameters
from flows.process.form_flow import form_flow
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters

FORMS = (
    WaveParameters(wave="pilot", mailboxes=["m-1"], workloads=["mail", "tasks"], dry_run=True, level="both"),
    VerifyParameters(wave="pilot", level="counts"),
    BatchParameters(wave="pilot", mailboxes=["m-1", "m-2"], number=2, of=3, rest=True),
    CutoverParameters(wave="pilot"),
)


async def run(parameters: BaseModel) -> State[Any]:
    return Completed()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: type(form).__name__)
def test_it_writes_what_prefect_writes(form: BaseModel) -> None:
    ours = form_flow("ours", "ours {parameters.wave}")(run)
    assert ours.serialize_parameters({"parameters": form}) == Flow(run).serialize_parameters(
        {"parameters": form}
    )


def test_what_is_no_form_is_written_by_prefect() -> None:
    ours = form_flow("ours", "ours")(run)
    given = {"parameters": {"since": object, "number": 1}}
    assert ours.serialize_parameters(given) == Flow(run).serialize_parameters(given)


WRITTEN = """
import sys
from flows.migrate import batch, verify, wave
from flows.process.parameters import WaveParameters
print(wave.serialize_parameters({"parameters": WaveParameters(wave="pilot")})["parameters"]["wave"])
heavy = ("fastapi", "exchangelib", "caldav", "webdav3", "msal", "icalendar", "lxml", "mappings.registry")
print([name for name in heavy if name in sys.modules])
"""


def test_a_wave_is_begun_without_fastapi_a_connector_or_a_mapping() -> None:
    done = subprocess.run([sys.executable, "-c", WRITTEN], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["pilot", "[]"]
