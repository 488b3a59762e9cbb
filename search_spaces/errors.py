"""The root of everything that is told to a user in one sentence."""

from collections.abc import Iterable
from difflib import get_close_matches


class NasError(Exception):
    """Something a user can mend: its text says what is wrong with which value, what was expected,
    what to do."""


class GenotypeError(NasError):
    """A text or record that is no genotype."""


class UnknownOpError(GenotypeError):
    """An operation that nobody knows here; the file that has it was perhaps not imported."""


class SpaceError(NasError):
    """A choice, an option or a genotype that does not belong to its space."""


class NetworkError(NasError):
    """A genotype and a skeleton that make no network together."""


def shortened(value: object, limit: int = 60) -> str:
    """How a value is quoted in an error: never longer than a glance."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def known_names(name: object, known: Iterable[str], kind: str) -> str:
    """The sentence for a name nobody knows: `no strategy is called 'pppo'; there are ... - did you
    mean 'ppo'?`."""
    names = sorted(known)
    close = get_close_matches(str(name)[:100], names, n=1) or get_close_matches(
        str(name)[:100].lower(), names, n=1
    )
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"no {kind} is called {shortened(name)}; there are {', '.join(names) or 'none'}{hint}"
