"""Where the recorded samples lie, and CI says that everything is here, none of their tests may be skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import samples

ROOT = Path(__file__).parents[1]
MODULE = "tests/connectors/graph/test_graph_samples.py"


def skipped(*, xfail: bool = False) -> pytest.TestReport:
    report = pytest.TestReport("a", ("a", 0, "a"), {}, "skipped", ("a", 1, samples.ABSENT), "setup")
    if xfail:
        report.wasxfail = "known"
    return report


@pytest.fixture(params=["beside the project", "named"])
def there(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "BASE", tmp_path)
    monkeypatch.delenv(samples.VARIABLE, raising=False)
    if request.param == "named":
        monkeypatch.setenv(samples.VARIABLE, str(tmp_path))
    monkeypatch.setenv("KOGGE_REQUIRE_SERVICES", "1")


def test_a_skip_is_a_failure(there: None) -> None:
    report = skipped()
    samples.refuse_skip(report)
    assert report.failed
    assert samples.ABSENT in str(report.longrepr)


def test_an_expected_failure_is_none(there: None) -> None:
    report = skipped(xfail=True)
    samples.refuse_skip(report)
    assert report.skipped


def test_a_run_fails_where_a_folder_of_the_samples_is_absent(tmp_path: Path) -> None:
    """A whole run of one module, whose folder is not among the samples that are there."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", MODULE],
        cwd=ROOT,
        env={**os.environ, samples.VARIABLE: str(tmp_path), "KOGGE_REQUIRE_SERVICES": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "this test did not run" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]
    assert "passed" not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("promise", ["", "0"])
def test_elsewhere_it_stays_a_skip(there: None, monkeypatch: pytest.MonkeyPatch, promise: str) -> None:
    monkeypatch.setenv("KOGGE_REQUIRE_SERVICES", promise)
    report = skipped()
    samples.refuse_skip(report)
    assert report.skipped


def test_where_there_are_none_it_stays_a_skip(
    there: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(samples.VARIABLE, raising=False)
    monkeypatch.setattr(samples, "BASE", tmp_path / "absent")
    report = skipped()
    samples.refuse_skip(report)
    assert report.skipped
