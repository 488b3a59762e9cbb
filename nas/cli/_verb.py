"""How every verb reads its words and writes its lines: like any command, but with an answer for
genotypes that look like options, and so that names cannot steer a terminal."""

from __future__ import annotations

from typing import Any, final

from typer.core import TyperCommand

from nas.cli._stopping import stoppable
from nas.cli._terminal import harmless_streams
from nas.errors import NasError, shell_word, shortened


@final
class Verb(TyperCommand):
    """A command; choices that begin with a minus are told apart from options that do not exist."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb, so that it can be stopped and gone on with."""
        with harmless_streams(), stoppable():
            return super().invoke(ctx)

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
            others = " ".join(shell_word(other) for other in words if other != word)
            raise NasError(
                f"{shortened(word)} begins with a minus and was taken for an option; put it "
                "behind -- if it is none: "
                f"{ctx.command_path} {others}{' ' if others else ''}-- {shell_word(word)}"
            ) from problem
