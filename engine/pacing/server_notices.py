"""What slows or stops a run from outside, in lines for `kogge status` and Prefect: systems, numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby

from engine.config.load import Config
from engine.pacing.admission import UNWELL
from engine.planning.maintenance_windows import gate_of, told
from ledger.plan.waves import Waves
from ledger.store import Ledger
from ledger.views.server_health import Health, newest
from model.errors import Misconfigured


def servers(rows: Iterable[Health]) -> list[dict[str, str | int | float]]:
    """How all workers together find each system. pace: their mean; seconds: of a call."""
    found = []
    for system, group in groupby(sorted(rows, key=lambda row: row.system), key=lambda row: row.system):
        told_by = list(group)
        calls = sum(row.calls for row in told_by)
        seconds = sum(row.latency * row.calls for row in told_by) / calls if calls else 0.0
        found.append(
            {
                "system": system,
                "workers": len(told_by),
                "legs": sum(row.legs for row in told_by),
                "calls": calls,
                "errors": sum(row.errors for row in told_by),
                "seconds": round(seconds, 3),
                "pace": round(sum(row.pace for row in told_by) / len(told_by), 3),
            }
        )
    return found


def unwell(rows: Iterable[Health], causes: Mapping[str, str] | None = None) -> list[str]:
    """A line for each system that is asked for less than usual. causes: the codes of their newest faults."""
    known = causes or {}
    return [
        _line(server, known.get(str(server["system"]))) for server in servers(rows) if server["pace"] != 1.0
    ]


def _line(one: dict[str, str | int | float], cause: str | None) -> str:
    pace = float(one["pace"])
    why = f"{UNWELL}: {cause}" if cause else UNWELL
    how = f"slowed to {100 * pace:.0f} %" if pace else f"halted ({why}), tried now and then"
    calls = f"{float(one['seconds']):.1f} s a call" if one["calls"] else "no call just now"
    failed = f", {one['errors']} of {one['calls']} failed" if one["errors"] else ""
    return f"{one['system']}: {how}, {calls}{failed}"


def notices(config: Config, ledger: Ledger, wave: str | None = None) -> list[str]:
    """Waves that are paused (of one that is named: also that it is not in its hours), and servers that are
    not well."""
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
            lines.append(told(opening, now))
    return lines
