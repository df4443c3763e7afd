"""Refuse an option that is given twice where one value is taken: the first would be dropped silently."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperOption


class GivenOnceCommand(TyperCommand):
    """Take each option once, unless it may be repeated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line.

        Raises:
            UsageError: an option that takes one value has two, or the words are wrong in another way.
        """
        if not ctx.resilient_parsing:
            _, _, given = self.make_parser(ctx).parse_args(args=list(args))
            for option, times in Counter(given).items():
                if times > 1 and isinstance(option, TyperOption) and not (option.multiple or option.is_flag):
                    ctx.fail(f"{option.opts[0]} is given {times} times, and takes one value.")
        return super().parse_args(ctx, args)
