"""Say what slows or stops a run from outside, for `kogge status` and Prefect: systems and numbers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from connectors.imap.wire.pipelining import PIPELINING
from engine.config.load import Config
from engine.pacing.server_names import UNWELL, endpoint_of, sides_of
from engine.planning.maintenance_windows import gate_of, next_opening_text
from ledger.plan.waves import Waves
from ledger.store import Ledger
from ledger.views.server_health import Health, newest
from model.errors import Misconfigured

if TYPE_CHECKING:
    from engine.pacing.admission import Trouble


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


def trouble_lines(troubles: Mapping[str, Trouble]) -> list[str]:
    """Return a line for each system that does not answer, or has not since its newest fault.

    Args:
        troubles: see Admission.troubles.
    """
    return [f"{system}: {_trouble(trouble)}" for system, trouble in sorted(troubles.items())]


def _trouble(trouble: Trouble) -> str:
    silent = f"no answer for {trouble.seconds:.0f} s"
    if trouble.code is None:
        return silent
    return f"{trouble.code}, {silent if trouble.seconds else 'tried again'}"


def hosts_of(config: Config) -> dict[str, str]:
    """Return the host and port of each system, for the screen of whoever runs a command.

    Neither Prefect nor a log is told: they name systems alone.
    """
    named: dict[str, str] = {}
    for kind in config.workloads:
        named |= {system: endpoint_of(settings) for system, settings in sides_of(config, kind).items()}
    return {system: endpoint for system, endpoint in named.items() if endpoint}


def with_host(line: str, hosts: Mapping[str, str]) -> str:
    """Return the line of a system with its host after its name.

    Args:
        line: begins with a system and a colon; any other line stays as it is.
        hosts: see hosts_of.
    """
    system, colon, rest = line.partition(":")
    return f"{system} ({hosts[system]}):{rest}" if colon and system in hosts else line


def one_at_a_time_lines(config: Config) -> list[str]:
    """Return a line for each system to which this process sends one command at a time."""
    alone = PIPELINING.alone()
    hosts = hosts_of(config) if alone else {}
    return [
        f"{system}: does not take several commands at once; it is asked one at a time, which is slower"
        for system, host in sorted(hosts.items())
        if host in alone
    ]


def rate_limit_lines(waits: Mapping[str, float]) -> list[str]:
    """Return a line for each system whose rate limit is waited for.

    Args:
        waits: until when, in seconds since 1970, by system.
    """
    return [
        f"{system}: waits for its rate limit until {clock_time(until)}"
        for system, until in sorted(waits.items())
    ]


def clock_time(moment: float) -> str:
    """Return the hour and minute of a moment, rounded up, in this machine's time zone."""
    return datetime.fromtimestamp(-(-moment // 60) * 60).astimezone().strftime("%H:%M")


def _rate_limited(config: Config) -> dict[str, float]:
    """Return until when any worker waits, by system, as the ledger knows it."""
    sides = [side for kind in config.workloads for side in sides_of(config, kind).items()]
    limited = [(system, settings) for system, settings in sides if getattr(settings, "limit", None)]
    if not limited:
        return {}
    from engine.pacing.shared_budget import waits_until

    waits = ((system, waits_until(config, settings)) for system, settings in limited)
    return {system: until for system, until in waits if until is not None}


def notices(config: Config, ledger: Ledger, wave: str | None = None) -> list[str]:
    """Return lines about paused waves, servers that are not well, and rate limits that are waited for.

    Args:
        config: the configuration.
        ledger: the ledger.
        wave: the wave to report on, also if its maintenance window is closed; None for all paused waves.
    """
    limited = rate_limit_lines(_rate_limited(config))
    return [*_waves(config, ledger, wave), *unwell(newest(ledger)), *limited]


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
