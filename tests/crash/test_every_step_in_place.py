"""The same for items that are replaced in place: calendars and address books come out the same. A worker dies
after whatever lasts; in longer runs (soak) at every request and every commit, before and after its effect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from calendars import calendar_trial, cards_trial, edit_address_book, edit_calendar
from dying import die_everywhere
from walking import Trial

from ledger.db.rows import LegState

Make = Callable[[Path, int], Trial]


def calendars(directory: Path, items: int) -> Trial:
    return calendar_trial(directory, items)


def one_uid_an_account(directory: Path, items: int) -> Trial:
    """As Nextcloud and Open-Xchange have it; ETags that nobody told, and objects that are rewritten."""
    return calendar_trial(directory, items, scope="account", rewrites=True, tells=False)


def listed_in_part(directory: Path, items: int) -> Trial:
    """The target's listings leave out half of its objects."""
    return calendar_trial(directory, items, listed="k-[0-7]", scope="account", rewrites=True)


def enumerated(directory: Path, items: int) -> Trial:
    """The source lists everything every time."""
    trial = calendar_trial(directory, items)
    trial.mailbox.incremental = False
    return trial


def cards(directory: Path, items: int) -> Trial:
    return cards_trial(directory, items)


MAKES = (calendars, one_uid_an_account, listed_in_part, enumerated, cards)
CI = [
    pytest.param(calendars, False, id="first-run"),
    pytest.param(calendars, True, id="delta"),
    pytest.param(one_uid_an_account, True, id="delta-one-uid-an-account"),
    pytest.param(enumerated, True, id="delta-listing-source"),
    pytest.param(cards, True, id="delta-of-contacts"),
]


def die(directory: Path, make: Make, changed: bool, items: int, *, every: bool) -> int:
    def scene(where: Path) -> Trial:
        where.mkdir()
        trial = make(where, items)
        if changed:
            assert trial.run().state is LegState.VERIFIED
            (edit_address_book if make is cards else edit_calendar)(trial.mailbox)
        return trial

    return die_everywhere(directory, scene, every=every)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("make", "changed"), CI)
def test_dying_after_whatever_lasts_changes_nothing(quick_path: Path, make: Make, changed: bool) -> None:
    assert die(quick_path, make, changed, 2, every=False) > 25


@pytest.mark.soak
@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
@pytest.mark.parametrize("make", MAKES)
def test_dying_at_every_step_of_a_longer_run(quick_path: Path, make: Make, changed: bool) -> None:
    assert die(quick_path, make, changed, 12, every=True) > (70 if changed else 120)
