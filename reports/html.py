"""The pages of a report: one of a wave, one for each of its people.

Each is a single file of HTML that asks nothing of the network, and is read without scripts.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from mappings.losses.severity import Class
from reports import everyday
from reports import text_blocks as story
from reports.charts import Charts, speeds
from reports.data import Fate, MailboxReport, WaveReport, arrived, awaited, totals
from reports.i18n import HOME, Wording
from reports.loss_groups import loss_groups
from reports.own_folders import OwnFolders

SECTIONS = (
    "promises", "attention", "failures", "losses", "fates", "left", "score", "course", "boxes", "decisions",
    "evidence", "notes", "engineer",
)  # fmt: skip
"""Each has a template of its own, wave_NAME.html, and words of its own."""
FOLDED = frozenset(
    {"fates", "left", "score", "course", "boxes", "decisions", "evidence", "notes", "engineer"}
)
"""Sections that a reader unfolds: what is behind the first ones."""
BOXES_MOST = 500
"""Mailboxes that a page lists one by one."""
ALWAYS = (Fate.MIGRATED, Fate.TRANSFORMED, Fate.SKIPPED, Fate.FAILED)
"""Columns that are shown even where there is nothing in them."""
CODE = re.compile(r"`([^`]+)`")
AFTER_NUMBER = re.compile(r"(?<=\d) (?=\w)")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HOME),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"coded": coded, "glued": glued, "quoted": shlex.quote}
    environment.globals |= {
        "arrived": arrived,
        "awaited": awaited,
        "version": version("kogge"),
        # Ours, and without a character that HTML would read.
        "css": Markup((HOME / "page.css").read_text(encoding="utf-8")),  # noqa: S704
    }
    return environment


def glued(words: str) -> str:
    """Return the words so that no line ends between a number and what it counts."""
    return AFTER_NUMBER.sub("\N{NO-BREAK SPACE}", words)


def coded(words: str) -> Markup:
    """Return the text with `words` between backticks as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(words))))  # noqa: S704  (escaped before)


def wave_page(report: WaveReport, text: Wording) -> str:
    """Return the page of a wave."""
    charts = Charts(text)
    total = report.fates
    unscored = sum(box.score is None for box in report.boxes)
    failures = totals(box.failures for box in report.boxes)
    attention = story.attention(report, text)
    return _rendered(
        "wave.html",
        text,
        report=report,
        sections=SECTIONS,
        folded=FOLDED,
        gists=story.gists(report, text),
        headline=story.headline(report, text),
        figures=story.figures(report, text),
        promises=story.promises(report, text),
        fates=tuple(Fate),
        shown=[fate for fate in Fate if fate in ALWAYS or total[fate]],
        total=total,
        workloads=report.by_workload(),
        ratings={**{str(name): count for name, count in report.score.distribution.items()}, "none": unscored},
        course=list(zip(report.beats, [None, *speeds(report.beats)], strict=False)),
        losses=loss_groups(report.boxes),
        classes=tuple(Class),
        failures=failures,
        left=story.left_rows(report, text),
        decide=story.decided_by_somebody(report),
        unasked=sum(not box.asked for box in report.boxes),
        attention=attention,
        advice=story.advised(attention, failures, text),
        boxes=report.boxes[:BOXES_MOST],
        charts={
            "flow": charts.flow(total),
            "scores": charts.scores(report),
            "progress": charts.progress(report.beats),
            "throughput": charts.throughput(report.beats),
            "pace": charts.pace(report.beats),
        },
    )


def person_page(report: WaveReport, box: MailboxReport, text: Wording, own: OwnFolders | None = None) -> str:
    """Return the page for the person whose mailbox it is. It has nothing of another person.

    Args:
        report: of the wave.
        box: the mailbox.
        text: the language.
        own: the mailbox's folders, for a page that is for its owner alone.
    """
    changes = everyday.changes(box.losses)
    to_do = [one for one in changes if text.has(f"change.{one.name}.do")]
    return _rendered(
        "person.html",
        text,
        report=report,
        box=box,
        own=own,
        fates=box.fates,
        how="-copied" if box.only_copied else "",
        greeting=story.greeting(box, text),
        situation=story.situation(box, text),
        unread=sum(part.unread for part in box.parts),
        due=awaited(box.fates) - box.fates[Fate.TAKEN_BACK],
        still=box.fates[Fate.OPEN],
        refusals=everyday.refusals(box.failures),
        stays=everyday.stays([*box.skips, *box.omitted]),
        changes=changes,
        to_do=to_do,
        other=[one for one in changes if one not in to_do],
        details=everyday.details(box.losses),
    )


def _rendered(name: str, text: Wording, **facts: Any) -> str:
    """Render a template. The page says so if a sentence on it is in another language."""
    template = _environment().get_template(name)
    page = template.render(t=text, untranslated=False, **facts)
    return template.render(t=text, untranslated=True, **facts) if "<span lang=" in page else page
