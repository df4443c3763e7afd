"""The commands of `kogge`: where each is defined, and what the list of commands says about it.

The list of commands is shown from this table alone. The module of a command is imported when that command is
asked for, so that a command which reads a small file need not load the libraries of all the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """Describe one command, or a group of commands.

    Attributes:
        where: `module:name` of its function, or of its `typer.Typer` if it is a group.
        purpose: the first paragraph of its help; a test compares both.
        panel: the heading below which the list of commands shows it.
    """

    where: str
    purpose: str
    panel: str


PREPARE, RUN, WATCH, DECIDE, PROVE = "Prepare", "Run", "Watch", "Decide", "Prove"

COMMANDS: Mapping[str, Entry] = {
    "init": Entry(
        "kogge.prepare.init:init",
        "Writes a commented kogge.toml and a mailboxes.csv to begin with. Never overwrites.",
        PREPARE,
    ),
    "check": Entry(
        "kogge.prepare.check:check",
        "Runs the preflight: opens both sides of every mailbox, proves whose it is, compares sizes.",
        PREPARE,
    ),
    "discover": Entry(
        "kogge.prepare.discover:discover",
        "Lists what the sources hold: how much, how large, what is odd, and what will not move and why.",
        PREPARE,
    ),
    "plan": Entry(
        "kogge.prepare.plan:group",
        "Makes waves: a small pilot, who shares calendars together, about the same hours each, with an "
        "estimate.",
        PREPARE,
    ),
    "keys": Entry(
        "kogge.prepare.keys:keys", "Makes and shows keys that sign approvals and evidence.", PREPARE
    ),
    "ledger": Entry("kogge.prepare.ledger:ledger", "Upgrades the ledger's schema.", PREPARE),
    "practice": Entry(
        "kogge.prepare.practice:practice",
        "Starts servers to practise on, and has their people work.",
        PREPARE,
    ),
    "completion": Entry(
        "kogge.prepare.completion:completion",
        "Prints a script that makes the Tab key complete commands and options in your shell.",
        PREPARE,
    ),
    "migrate": Entry(
        "kogge.run.migrate:migrate",
        "Moves a wave: plans it from mailboxes.csv, proves whose each mailbox is, copies, verifies.",
        RUN,
    ),
    "verify": Entry(
        "kogge.run.migrate:verify",
        "Compares both sides once more, with connections of its own; writes to neither.",
        RUN,
    ),
    "retry": Entry(
        "kogge.run.migrate:retry",
        "Sends blocked, waiting and differing mailboxes back into the queue; `kogge migrate` runs them.",
        RUN,
    ),
    "pause": Entry(
        "kogge.run.pause:pause",
        "Stops a wave between two batches within seconds, on every machine; nothing of it begins until "
        "resumed.",
        RUN,
    ),
    "resume": Entry(
        "kogge.run.pause:resume",
        "Ends a pause of a wave, and starts nothing: `kogge migrate` does, or its schedule. Recorded.",
        RUN,
    ),
    "cutover": Entry(
        "kogge.run.cutover:cutover",
        "Cuts mailboxes over: freeze hooks, the final delta, verification, score, release hooks, live.",
        RUN,
    ),
    "routes": Entry(
        "kogge.run.routes:routes",
        "Writes to which server a mail proxy sends each person: the old one, or after the cutover the new "
        "one.",
        RUN,
    ),
    "notify": Entry(
        "kogge.run.notify:notify",
        "Tells each person of a wave of their move by mail: before it, and after it with their own page.",
        RUN,
    ),
    "rollback": Entry(
        "kogge.run.rollback:rollback",
        "Takes back what Kogge wrote and no user has changed since, in any phase; looks first.",
        RUN,
    ),
    "give-back": Entry(
        "kogge.run.give_back:give_back",
        "Gives a person back to the source, wherever their cutover stopped: frozen, half released or live.",
        RUN,
    ),
    "repair": Entry(
        "kogge.run.repair:repair",
        "Compares what has moved with its source, and puts dates, flags or folders right in place.",
        RUN,
    ),
    "setup": Entry(
        "kogge.prepare.setup:setup",
        "Gets Prefect ready for workers: work pool, queues, deployments, schedules, automations.",
        RUN,
    ),
    "worker": Entry(
        "kogge.prepare.worker:worker",
        "Takes runs from the queues of Prefect and works until interrupted.",
        RUN,
    ),
    "server": Entry(
        "kogge.prepare.server:server",
        "Starts and stops the local Prefect server; prepares a larger one.",
        RUN,
    ),
    "status": Entry(
        "kogge.run.status:status",
        "Shows every mailbox: its phase, how far each workload is, time left and what needs a person.",
        WATCH,
    ),
    "metrics": Entry(
        "kogge.run.metrics:metrics",
        "Serves metrics of all waves for Prometheus until interrupted, read from the ledger.",
        WATCH,
    ),
    "failures": Entry(
        "kogge.run.failures:failures",
        "Lists every item that could not move or that the newest verification found to be wrong.",
        WATCH,
    ),
    "score": Entry(
        "kogge.audit.score:score",
        "Scores each mailbox and each wave: perfect, good, investigate or poor.",
        WATCH,
    ),
    "links": Entry(
        "kogge.prepare.links:links",
        "Lists links into OneDrive and SharePoint in what moved: each with its file's new place, or why not.",
        WATCH,
    ),
    "show": Entry(
        "kogge.run.show:show",
        "Shows everything about one mailbox: proof, phase, workloads, errors with advice, losses, decisions.",
        WATCH,
    ),
    "settings": Entry(
        "kogge.run.settings:settings",
        "Shows one person's rules, replies, working hours and rights, as both sides have them now.",
        WATCH,
    ),
    "explain": Entry(
        "kogge.run.explain:explain",
        "Explains a code: what it means, why it happens, what to do, and where it is documented.",
        WATCH,
    ),
    "who": Entry(
        "kogge.approve.decisions:who",
        "Resolves a random id to its accounts, or an address to its id. The question itself is recorded.",
        WATCH,
    ),
    "log": Entry(
        "kogge.run.log:log",
        "Shows who decided what and when, oldest first: approvals, phases, cutovers, questions, retries.",
        WATCH,
    ),
    "approve": Entry(
        "kogge.approve.decisions:approve",
        "Approves a wave's plan, or takes responsibility for what Kogge will not decide alone (CODE).",
        DECIDE,
    ),
    "approvals": Entry(
        "kogge.approve.approve:approvals",
        "Lists who approved a wave's plan, and whether each approval counts; checks every signature.",
        DECIDE,
    ),
    "approve-settings": Entry(
        "kogge.approve.approve_settings:approve_settings",
        "Shows what the ledger holds its configurations to, and agrees to one that asks for less.",
        DECIDE,
    ),
    "phase": Entry(
        "kogge.approve.decisions:phase",
        "Moves mailboxes to a phase: staging (no user works at the target), frozen (the final delta), live.",
        DECIDE,
    ),
    "report": Entry(
        "kogge.audit.report:report",
        "Writes a report of a wave: what was promised, and what became of it.",
        PROVE,
    ),
    "audit": Entry("kogge.audit.audit:audit", "Seals, shows and checks the evidence of a wave.", PROVE),
}
