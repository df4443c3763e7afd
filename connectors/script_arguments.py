"""Tell which commands have a shell, or another interpreter, run what stands in one of their arguments.

A command is started without a shell. Where the configuration names one itself, a name that somebody wrote
into the list of mailboxes must not stand in the text that it runs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

SCRIPT_OPTION = re.compile(r"-[A-Za-z]*[ceE]|--command|--eval|--execute")
"""The option after which a shell or another interpreter expects a script."""
REMOTE_SHELLS = frozenset({"ssh", "rsh", "su", "runuser"})
"""Programs that hand their arguments to a shell."""


def goes_to_remote_shell(command: Sequence[str], is_personal: Callable[[str], bool]) -> bool:
    """Return True if an argument that holds a person's name goes to a program that hands it to a shell.

    Args:
        command: a program and its arguments.
        is_personal: returns True for an argument that holds a person's name.
    """
    named = REMOTE_SHELLS.intersection(Path(argument).name for argument in command)
    return bool(named) and any(map(is_personal, command))


def is_run_as_script(command: Sequence[str], is_personal: Callable[[str], bool]) -> bool:
    """Return True if an argument that holds a person's name stands where an interpreter expects a script.

    The mark for the end of options may stand before the script.
    """
    words = [word for word in command if word != "--"]
    return any(
        SCRIPT_OPTION.fullmatch(option) and is_personal(script)
        for option, script in itertools.pairwise(words)
    )
