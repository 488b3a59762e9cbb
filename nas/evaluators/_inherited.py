"""Weights that a child begins with, taken out of a supernet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from nas.errors import SettingsError, shortened
from nas.evaluators._supernet_files import record_of, weights_of, without_noise
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.training.shared_weights import SharedWeights

Arrays = Mapping[str, np.ndarray]


@final
class Inherited:
    """The shared weights in a folder of `nas supernet`, of this space and skeleton."""

    def __init__(self, folder: str, space: SearchSpace, skeleton: Skeleton) -> None:
        self._folder = Path(folder)
        self._record = record_of(self._folder, space)
        self._shared: SharedWeights | None = None
        asked = dataclasses.asdict(without_noise(skeleton))
        other = [name for name, value in asked.items() if self._record["skeleton"][name] != value]
        if other:
            there = shortened(self._record["skeleton"][other[0]])
            raise SettingsError(
                f"{folder} is a supernet with {other[0]} {there}, and children here have "
                f"{shortened(asked[other[0]])}, so they cannot inherit: give them its skeleton, or "
                "make another with `nas supernet`"
            )

    @property
    def digest(self) -> str:
        """The fingerprint of the weights."""
        return str(self._record["weights"])

    def put_into(self, network: nn.Module) -> None:
        """Give a child its part of the weights. What children do not share (an auxiliary head) and
        batch norms' statistics stay as they were drawn."""
        import torch

        weights = self._weights().of(network)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if not name.startswith("auxiliary."):
                    parameter.copy_(weights[name])

    def arrays(self) -> Arrays:
        """The weights, for a worker that does not see the folder."""
        tensors = self._weights().tensors
        return {key: tensor.detach().numpy() for key, tensor in tensors.items()}

    def take(self, arrays: Arrays) -> None:
        """Use these instead of reading them."""
        import torch

        from nas.training.shared_weights import SharedWeights

        tensors = {key: torch.from_numpy(array.copy()) for key, array in arrays.items()}
        self._shared = SharedWeights(self._record["seed"], tensors)

    def __getstate__(self) -> dict[str, Any]:
        """Weights stay at home: whoever is sent reads them, or is given them."""
        return {**self.__dict__, "_shared": None}

    def _weights(self) -> SharedWeights:
        if self._shared is None:
            self._shared = weights_of(self._folder, self._record)
        return self._shared
