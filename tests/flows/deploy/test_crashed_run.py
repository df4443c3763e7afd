"""A run that crashed says what happened and what to do, not what Prefect guesses."""

from __future__ import annotations

import pytest
from prefect._internal.infrastructure_exit_codes import get_infrastructure_exit_info

from flows.deploy.crashed_run import SAFE, crash_told, crashed_text
from flows.deploy.deployments import DEPLOYMENTS

PREFECTS = (
    "Process exited with status code: {code}. {explanation}",
    "Flow run infrastructure exited with non-zero status code {code}. {explanation}",
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
    told = crash_told(prefects.format(code=code, explanation=explanation), ["kogge", "batch"])
    assert told.startswith(cause)
    assert (explanation in told, "limit" in told) == (False, False)
    assert told.endswith(f"{SAFE}. Nothing to do: its wave sends what it left into a new batch")
    assert crash_told(told, ["kogge", "batch"]) == told, "said twice it is the same"


@pytest.mark.parametrize("kind", [one.name for one in DEPLOYMENTS])
def test_each_kind_of_run_says_what_to_do(kind: str) -> None:
    told = crash_told("its worker has died, and it tells nothing", ["kogge", kind, "wave:pilot"])
    assert told.startswith("its worker has died, and it tells nothing. ")
    assert ("locked out" in told) == (kind == "cutover")
    assert ("Start it again" in told) == (kind not in ("wave", "batch", "delta", "verify", "cutover"))


def test_why_a_process_could_not_start_is_for_the_workers_log() -> None:
    told = crash_told("Flow run could not start: [Errno 13] '/home/secret'", ["batch"])
    assert told.startswith("its process could not be started; the log of its worker says why. ")


def test_its_page_begins_with_its_name() -> None:
    text = crashed_text("wave pilot", "its worker has died, and it tells nothing", ["wave"])
    assert text.startswith(
        "## wave pilot crashed\n\nIts worker has died, and it tells nothing. Nothing is lost"
    )
