"""The handle of the test split: whoever makes one says that no more choices follow from what it
shows.

Only retrain, transfer and final evaluation import this module; a test holds the list.
"""

from __future__ import annotations

from dataclasses import dataclass

from nas.training.datasets import Dataset, Images


@dataclass(frozen=True, slots=True)
class FinalSplit:
    """The test split of one dataset."""

    dataset: Dataset

    def load(self) -> Images:
        """The test images."""
        return self.dataset.read("test", self.dataset.data_dir)
