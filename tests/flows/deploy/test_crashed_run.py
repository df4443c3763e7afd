"""A run that crashed says what happened and what to do, not what Prefect guesses."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prefect._internal.infrastructure_exit_codes import get_infrastructure_exit_info
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed

from flows.deploy.crashed_run import SAFE, crash_message, crashed_text
from flows.deploy.deployments import DEPLOYMENTS
from flows.deploy.unbegun_waves import AGAIN, TIMES_MOST

PREFECTS = (
    "Process exited with status code: {code}. {explanation}",
    "Flow run infrastructure exited with non-zero status code {code}. {explanation}",
)
SILENT = "its worker has died, and it tells nothing"


def run_of(*tags: str, times: int = 0) -> FlowRun:
    """Return a run of a deployment, begun again so often in a row."""
    key = f"{AGAIN}{times}/{uuid4()}" if times else None
    return FlowRun(
        flow_id=uuid4(),
        deployment_id=uuid4(),
        name="wave pilot",
        tags=["kogge", *tags],
        idempotency_key=key,
        state=Crashed(message=SILENT),
    )


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (-9, "its process was killed (SIGKILL): "),
        (-15, "its process was ended from outside (SIGTERM): "),
        (-11, "its process was ended by SIGSEGV. "),
        (-99, "its process was ended by signal 99. "),
        (1, "its process ended by an error (exit code 1); "),
    ],
)
@pytest.mark.parametrize("prefects", PREFECTS)
def test_prefects_words_about_a_process_are_replaced(code: int, cause: str, prefects: str) -> None:
    explanation = get_infrastructure_exit_info(code).explanation
    batch = run_of("batch")
    told = crash_message(prefects.format(code=code, explanation=explanation), batch)
    assert told.startswith(cause)
    assert (explanation in told, "limit" in told) == (False, False)
    assert told.endswith(f"{SAFE}. Nothing to do: its wave sends what it left into a new batch")
    assert crash_message(told, batch) == told, "said twice it is the same"


@pytest.mark.parametrize("kind", [one.name for one in DEPLOYMENTS])
def test_each_kind_of_run_says_what_to_do(kind: str) -> None:
    told = crash_message(SILENT, run_of(kind, "wave:pilot"))
    assert told.startswith(f"{SILENT}. ")
    assert ("locked out" in told) == (kind == "cutover")
    assert ("Start it again" in told) == (kind not in ("wave", "batch", "delta", "verify", "cutover"))


@pytest.mark.parametrize("kind", ["wave", "delta", "verify"])
@pytest.mark.parametrize("times", range(TIMES_MOST + 1))
def test_what_no_worker_begins_again_is_for_a_person(kind: str, times: int) -> None:
    message = crash_message(SILENT, run_of(kind, times=times))
    last = times == TIMES_MOST
    assert ("Nothing to do" in message, "crashed 6 times in a row" in message) == (not last, last)
    assert message.endswith("start it again; it goes on where it stopped") == last


def test_a_wave_that_a_command_began_is_started_by_a_person() -> None:
    run = run_of("wave", "wave:pilot")
    run.deployment_id = None
    assert crash_message(SILENT, run).endswith("Start it again: it goes on where it stopped")


def test_why_a_process_could_not_start_is_for_the_workers_log() -> None:
    told = crash_message("Flow run could not start: [Errno 13] '/home/secret'", run_of("batch"))
    assert told.startswith("its process could not be started; the log of its worker says why. ")


def test_its_page_begins_with_its_name() -> None:
    text = crashed_text(run_of("wave"))
    assert text.startswith(
        "## wave pilot crashed\n\nIts worker has died, and it tells nothing. Nothing is lost"
    )
