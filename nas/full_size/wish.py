"""From the words of a user to what a retraining or a transfer does; whatever can be refused is
refused here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.errors import NasError, known_names
from nas.exporting.choosing import Choice, choices, front_choices
from nas.exporting.weights import Weights
from nas.full_size.body import Finetuned
from nas.full_size.controls import check_controls, random_cell, resnet_width
from nas.full_size.data import DataWish, dataset_of_preset
from nas.full_size.fitting import Target
from nas.full_size.machine import Machine
from nas.full_size.modes import MODES, Finetuning
from nas.full_size.panel import members_of
from nas.full_size.presets import transfer_preset, transfer_recipe, transfer_skeleton
from nas.full_size.settings import changed, full_size
from nas.full_size.trainings import Place, Setting
from nas.full_size.transfer import Arm, Transfer
from nas.training.datasets import open_dataset
from nas.training.datasets import preset as known_preset
from nas.training.datasets._resized import resized
from search_spaces.cells.skeleton import Skeleton

_USUAL_PRESET = "cifar10-final"  # where neither a study nor a word says what to train on


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainWish:
    """What a user asks of a retraining.

    Args:
        preset: recipe and skeleton to begin with; None is the one that fits the dataset.
        top: how many of the best of a study.
        front: all on the front of a study with several objectives, in place of `top`.
        settings: of `skeleton` and `recipe`, on top of the preset.
    """

    data: DataWish = field(default_factory=DataWish)
    machine: Machine = field(default_factory=Machine)
    preset: str | None = None
    top: int = 1
    front: bool = False
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def retraining_of(source: str, wish: RetrainWish) -> tuple[Setting, list[tuple[Choice, Skeleton]]]:
    """What all trainings share, and the genotypes with their skeletons, the best first.

    A study says what its children learned from, and weights what they were trained on; else the
    preset's name does.
    """
    data = wish.data.filled(source)
    if data.dataset is None:
        data = data.of_weights(source)
    if data.dataset is None:
        data = replace(data, dataset=dataset_of_preset(wish.preset or _USUAL_PRESET))
    dataset = data.opened()
    preset = wish.preset or dataset.final
    given = (wish.settings.get("skeleton", {}), wish.settings.get("recipe", {}))
    if wish.front:
        found = front_choices(source, with_weights=False)
    else:
        found = choices(source, wish.top, with_weights=False)
    sized = [full_size(choice, dataset, preset, *given) for choice in found]
    setting = replace(wish.machine.setting(dataset, sized[0][1]), said=frozenset(given[1]))
    return setting, [(choice, sized[rank][0]) for rank, choice in enumerate(found)]


def usual_folder(entrants: Sequence[tuple[Choice, Skeleton]], setting: Setting) -> Path:
    """Where a training goes if nobody says so: one for each genotype on each dataset."""
    return Path("retrained") / f"{entrants[0][0].name}-{setting.dataset_word}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferWish:
    """What a user asks of a transfer, as words and numbers."""

    data: DataWish = field(default_factory=DataWish)
    machine: Machine = field(default_factory=Machine)
    preset: str = "fit"
    mode: str = "scratch"
    target_macs: int | None = None
    target_params: int | None = None
    within: float | None = None
    pretrain: str | None = None
    pretrain_size: int | None = None
    bodies: Path | None = None
    open_cells: int = 2
    pace: float = 0.1
    controls: tuple[str, ...] = ()
    cells: Path | None = None
    seeds: tuple[int, ...] = (0,)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def beside(self) -> bool:
        """Whether other networks stand beside the searched one."""
        return bool(self.controls) or self.cells is not None

    def of(self, part: str) -> Mapping[str, Any]:
        """What the user set of one part."""
        return self.settings.get(part, {})


def transfer_of(
    source: str, weights: Path | None, wish: TransferWish
) -> tuple[Transfer, list[Arm]]:
    """The plan of a transfer of what a word stands for, and its arms, the searched cell first.

    Args:
        weights: of the body, in place of those that lie with the source.
    """
    has_body = wish.mode != "scratch" and wish.pretrain is None
    size = wish.data.image_size or transfer_preset(wish.preset).image_size
    data = replace(wish.data, image_size=size).filled(source)  # its operations too, where trusted
    choice = choices(source, weights=weights, with_weights=has_body)[0]
    return planned(choice, replace(wish, data=data))


def planned(choice: Choice, wish: TransferWish) -> tuple[Transfer, list[Arm]]:
    """The plan, and the arms with the searched cell first."""
    if wish.mode not in MODES:
        raise NasError(known_names(wish.mode, MODES, "mode"))
    if not choice.genotype.cells:
        raise NasError("this genotype has choices and no cells, so there is no network to transfer")
    check_controls(list(wish.controls))
    if wish.bodies is not None and (wish.pretrain is None or wish.mode == "scratch"):
        raise NasError(
            "--bodies keeps what --pretrain trains: give both, with --mode features or finetune, "
            "or neither"
        )
    if wish.pretrain_size is not None and (wish.pretrain is None or wish.mode == "scratch"):
        raise NasError(
            "--pretrain-size is the side of the pictures that --pretrain trains a body on: give "
            "both, with --mode features or finetune, or neither"
        )
    transfer_preset(wish.preset)
    if wish.within is not None and not (wish.target_macs or wish.target_params or wish.beside):
        raise NasError(
            "--within says how close networks come to a cost: give --target-macs or "
            "--target-params, or arms to compare with --cells or --controls"
        )
    dataset = wish.data.opened()
    body = _body(choice, wish)
    recipe = changed(transfer_recipe(wish.preset, dataset), wish.of("recipe"))
    setting = wish.machine.setting(dataset, recipe)
    skeleton = _skeleton(choice, wish, setting, body)
    plan = Transfer(
        mode=wish.mode,
        setting=setting,
        seeds=wish.seeds,
        finetuning=Finetuning(wish.open_cells, wish.pace),
        body=body,
        pretraining=_pretraining(wish, skeleton, setting.place)
        if body is None and wish.mode != "scratch"
        else None,
        bodies=wish.bodies,
    )
    score = choice.origin.get("score")
    searched = Arm("searched", choice, skeleton, score=score if wish.cells else None)
    beside = Target(macs=_limit(wish, searched), within=wish.within)
    arms = [searched, *_panel(wish, plan, beside)]
    arms += _controls(choice, wish, plan, skeleton, beside)
    if wish.mode == "finetune":
        for arm in arms:  # here, not after hours of training bodies
            Finetuned(arm.on_meta(), wish.open_cells)
    return plan, arms


def _body(choice: Choice, wish: TransferWish) -> Weights | None:
    """The weights of the body; a training of one's own (`--pretrain`) takes their place."""
    if wish.mode == "scratch" or wish.pretrain is not None:
        return None
    if choice.weights is None:
        raise NasError(
            f"mode {wish.mode} needs a trained body: give its --weights, or --pretrain cifar10"
        )
    return choice.weights


def _skeleton(
    choice: Choice, wish: TransferWish, setting: Setting, body: Weights | None
) -> Skeleton:
    target = None
    if wish.target_macs is not None or wish.target_params is not None:
        target = Target(wish.target_macs, wish.target_params, wish.within)
    if body is not None and body.skeleton is not None:
        if target is not None or wish.of("skeleton"):
            raise NasError(
                "a trained body keeps the skeleton it was trained in: leave out --target-macs, "
                "--target-params and "
                "--set skeleton..., or use --mode scratch"
            )
        data = setting.dataset
        if body.skeleton.channels != data.channels:
            raise NasError(
                f"the body was trained on images of {body.skeleton.channels} channels, but "
                f"{data.name} has "
                f"{data.channels}; train another with --pretrain"
            )
        return replace(body.skeleton, classes=data.classes, image_size=data.image_size)
    return _sized(choice, wish, setting, target)


def _sized(choice: Choice, wish: TransferWish, setting: Setting, target: Target | None) -> Skeleton:
    return transfer_skeleton(choice, setting.dataset, wish.preset, wish.of("skeleton"), target)


def _pretraining(wish: TransferWish, skeleton: Skeleton, place: Place) -> Setting:
    assert wish.pretrain is not None
    size = wish.pretrain_size
    dataset = open_dataset(wish.pretrain, wish.data.data_dir, image_size=size)
    if size is not None:
        dataset = resized(dataset, size)
    if dataset.channels != skeleton.channels:
        raise NasError(
            f"{dataset.name} has images of {dataset.channels} channels, but the body needs "
            f"{skeleton.channels}; "
            "pretrain on other data"
        )
    recipe = changed(known_preset(dataset.preset, dataset).recipe, wish.of("pretrain"))
    return wish.machine.setting(dataset, recipe, place)


def _limit(wish: TransferWish, searched: Arm) -> int:
    """What arms may cost beside the searched network: as much as it does, or, where all have to
    come close to a target, as much as that."""
    if wish.within is not None and wish.target_macs is not None:
        return wish.target_macs
    return searched.cost.macs


def _panel(wish: TransferWish, plan: Transfer, target: Target) -> list[Arm]:
    """The cells of a file, each as wide as the target allows."""
    if wish.cells is None:
        return []
    _refuse_one_body(plan, "the cells of a file")
    arms = []
    for member in members_of(wish.cells):
        try:
            skeleton = _sized(member.choice, wish, plan.setting, target)
        except NasError as problem:
            raise NasError(f"{member.name} of {wish.cells}: {problem}") from problem
        arms.append(Arm(member.name, member.choice, skeleton, score=member.score, of_panel=True))
    return arms


def _refuse_one_body(plan: Transfer, which: str) -> None:
    if plan.body is not None:
        raise NasError(
            f"{which} have no trained body; train one for every arm with --pretrain, or use "
            "--mode scratch"
        )


def _controls(
    choice: Choice, wish: TransferWish, plan: Transfer, skeleton: Skeleton, target: Target
) -> list[Arm]:
    """A random cell and a residual network, each as wide as the target allows."""
    if not wish.controls:
        return []
    _refuse_one_body(plan, "controls")
    arms = []
    if "random-cell" in wish.controls:
        drawn = random_cell(choice, wish.seeds[0])
        arms.append(Arm("random-cell", drawn, _sized(drawn, wish, plan.setting, target)))
    if "resnet" in wish.controls:
        bare = replace(skeleton, auxiliary=False, alignment="same")
        arms.append(Arm("resnet", None, bare, resnet_width(bare, target)))
    return arms
