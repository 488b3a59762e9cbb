"""Judges a network that was never trained, by a proxy on one batch of training pictures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from nas import registry
from nas.contracts import Evaluation, Evaluator, Json, Report
from nas.evaluators.train import child_settings, refuse_misfits, seen_at
from nas.seeding import numpy_rng, torch_rng
from nas.training.datasets import Images, open_dataset, share
from search_spaces.cells.decided_settings import skeleton_of
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas.evaluators.proxies import Proxy as Function
    from nas.training.computation import Computation
    from search_spaces.cells.skeleton import Skeleton


@final
class Proxy(Evaluator):
    """A number that costs no training (`nas list proxies`). What it is worth in a space and on a
    dataset, `nas audit` tells; none of them is known to find good cells everywhere.

    Args:
        proxy: a name of `nas list proxies`.
        dataset: a name of `nas list datasets`, `image-folder:DIR` or `my_pkg.my_file:MyDataset`.
        preset: the skeleton to begin with; the dataset's own where nothing is said.
        data_dir: where the dataset's files lie.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        threads: processor threads of one judgement.
        skeleton: settings of the skeleton that differ from the preset.
        batch: pictures that are looked at.
        batch_seed: which ones; all children see the same.
        image_size: of an image folder, where it should not be inferred.
        skip_corrupt: leave out the pictures of an image folder that cannot be decoded.
    """

    cheap = True
    stands_in = True
    heeds = ("skeleton",)

    device: str

    def __init__(
        self,
        space: SearchSpace,
        *,
        proxy: str = "grasp",
        dataset: str = "digits",
        preset: str | None = None,
        data_dir: str | None = None,
        device: str = "auto",
        threads: int = 1,
        skeleton: dict[str, Any] | None = None,
        batch: int = 64,
        batch_seed: int = 0,
        image_size: int | None = None,
        skip_corrupt: bool = False,
    ) -> None:
        super().__init__(space)
        self._proxy: Function = registry.load("proxy", proxy)
        self.dataset = open_dataset(
            dataset, data_dir, image_size=image_size, skip_corrupt=skip_corrupt
        )
        self.skeleton, _ = child_settings(self.dataset, space.name, preset, skeleton or {}, {})
        refuse_misfits(space, self.skeleton, None)
        self._batch = batch
        self._batch_seed = batch_seed
        self.device = device
        self._threads = threads
        self._data_fingerprint: str | None = None

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Draw the child's weights from the seed, and ask the proxy."""
        del workdir, report
        from nas.evaluators.proxies import Untrained

        began, computation = time.perf_counter(), self._computation()
        skeleton = skeleton_of(genotype, self.skeleton)

        def build() -> nn.Module:
            network = self.space.build(genotype, skeleton, torch_rng(seed, "weights"))
            return network.to(computation.torch_device).train()

        with computation.active():
            pictures = self._pictures(computation, skeleton)
            child = Untrained(genotype, skeleton, build, *pictures, seed)
            score = float(self._proxy(child))
        metrics = {**self.costs(genotype), **self.settle()}
        return Evaluation(score, metrics, time.perf_counter() - began)

    def costs(self, genotype: Genotype) -> Mapping[str, float]:
        """Parameters and multiply-adds of the child."""
        from search_spaces.cells.cost import params_and_macs

        return params_and_macs(genotype, skeleton_of(genotype, self.skeleton))

    def shared(self) -> dict[str, Images]:
        """The images that the batch is drawn from."""
        return {"train": self.dataset.load("train")}

    def take_shared(self, shared: dict[str, Images]) -> None:
        """See these images instead of reading them again."""
        share(self.dataset, shared)

    def measured(self) -> Mapping[str, Json]:
        """The fingerprint of the data."""
        if self._data_fingerprint is None:
            self._data_fingerprint = self.dataset.fingerprint
        return {"data": self._data_fingerprint}

    def settle(self, known: Sequence[Mapping[str, Json]] = ()) -> Mapping[str, Json]:
        """The device; everything else was asked for."""
        from nas.study.attempt import hardware_of

        del known
        device = self._computation().device
        return {"hardware": hardware_of(device), "device": device}

    def _computation(self) -> Computation:
        from nas.training.computation import Computation, chosen_device

        return Computation(chosen_device(self.device), self._threads, layout="contiguous")

    def _pictures(
        self, computation: Computation, skeleton: Skeleton | None = None
    ) -> tuple[Tensor, Tensor]:
        """The batch: images and labels, the same for every child of this size of pictures."""
        from nas.training.augment import Source
        from nas.training.recipe import Recipe

        train = seen_at(self.dataset, skeleton or self.skeleton).load("train")
        order = numpy_rng(self._batch_seed, "proxy", "batch").permutation(len(train))
        few = train.at(order[: self._batch])
        source = Source(
            few, self.dataset.mean, self.dataset.std, Recipe(), computation.torch_device
        )
        images, labels = source.plain(0, len(few))
        return images.contiguous(), labels
