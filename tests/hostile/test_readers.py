"""What reads a stranger's mail, page, appointment or card takes no time that grows with the square of it."""

from __future__ import annotations

import pytest
from hostile.foreign_text import modules
from hostile.readers import GROUPS, cases
from hostile.readers_of import OURS, READERS, THROUGH_OTHERS
from hostile_runs import survives


def test_every_reader_of_foreign_text_is_known() -> None:
    known = [*READERS, *THROUGH_OTHERS, *OURS]
    assert len(known) == len(set(known))
    assert set(modules()) == set(known)


def test_mail_is_decoded_in_one_place() -> None:
    """A charset that a sender names goes through the list of charsets, and no header through the library."""
    calls = modules()
    decoding = {path for path, names in calls.items() if "decode" in names}
    assert decoding == {
        "connectors/imap/folders.py",
        "engine/config/file_errors.py",
        "kogge/terminal/options.py",
        "mappings/fields/charsets.py",
        "mappings/fields/mime_header.py",
    }
    assert not {"decode_header", "make_header"} & set().union(*calls.values())


def test_every_known_reader_gets_hostile_input() -> None:
    names = {name.partition(":")[0] for group in GROUPS for name, _ in cases(group)}
    assert set(READERS.values()) | set(THROUGH_OTHERS.values()) <= names


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", GROUPS)
def test_every_reader_is_linear_in_hostile_input(group: str) -> None:
    assert survives("hostile.readers", group)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", GROUPS)
def test_input_of_200_kb_takes_twice_as_long(group: str) -> None:
    assert survives("hostile.readers", group, "200000")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_mail_of_a_megabyte_takes_ten_times_as_long() -> None:
    """As anybody may send it."""
    assert survives("hostile.readers", "mails", "1000000")
