"""`nas transfer`: every arm with every seed under one recipe, judged once at the end, and reported
side by side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from nas.contracts import Json
from nas.errors import counted
from nas.exporting.choosing import Choice
from nas.exporting.export import Exported, export
from nas.exporting.known import usual_formats
from nas.exporting.weights import Weights, open_weights
from nas.full_size.body import Bodied, Finetuned, body_of, residual_body_of
from nas.full_size.controls import ResidualNetwork
from nas.full_size.judged_once import (
    claim,
    judged_once,
    refuse_other_settings,
    subject_of_training,
)
from nas.full_size.learning_curves import curves_svg
from nas.full_size.modes import Body, Finetuning, digest_of, finetuned, on_features
from nas.full_size.outlook import Leg
from nas.full_size.panel import panel_text
from nas.full_size.report import Row, report_text
from nas.full_size.retrain import spread
from nas.full_size.trainings import Job, Setting, Trained, job_of, trained
from nas.seeding import torch_rng
from nas.study.store import write_whole
from nas.training.checkpoint import read_weights
from nas.training.judging import TOP_5_NEEDS, Judgement
from nas.training.trainer import Data, Metrics
from search_spaces.cells.cost import Cost, cost, cost_of, network_on_meta
from search_spaces.cells.network import build_network
from search_spaces.cells.skeleton import Skeleton

Watch = Callable[[str, int, int, Metrics], None]  # arm, seed, epoch, metrics
SETTINGS_FILE, RESULT_FILE = "transfer.json", "result.json"


@dataclass(frozen=True, slots=True)
class Arm:
    """One network to train: a cell in a skeleton, or (no choice) a residual network of some width
    beside it."""

    name: str
    choice: Choice | None
    skeleton: Skeleton
    filters: int = 0
    score: float | None = None  # where the cell was searched; decides nothing
    of_panel: bool = False  # one of the cells of a file

    @property
    def identity(self) -> Json:
        """What decides its training."""
        drawn = None if self.choice is None else self.choice.genotype.to_dict()
        return {
            "name": self.name,
            "genotype": drawn,
            "skeleton": asdict(self.skeleton),
            "filters": self.filters,
        }

    @property
    def identity_of_weights(self) -> dict[str, Json]:
        """What weights of it belong to."""
        if self.choice is None:
            return {"name": self.name, "skeleton": asdict(self.skeleton), "filters": self.filters}
        return {"genotype": self.choice.genotype.to_dict(), "skeleton": asdict(self.skeleton)}

    @property
    def cost(self) -> Cost:
        """What its network costs."""
        if self.choice is not None:
            return cost(self.choice.genotype, self.skeleton)
        side = self.skeleton.image_size
        network = ResidualNetwork(self.filters, self.skeleton)
        return cost_of(network, (self.skeleton.channels, side, side))

    def untrained(self, generator: torch.Generator) -> Bodied:
        """Its network with weights drawn anew."""
        if self.choice is not None:
            return build_network(self.choice.genotype, self.skeleton, generator)
        return ResidualNetwork(self.filters, self.skeleton, generator)

    def on_meta(self) -> Bodied:
        """Its network without memory for its weights."""
        if self.choice is not None:
            return network_on_meta(self.choice.genotype, self.skeleton)
        with torch.device("meta"):
            return ResidualNetwork(self.filters, self.skeleton)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What is done with each arm.

    Args:
        mode: `scratch`, `features` or `finetune`.
        body: weights of the searched cell's body, where a mode needs one.
        pretraining: trains a body first, for every arm, where no weights were given.
        bodies: where these bodies are kept for other transfers too; None is beside the arm.
    """

    mode: str
    setting: Setting
    seeds: tuple[int, ...]
    finetuning: Finetuning
    body: Weights | None = None
    pretraining: Setting | None = None
    bodies: Path | None = None

    def name_of(self, arms: Sequence[Arm]) -> str:
        """What its folder is called where nobody says."""
        cell = next(arm.choice.name for arm in arms if arm.choice is not None)
        return f"{cell}-{self.setting.dataset_word}-{self.mode}"

    def identity(self, arms: Sequence[Arm]) -> dict[str, Json]:
        """What may not change between two starts; more seeds may join."""
        facts = {
            **self.setting.facts(),
            "mode": self.mode,
            "arms": [arm.identity for arm in arms],
            "body": None if self.body is None else digest_of(self.body.file),
            "pretraining": None if self.pretraining is None else self.pretraining.facts(),
            "finetuning": asdict(self.finetuning) if self.mode == "finetune" else None,
        }
        plain: dict[str, Json] = json.loads(json.dumps(facts))
        return plain


@dataclass(frozen=True, slots=True)
class Transferred:
    """What came of it: a row per arm, and the export of the first arm's best seed."""

    rows: tuple[Row, ...]
    report: Path
    weights: Path
    exported: Exported | None
    classes: int


def transfer(
    plan: Transfer,
    arms: Sequence[Arm],
    folder: Path,
    watch: Watch,
    formats: Sequence[str] | None = None,
) -> Transferred:
    """Train every arm, judge all of them on the test split once, report, export the first.

    Args:
        formats: of the export; None is all that can be written here, none is no export.
    """
    claim(folder, SETTINGS_FILE, plan.identity(arms))
    runs = {
        arm.name: [_run(plan, arm, seed, folder / arm.name, watch) for seed in plan.seeds]
        for arm in arms
    }
    tests = _tests(plan, arms, runs, folder)
    rows = [_row(arm, runs[arm.name], tests[arm.name]) for arm in arms]
    for arm in arms:
        curves = {run.seed: run.curve for run in runs[arm.name]}
        picture = curves_svg(f"{arm.name} on {Path(plan.setting.dataset.name).name}", curves)
        write_whole(folder / arm.name / "curves.svg", picture)
    together = list(panel_text(rows, [arm.name for arm in arms if arm.of_panel]))
    text = report_text(plan.mode, plan.setting, plan.seeds, rows, together)
    write_whole(folder / "README.md", text)
    first = max(runs[arms[0].name], key=lambda run: run.val_accuracy)
    formats = usual_formats() if formats is None else formats
    exported = (
        _exported(plan, arms[0], first, rows[0], folder / "best", formats) if formats else None
    )
    return Transferred(
        tuple(rows), folder / "README.md", first.file, exported, plan.setting.dataset.classes
    )


def legs(plan: Transfer, arms: Sequence[Arm], folder: Path) -> list[Leg]:
    """What `transfer` will train: bodies first, where they are trained; a folder of other settings
    is refused before anything is timed."""
    refuse_other_settings(folder, SETTINGS_FILE, plan.identity(arms))
    found = []
    for arm in arms:
        if plan.pretraining is not None:
            body = _for_pretraining(plan, arm)
            places = [_body_place(plan, body, seed, folder / arm.name) for seed in plan.seeds]
            found.append(_leg(body, f"{arm.name}, body", plan.pretraining, places))
        places = [folder / arm.name / f"seed-{seed}" for seed in plan.seeds]
        found.append(_leg(arm, arm.name, plan.setting, places, plan))
    return found


def _leg(
    arm: Arm, name: str, setting: Setting, places: Sequence[Path], plan: Transfer | None = None
) -> Leg:
    def make() -> nn.Module:
        network = arm.untrained(torch_rng(0, "outlook"))
        if plan is not None and plan.mode == "finetune":
            return Finetuned(network, plan.finetuning.open_cells)
        return network

    on_features = plan is not None and plan.mode == "features"
    return Leg(
        name=name,
        cost=arm.cost,
        make=None if on_features else make,
        setting=setting,
        folders=places,
    )


def _run(plan: Transfer, arm: Arm, seed: int, folder: Path, watch: Watch) -> Trained:
    place = folder / f"seed-{seed}"

    def heard(epoch: int, metrics: Metrics) -> None:
        watch(arm.name, seed, epoch, metrics)

    if plan.mode == "scratch":
        return _from_scratch(arm, plan.setting, seed, place, heard)
    body = _body(plan, arm, seed, folder, watch)
    if plan.mode == "features":
        return on_features(body, plan.setting, seed, place, heard)
    return finetuned(body, plan.setting, seed, place, heard, plan.finetuning)


def _from_scratch(
    arm: Arm, setting: Setting, seed: int, place: Path, heard: Callable[[int, Metrics], None]
) -> Trained:
    if arm.choice is not None:
        return trained(job_of(arm.choice.genotype, arm.skeleton, setting, seed, place, heard))
    facts = {**setting.facts(), **arm.identity_of_weights, "seed": seed}

    def make(_: Data) -> nn.Module:
        return arm.untrained(torch_rng(seed, "weights"))

    return trained(
        Job(make=make, facts=facts, setting=setting, seed=seed, folder=place, watch=heard)
    )


def _body(plan: Transfer, arm: Arm, seed: int, folder: Path, watch: Watch) -> Body:
    """An arm's body: with the weights given, or those of a training on other data with the same
    seed."""
    choice, skeleton, filters = arm.choice, arm.skeleton, arm.filters
    weights = plan.body or _pretrained(plan, arm, seed, folder, watch)

    def make(seed: int) -> Bodied:
        if choice is None:
            return residual_body_of(filters, weights, skeleton, seed)
        return body_of(choice, weights, skeleton, seed)

    return Body(weights, arm.identity_of_weights, make)


def _pretrained(plan: Transfer, arm: Arm, seed: int, folder: Path, watch: Watch) -> Weights:
    assert plan.pretraining is not None
    own = _for_pretraining(plan, arm)

    def heard(epoch: int, metrics: Metrics) -> None:
        watch(f"{arm.name}, body", seed, epoch, metrics)

    place = _body_place(plan, own, seed, folder)
    return open_weights(_from_scratch(own, plan.pretraining, seed, place, heard).file)


def _for_pretraining(plan: Transfer, arm: Arm) -> Arm:
    """The arm as its body is trained: on the other data."""
    assert plan.pretraining is not None
    data = plan.pretraining.dataset
    skeleton = replace(
        arm.skeleton, classes=data.classes, image_size=data.image_size, channels=data.channels
    )
    return replace(arm, skeleton=skeleton)


def _body_place(plan: Transfer, own: Arm, seed: int, folder: Path) -> Path:
    """Where a body is trained: beside its arm, or where other transfers find it too."""
    if plan.bodies is None or plan.pretraining is None:
        return folder / f"body-{seed}"
    marks = json.dumps([plan.pretraining.facts(), own.identity], sort_keys=True)
    key = hashlib.sha256(marks.encode()).hexdigest()[:12]
    return plan.bodies / f"{own.name}-{key}" / f"seed-{seed}"


def _tests(
    plan: Transfer, arms: Sequence[Arm], runs: dict[str, list[Trained]], folder: Path
) -> dict[str, list[Judgement]]:
    """What the test split says of every run; what was read once for the same runs is not read
    again."""
    marks = {name: [digest_of(run.file) for run in found] for name, found in runs.items()}
    file = folder / RESULT_FILE
    found = judged_once(
        file,
        belongs=lambda record: record.get("weights") == marks,
        tests=lambda record: [test for arm in arms for test in record["test"][arm.name]],
        networks=[
            partial(_network, arm, run, plan.setting) for arm in arms for run in runs[arm.name]
        ],
        setting=plan.setting,
    )
    rest = iter(found)
    tests = {arm.name: list(islice(rest, len(runs[arm.name]))) for arm in arms}
    plain = {name: [asdict(test) for test in part] for name, part in tests.items()}
    validation = {name: [run.val_accuracy for run in found] for name, found in runs.items()}
    record = {"weights": marks, "test": plain, "validation": validation, "seeds": list(plan.seeds)}
    write_whole(file, json.dumps(record, indent=2) + "\n")
    return tests


def _network(arm: Arm, run: Trained, setting: Setting) -> nn.Module:
    if arm.choice is not None:
        return subject_of_training(arm.choice, arm.skeleton, run, setting).network
    found = ResidualNetwork(arm.filters, arm.skeleton)
    found.load_state_dict(read_weights(run.file)[0])
    return found


def _row(arm: Arm, runs: Sequence[Trained], tests: Sequence[Judgement]) -> Row:
    spent = arm.cost
    values = {
        "validation": [run.val_accuracy for run in runs],
        "top_1": [test.top_1 for test in tests],
        "top_5": [test.top_5 for test in tests],
    }
    spreads = {
        name: value for kind, found in values.items() for name, value in spread(kind, found).items()
    }
    return Row(
        arm.name,
        arm.choice.genotype.key if arm.choice else "",
        spent.params,
        spent.macs,
        len(runs),
        spreads,
        arm.score,
    )


def _exported(
    plan: Transfer, arm: Arm, run: Trained, row: Row, folder: Path, formats: Sequence[str]
) -> Exported | None:
    if arm.choice is None:
        return None
    subject = subject_of_training(arm.choice, arm.skeleton, run, plan.setting)
    accuracy = {
        "validation": run.val_accuracy,
        f"test, top 1, mean of {counted(row.seeds, 'seed')}": row.spreads["top_1_mean"],
    }
    if plan.setting.dataset.classes >= TOP_5_NEEDS:
        accuracy[f"test, top 5, mean of {counted(row.seeds, 'seed')}"] = row.spreads["top_5_mean"]
    facts = {name: value for name, value in subject.trained.items() if name != "curve"}
    return export(replace(subject, trained={**facts, "accuracy": accuracy}), folder, formats)
