"""How every verb reads its words: like any command, but with an answer for genotypes that look like
options."""

from __future__ import annotations

import shlex
from typing import Any, final

from typer.core import TyperCommand

from nas.errors import NasError, shortened


@final
class Verb(TyperCommand):
    """A command; choices that begin with a minus are told apart from options that do not exist."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the words. The context is of typer's own click, or of click."""
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as problem:  # NoSuchOption, likewise
            unknown = str(getattr(problem, "option_name", ""))
            word = next((word for word in words if word.startswith(unknown)), unknown)
            if not unknown[1:2].isdigit():
                raise
            others = shlex.join(other for other in words if other != word)
            raise NasError(
                f"{shortened(word)} begins with a minus and was taken for an option; put it "
                "behind -- if it is none: "
                f"{ctx.command_path} {others}{' ' if others else ''}-- {shlex.quote(word)}"
            ) from problem
