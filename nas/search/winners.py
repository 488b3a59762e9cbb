"""The best of a study, or of a comparison; the genotype that a word stands for."""

from __future__ import annotations

from pathlib import Path

from nas.errors import StudyError, shell_word
from nas.search.confirmed import best_of
from nas.search.plan import Plan, read_study_json
from nas.search.reading import Ranked
from nas.study.places import is_comparison, is_searched, others_below, place_of
from nas.study.store import COMPARISON
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.reading import read_genotype
from search_spaces.cells.space import SearchSpace


def winners_of(folder: Path, top: int) -> list[tuple[Path, Ranked]]:
    """The best distinct genotypes of a study, or of the winners of a comparison, each with the
    study that judged it: those first that were judged again.

    They are ranked by the scores that chose them, never by a final: to take the best of many by the
    test split would spend it.
    """
    of_many = is_comparison(folder)
    if not of_many:
        read_study_json(folder)  # says what is wrong where there is no study
    found = _of_comparison(folder)[:top] if of_many else best_of(folder, top)
    if not found:
        again = resume_command(folder)
        raise StudyError(f"{folder} has no evaluated trial yet: continue it with `{again}`")
    return found


def genotype_at(source: str, space: SearchSpace | None = None, form: str = "auto") -> Genotype:
    """The genotype that a word stands for: of a folder the winner in it, else what can be read.

    Args:
        space: the one that plain choices belong to.
        form: which form a text must have; `auto` looks at it.
    """
    folder = place_of(source)
    if not folder.is_dir():
        return read_genotype(source, space, form)
    if is_searched(folder):
        ((_, best),) = winners_of(folder, 1)
        return Genotype.from_dict(best.asked["genotype"])
    drawing = folder / "genotype.json"
    if not drawing.is_file():
        raise StudyError(nothing_in(folder))
    return read_genotype(str(drawing), space, form)


def nothing_in(folder: Path, *others: str) -> str:
    """What to say of a folder in which no genotype is found.

    Args:
        others: files by which another folder below would do.
    """
    below = others_below(folder, "genotype.json", "study.json", COMPARISON, *others)
    return f"{folder} holds no study, no comparison and no genotype.json{below}"


def resume_command(folder: Path) -> str:
    """What must be typed to go on with what lies here."""
    if not is_comparison(folder):
        return Plan.read(folder).resume_command(folder)
    begun = _studies_in(folder)
    trust = " --trust" * any(Plan.read(study).needs_trust for study in begun)
    return f"nas resume {shell_word(str(folder))}{trust}"


def _of_comparison(folder: Path) -> list[tuple[Path, Ranked]]:
    studies = _studies_in(folder)
    if any("objectives" in read_study_json(study) for study in studies[:1]):
        raise StudyError(
            f"{folder} compares fronts, so it has no best of all: give the folder of one of its "
            f"studies, as {shell_word(str(studies[0]))}"
        )
    found = [(study, *best) for study in studies for best in best_of(study, 1)]
    found.sort(key=lambda one: (one[0] == one[1], -one[2].score))
    distinct: dict[str, tuple[Path, Ranked]] = {}
    for _, judge, best in found:
        distinct.setdefault(best.asked["key"], (judge, best))
    return list(distinct.values())


def _studies_in(comparison: Path) -> list[Path]:
    """The studies of a comparison that were begun, by arm and seed."""
    found = (path.parent for path in comparison.glob("*/seed-*/study.json"))
    return sorted(found, key=lambda study: (study.parent.name, len(study.name), study.name))
