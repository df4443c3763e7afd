"""`kogge completion`: a script with which a shell completes commands and options."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from kogge.terminal.options import echo

VARIABLE = "_KOGGE_COMPLETE"
"""A shell asks for completions by this variable of the environment."""


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="The shell: bash, zsh or fish.")
    ],
) -> None:
    """Prints a script that makes the Tab key complete commands and options in your shell.

    bash: kogge completion bash > ~/.local/share/bash-completion/completions/kogge

    zsh: kogge completion zsh > ~/.zfunc/_kogge, with fpath+=~/.zfunc before compinit in ~/.zshrc

    fish: kogge completion fish > ~/.config/fish/completions/kogge.fish

    Example: kogge completion bash
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script = get_completion_script(prog_name="kogge", complete_var=VARIABLE, shell=shell)
    echo(script)


def answer_shell() -> None:
    """Prepare the answer to a shell that asks for completions."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()
