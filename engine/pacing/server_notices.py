"""Say what slows or stops a run from outside, for `kogge status` and Prefect: systems and numbers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby

from engine.config.load import Config
from engine.pacing.admission import UNWELL
from engine.planning.maintenance_windows import gate_of, next_opening_text
from ledger.plan.waves import Waves
from ledger.store import Ledger
from ledger.views.server_health import Health, newest
from model.errors import Misconfigured


def servers(rows: Iterable[Health]) -> list[dict[str, str | int | float]]:
    """Return how all workers together find each system.

    Returns:
        For each system its sums. `pace` is the mean of the workers', `seconds` the time of one call.
    """
    totals = []
    for system, group in groupby(sorted(rows, key=lambda row: row.system), key=lambda row: row.system):
        reports = list(group)
        calls = sum(row.calls for row in reports)
        seconds = sum(row.latency * row.calls for row in reports) / calls if calls else 0.0
        totals.append(
            {
                "system": system,
                "workers": len(reports),
                "legs": sum(row.legs for row in reports),
                "calls": calls,
                "errors": sum(row.errors for row in reports),
                "seconds": round(seconds, 3),
                "pace": round(sum(row.pace for row in reports) / len(reports), 3),
            }
        )
    return totals


def unwell(rows: Iterable[Health], causes: Mapping[str, str] | None = None) -> list[str]:
    """Return a line for each system that is asked for less than usual.

    Args:
        rows: the workers' reports.
        causes: the code of the newest fault by system; None if it is not known.
    """
    codes = causes or {}
    return [
        _line(server, codes.get(str(server["system"]))) for server in servers(rows) if server["pace"] != 1.0
    ]


def _line(server: dict[str, str | int | float], cause: str | None) -> str:
    pace = float(server["pace"])
    why = f"{UNWELL}: {cause}" if cause else UNWELL
    how = f"slowed to {100 * pace:.0f} %" if pace else f"halted ({why}), tried now and then"
    calls = f"{float(server['seconds']):.1f} s a call" if server["calls"] else "no call just now"
    failed = f", {server['errors']} of {server['calls']} failed" if server["errors"] else ""
    return f"{server['system']}: {how}, {calls}{failed}"


def notices(config: Config, ledger: Ledger, wave: str | None = None) -> list[str]:
    """Return lines about paused waves and about servers that are not well.

    Args:
        config: the configuration.
        ledger: the ledger.
        wave: the wave to report on, also if its maintenance window is closed; None for all paused waves.
    """
    return [*_waves(config, ledger, wave), *unwell(newest(ledger))]


def _waves(config: Config, ledger: Ledger, wave: str | None) -> list[str]:
    now = datetime.now(UTC)
    paused = [row.name for row in Waves(ledger).all() if row.paused]
    lines = []
    for name in paused if wave is None else [wave]:
        try:
            opening = gate_of(config, ledger, name)
        except Misconfigured as error:
            lines.append(error.advice)
            continue
        if opening.refusal(now) is not None:
            lines.append(next_opening_text(opening, now))
    return lines
