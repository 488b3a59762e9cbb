"""The plan of a study: every setting with its default filled in, as it stands in `study.json`."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

from nas import registry
from nas.contracts import Evaluator, Runner, Strategy
from nas.errors import StudyError, shell_word, shortened
from nas.settings import Part
from nas.study import Budget, Rules
from nas.study.attempt import processor_name
from nas.study.events import (
    MOST_OBJECTIVES,
    Field,
    is_budget,
    is_count,
    is_number,
    is_numbers,
    is_table,
    is_text,
)
from nas.study.store import COMPARISON, write_whole
from search_spaces.cells import Decided
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:  # what only some studies have is loaded by those
    from nas.search.objectives import Objectives
    from nas.search.screening import Screen
    from nas.study.front import Scale

FORMAT = 1  # of study.json
_PACKAGES = ("torch", "optuna", "ray", "numpy", "pandas")
_IDENTITY = ("space", "strategy", "evaluator", "seed", "rules", "limits", "start_from")
_IF_SET = ("objectives", "screen", "fidelity", "learn_from")
_LARGEST_FILE = 64_000_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What makes a study the study it is; two plans with the same identity are one search."""

    space: Part
    strategy: Part
    evaluator: Part
    runner: Part
    seed: int = 0
    rules: Rules = field(default_factory=Rules)
    limits: Mapping[str, float] = field(default_factory=dict)
    start_from: tuple[Genotype, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)
    objectives: Objectives | None = None  # None: one score
    screen: Screen | None = None  # None: every proposal is tried
    fidelity: tuple[float, ...] | None = None  # None: only whole trainings
    scales: tuple[Scale, ...] | None = None  # of the objectives, fixed before the first trial
    learn_from: tuple[str, ...] = ()  # folders of older studies
    learnt: Mapping[str, Any] | None = None  # what was found there, fixed before the first trial
    decided: Decided = field(default_factory=dict)  # settings that genotypes choose

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that it names."""
        screens = () if self.screen is None else (self.screen.judge,)
        return (self.space, self.strategy, self.evaluator, self.runner, *screens)

    @property
    def needs_trust(self) -> bool:
        """Whether a command that reads this study from its file needs `--trust`."""
        return any(part.needs_trust or part.runs_command for part in self.parts)

    def identity(self) -> dict[str, Any]:
        """Everything that can change the outcome; the runner, the budget and what a budget buys
        are no part of it."""
        space = {**self.space.to_dict(), "fingerprint": self.make_space().fingerprint}
        if self.decided:
            space["settings"] = dict(self.decided)
        identity = {
            "space": space,
            "strategy": self.strategy.to_dict(),
            "evaluator": self.evaluator.to_dict(),
            "seed": self.seed,
            "rules": self._rules_of_identity(),
            "limits": dict(self.limits),
            "start_from": [genotype.to_dict() for genotype in self.start_from],
        }
        if self.objectives is not None:
            identity["objectives"] = self.objectives.to_dict()
        if self.screen is not None:
            identity["screen"] = self.screen.to_dict()
        if self.learn_from:
            identity["learn_from"] = list(self.learn_from)
        if self.fidelity is not None:
            identity["fidelity"] = self.fidelity
        plain: dict[str, Any] = json.loads(json.dumps(identity))
        return plain

    def _rules_of_identity(self) -> dict[str, Any]:
        """What a budget buys is no part of it; what came later is one where it says something."""
        rules = {name: rule for name, rule in asdict(self.rules).items() if name != "repeats"}
        if rules["evaluations_per_trial"] == 1:
            del rules["evaluations_per_trial"]
        return rules

    @property
    def fingerprint(self) -> str:
        """A short name for the identity."""
        return _fingerprint_of(self.identity())

    def default_folder(self) -> Path:
        """A folder of its own for each identity, so that the same command finds its study again."""
        words = (self.space.name, self.strategy.name, f"seed{self.seed}", self.fingerprint)
        return Path("results") / "-".join(
            word.replace(":", "-").replace(".", "-").replace("/", "-") for word in words
        )

    def resume_command(self, folder: Path) -> str:
        """What must be typed to go on with this study in its folder, on the runner it is on now."""
        trust = " --trust" * self.needs_trust
        return f"nas resume {shell_word(str(folder))}{trust}{self._other_runner(folder)}"

    def _other_runner(self, folder: Path) -> str:
        """The words for a runner that is not the one with which the study was begun."""
        begun = read_study_json(folder)["runner"]
        same = begun["name"] == self.runner.name
        known = {**self.runner.defaults(), **(begun["options"] if same else {})}
        words = [
            f" --set {shell_word(f'runner.{name}={value}')}"
            for name, value in self.runner.options.items()
            if value != known.get(name)
        ]
        return "".join([*([] if same else [f" --runner {shell_word(self.runner.name)}"]), *words])

    def retrain_command(self, folder: Path) -> str:
        """What must be typed to train its winner at full size."""
        return f"nas retrain {shell_word(str(folder))}{' --trust' * self.evaluator.needs_trust}"

    def make_space(self) -> SearchSpace:
        """The space itself."""
        return made_space(self.space, self.decided)

    def make_strategy(self, space: SearchSpace) -> Strategy:
        """A strategy that knows nothing yet."""
        options = self.strategy.checked(self.strategy.options)
        strategy: Strategy = self.strategy.factory(space, self.seed, **options)
        if self.screen is not None:
            from nas.search.screening import screened

            judge = _made_evaluator(self.screen.judge, space, self.screen.judge.options)
            strategy = screened(strategy, self.screen.judge.name, judge, self.screen.proposals)
        if self.fidelity is not None:
            from nas.search.fidelities import Halving

            strategy = Halving(strategy, self.fidelity)
        return strategy

    def make_evaluator(self, space: SearchSpace) -> Evaluator:
        """Who judges the trials of this study."""
        judge, times = self.make_judge(space), self.rules.evaluations_per_trial
        if times == 1:
            return judge
        from nas.evaluators._repeated import Repeated

        return Repeated(judge, times)

    def make_judge(self, space: SearchSpace) -> Evaluator:
        """The evaluator that was named, with what was measured before the first trial."""
        options = dict(self.evaluator.options)
        options.update({name: value for name, value in self.measured.items() if name in options})
        return _made_evaluator(self.evaluator, space, options)

    def make_runner(self) -> Runner:
        """The runner."""
        runner: Runner = self.runner.factory(**self.runner.checked(self.runner.options))
        return runner

    def write(self, folder: Path, budget: Budget, recorded: Mapping[str, Any]) -> None:
        """Write `study.json`, whole or not at all.

        Args:
            recorded: what the strategy says decides its proposals besides its options.
        """
        content = {
            "format": FORMAT,
            **self.identity(),
            "measured": dict(self.measured),
            "recorded": dict(recorded),
            "runner": self.runner.to_dict(),
            "budget": budget.to_dict(),
            "repeats": self.rules.repeats,
            "versions": versions(),
            "commit": commit(),
            "hardware": hardware(),
        }
        if self.objectives is not None:
            content["scales"] = self.scales
        if self.learnt is not None:
            content["learnt"] = dict(self.learnt)
        write_whole(folder / "study.json", json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path, *, trust: bool = False) -> Self:
        """The plan of the study in this folder.

        Args:
            trust: import whatever it names; else only what is ours, or was typed.
        """
        return cls.of(read_study_json(folder), folder / "study.json", trust=trust)

    @classmethod
    def of(cls, content: Mapping[str, Any], file: Path, *, trust: bool = False) -> Self:
        """The plan that this content of a file records."""
        from nas.search.old_options import renewed

        try:
            parts = {
                kind: Part.read(kind, renewed(kind, content[kind]), trust=trust)
                for kind in ("space", "strategy", "evaluator", "runner")
            }
            if trust and registry.is_outside("space", parts["space"].name):
                parts["space"].factory  # noqa: B018 - its operations are known from now on
            objectives, scales = _several_of(content)
            fidelity = content.get("fidelity")
            return cls(
                **parts,
                objectives=objectives,
                scales=scales,
                screen=_screen_of(content, trust=trust),
                fidelity=None if fidelity is None else tuple(fidelity),
                seed=content["seed"],
                rules=Rules(**content["rules"], repeats=content["repeats"]),
                limits=content["limits"],
                start_from=tuple(Genotype.from_dict(each) for each in content["start_from"]),
                learn_from=tuple(content.get("learn_from", ())),
                learnt=content.get("learnt"),
                decided=_decided_of(content["space"]),
                measured=content["measured"],
            )
        except (KeyError, TypeError, AttributeError, ValueError) as problem:
            raise StudyError(
                f"{file} lacks or misspells {problem}: it is no study of ours"
            ) from problem

    def with_runner(self, runner: Part) -> Self:
        """The same study, run elsewhere."""
        return replace(self, runner=runner)

    def with_measured(self, measured: Mapping[str, Any]) -> Self:
        """The same study, with what was measured before its first trial."""
        return replace(self, measured=dict(measured))


def made_space(part: Part, decided: Decided) -> SearchSpace:
    """The space, with a decision for each setting that has several values."""
    space: SearchSpace = part.factory(**part.checked(part.options))
    if not decided:
        return space
    from nas.search.decided import with_decided

    return with_decided(space, decided)


def _decided_of(space: Mapping[str, Any]) -> Decided:
    """The settings that a file names, with their values."""
    return {name: tuple(values) for name, values in space.get("settings", {}).items()}


def _made_evaluator(part: Part, space: SearchSpace, options: Mapping[str, Any]) -> Evaluator:
    needed = (space,) if _takes_space(part.factory) else ()
    evaluator: Evaluator = part.factory(*needed, **part.checked(options))
    return evaluator


def _several_of(
    content: Mapping[str, Any],
) -> tuple[Objectives | None, tuple[Scale, ...] | None]:
    """The objectives that a file names, and their scales; none where there is one score."""
    if content.get("objectives") is None:
        return None, None
    from nas.search.objectives import Objectives, scales_read

    scales = content.get("scales")
    known = None if scales is None else scales_read(scales)
    return Objectives.read(content["objectives"]), known


def _screen_of(content: Mapping[str, Any], *, trust: bool) -> Screen | None:
    """The screen that a file names; none where every proposal is tried."""
    if content.get("screen") is None:
        return None
    from nas.search.screening import Screen

    return Screen.read(content["screen"], trust=trust)


def _takes_space(factory: Callable[..., Any]) -> bool:
    """Whether an evaluator asks for the space; one that looks at genotypes alone need not."""
    kinds = {parameter.kind for parameter in inspect.signature(factory).parameters.values()}
    return bool(kinds - {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD})


def recorded_fingerprint(folder: Path) -> str:
    """The fingerprint of the settings that `study.json` records; nothing of them is loaded."""
    content = read_study_json(folder)
    several = {name: content[name] for name in _IF_SET if name in content}
    return _fingerprint_of({name: content.get(name) for name in _IDENTITY} | several)


def _fingerprint_of(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]


def read_study_json(folder: Path) -> dict[str, Any]:
    """The content of a study's `study.json`."""
    path = folder / "study.json"
    if not folder.is_dir():
        raise StudyError(
            f"there is no folder {shortened(str(folder))}: a study is a folder with study.json in "
            "it"
        )
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise StudyError(
                f"{path} is larger than {_LARGEST_FILE:,} bytes: it is no study of ours"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        from nas.study.places import others_below

        below = others_below(folder, "study.json", COMPARISON)
        raise StudyError(
            f"{folder} holds no study: there is no study.json in it{below}"
        ) from problem
    except OSError as problem:
        raise StudyError(f"{path} cannot be read: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        raise StudyError(f"{path} is not JSON in UTF-8: restore it from a copy") from problem
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise StudyError(
            f"{path} has format {shortened(found)}, but this version reads format {FORMAT}"
        )
    refuse_misfits(path, content, _FIELDS)
    return {"repeats": OLD_REPEATS, **content}


def refuse_misfits(path: Path, content: Mapping[str, Any], fields: Iterable[Field]) -> None:
    """Refuse a file in which one of these fields is of another kind."""
    for known in fields:
        if known.name in content and not known.fits(content[known.name]):
            raise StudyError(
                f"{path} has {shortened(content[known.name])} as {known.name!r}, expected "
                f"{known.expected}: restore it from a copy"
            )


def is_part(value: object) -> bool:
    """Whether it names a part and its options."""
    return (
        isinstance(value, dict)
        and is_text(value.get("name"))
        and is_table(value.get("options", {}))
        and is_text(value.get("fingerprint", ""))
        and _are_values(value.get("settings", {}))
    )


def _is_rules(value: object) -> bool:
    """Numbers, words and nothing else; which words there are, the rules say themselves."""
    return isinstance(value, dict) and all(
        limit is None or (is_text(limit) if name in _WORDS else is_number(limit))
        for name, limit in value.items()
    )


def _are_values(value: object) -> bool:
    """Whether it is a list of plain values for each name."""
    return isinstance(value, dict) and all(
        isinstance(each, list) and all(isinstance(one, bool | int | float | str) for one in each)
        for each in value.values()
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def is_scales(value: object) -> bool:
    """Whether it is a worst and a good value for each objective, or nothing."""
    return value is None or (
        isinstance(value, list)
        and 2 <= len(value) <= MOST_OBJECTIVES
        and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
        and all(is_number(limit) for pair in value for limit in pair)
    )


def _is_fidelity(value: object) -> bool:
    return (
        isinstance(value, list)
        and 2 <= len(value) <= 4
        and all(map(is_number, value))
        and value == sorted({*value})
        and value[0] > 0
        and value[-1] == 1
    )


_WORDS = ("duplicates", "stopped_as", "early_stop")
OLD_REPEATS = "charged"  # in studies begun before a budget of trials bought evaluations
_PART = "a part with a name and options"
_FIELDS = (
    *(Field(kind, is_part, _PART) for kind in ("space", "strategy", "evaluator", "runner")),
    Field("seed", is_count, "a whole number from 0"),
    Field("rules", _is_rules, "a table of rules"),
    Field("limits", is_numbers, "a table of numbers"),
    Field("start_from", lambda value: isinstance(value, list), "a list of genotypes"),
    Field("measured", is_table, "a table"),
    Field("learn_from", _are_texts, "a list of folders"),
    Field("learnt", is_table, "a table"),
    Field("objectives", is_table, "a table of formulas and scales"),
    Field("fidelity", _is_fidelity, "shares of a training, rising to 1"),
    Field("screen", is_table, "a table of a judge and how many proposals"),
    Field("scales", is_scales, "two or three pairs of numbers"),
    Field("recorded", is_table, "a table"),
    Field("budget", is_budget, "a budget of trials, seconds or hours"),
    Field("repeats", is_text, "free or charged"),
    Field("versions", is_table, "a table"),
    Field("hardware", is_table, "a table"),
    Field("commit", lambda value: value is None or is_text(value), "a text"),
)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], where: str = "") -> list[str]:
    """What differs between two identities, as `strategy.options.population: 100 here, 50 asked
    for`."""
    lines = []
    for name in sorted({*old, *new}):
        here, wanted = old.get(name), new.get(name)
        if isinstance(here, Mapping) and isinstance(wanted, Mapping):
            lines += differences(here, wanted, f"{where}{name}.")
        elif here != wanted:
            lines.append(f"{where}{name}: {shortened(here)} there, {shortened(wanted)} asked for")
    return lines


# ------------------------------------------------------------------ where numbers come from


@cache
def versions() -> dict[str, str | None]:
    """Python, ourselves and the packages that can change a search's outcome; None where one is not
    installed."""
    import nas

    found: dict[str, str | None] = {"python": platform.python_version(), "nas": nas.__version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


@cache
def commit() -> str | None:
    """The git commit of the source this runs from (with `+` when changed since), or None for an
    installed copy."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    revision = _git(root, "rev-parse", "HEAD")
    if revision is None:
        return None
    return revision + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


@cache
def hardware() -> dict[str, Any]:
    """The processor, its usable cores and the GPUs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": processor_name(),
        "cores": cores,
        "gpus": _gpu_names(),
        "system": platform.platform(terse=True),
    }


def _git(root: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _gpu_names() -> list[str]:
    """Asked of the driver's own tool unless torch is loaded: importing it takes longer than a table
    search."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    try:
        words = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.split("\n")[:-1]
