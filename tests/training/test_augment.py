"""Batched augmentation against the same transforms done image by image."""

from typing import Any

import numpy as np
import pytest
import torch

from nas.seeding import torch_rng
from nas.training.augment import Source, drawn, moved
from nas.training.datasets import Images, open_dataset
from nas.training.recipe import Recipe

CPU = torch.device("cpu")
MEAN, STD = (0.2, 0.5, 0.7), (0.3, 0.2, 0.1)
IMAGES = open_dataset("noise:12").load("train").at(np.arange(40))


def source(recipe: Recipe) -> Source:
    return Source(IMAGES, MEAN, STD, recipe, CPU)


def draws(recipe: Recipe) -> Any:
    return drawn(recipe, len(IMAGES), 12, torch_rng(3, "test"), CPU)


def normalised(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    values = (pixels / 255 - np.array(MEAN)) / np.array(STD)
    return torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)


def test_without_augmentation_images_come_permuted_and_normalised() -> None:
    plan = draws(Recipe())
    assert sorted(plan.order.tolist()) == list(range(40))
    images, labels = source(Recipe()).augmented(plan.part(8, 16))
    assert images.is_contiguous(memory_format=torch.channels_last)
    for place, index in enumerate(plan.order[8:16].tolist()):
        torch.testing.assert_close(
            images[place], normalised(IMAGES.pixels[index]), atol=1e-5, rtol=1e-5
        )
        assert labels[place] == IMAGES.labels[index]


def test_crop_flip_and_cutout_are_what_they_are_image_by_image() -> None:
    recipe = Recipe(crop="pad", crop_margin=3, flip=True, cutout=6)
    plan = draws(recipe)
    images, _ = source(recipe).augmented(plan)
    assert set(plan.corner.unique().tolist()) == set(range(7))
    assert 8 < plan.flipped.sum() < 32
    for place, index in enumerate(plan.order.tolist()):
        padded = np.pad(IMAGES.pixels[index], ((3, 3), (3, 3), (0, 0)))
        top, left = plan.corner[place].tolist()
        cut = padded[top : top + 12, left : left + 12]
        cut = cut[:, ::-1] if plan.flipped[place] else cut
        expected = normalised(cut)
        y, x = plan.hole[place].tolist()
        expected[:, max(0, y - 3) : y + 3, max(0, x - 3) : x + 3] = 0
        torch.testing.assert_close(images[place], expected, atol=1e-5, rtol=1e-5)


def test_upsampled_crops_and_their_middle() -> None:
    recipe = Recipe(crop="upsample", crop_margin=2)
    larger = torch.nn.functional.interpolate(
        torch.from_numpy(IMAGES.pixels).permute(0, 3, 1, 2).float(), (16, 16), mode="bilinear"
    ).round()
    plan = draws(recipe)
    images, _ = source(recipe).augmented(plan)
    for place, index in enumerate(plan.order[:10].tolist()):
        top, left = plan.corner[place].tolist()
        cut = larger[index, :, top : top + 12, left : left + 12].permute(1, 2, 0).numpy()
        torch.testing.assert_close(images[place], normalised(cut), atol=1e-5, rtol=1e-5)
    middle, _ = source(recipe).plain(0, 1)
    expected = normalised(larger[0, :, 2:14, 2:14].permute(1, 2, 0).numpy())
    torch.testing.assert_close(middle[0], expected, atol=1e-5, rtol=1e-5)


def test_evaluation_sees_images_as_they_are() -> None:
    for recipe in (Recipe(), Recipe(crop="pad", flip=True, cutout=4, rotation=20)):
        batches = list(source(recipe).plain_batches(16))
        assert [len(labels) for _, labels in batches] == [16, 16, 8]
        torch.testing.assert_close(
            batches[1][0][0], normalised(IMAGES.pixels[16]), atol=1e-5, rtol=1e-5
        )


def test_a_shift_moves_and_repeats_the_border() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8).contiguous()
    by_two = torch.tensor(
        [[[1.0, 0, 0.5], [0, 1, 0]]]
    )  # half of the image's half width: two pixels
    torch.testing.assert_close(
        moved(ramp, by_two)[0, 0, 0], torch.tensor([2.0, 3, 4, 5, 6, 7, 7, 7])
    )


def test_a_quarter_turn_is_exact() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    quarter = torch.tensor([[[0.0, -1, 0], [1, 0, 0]]])
    torch.testing.assert_close(moved(image, quarter), torch.rot90(image, k=1, dims=(2, 3)))


@pytest.mark.parametrize(
    ("recipe", "bounds"),
    [
        (
            Recipe(rotation=30),
            lambda a: (a[:, 0, 0] > 0.866).all() and a[:, 0, 1].abs().max() > 0.4,
        ),
        (
            Recipe(shift=0.25),
            lambda a: (a[:, :, 2].abs() <= 0.5).all() and a[:, :, 2].abs().max() > 0.45,
        ),
        (
            Recipe(shear=20),
            lambda a: (a[:, 0, 1].abs() <= 0.3640).all() and (a[:, 0, 0] == 1).all(),
        ),
        (
            Recipe(zoom=0.2),
            lambda a: a[:, 0, 0].min() > 1 / 1.2 - 1e-6 and a[:, 0, 0].max() < 1 / 0.8 + 1e-6,
        ),
    ],
)
def test_affine_draws_stay_in_their_range(recipe: Recipe, bounds: Any) -> None:
    affine = drawn(recipe, 500, 12, torch_rng(1, "test"), CPU).affine
    assert affine is not None
    assert bounds(affine)
    images, _ = source(recipe).augmented(draws(recipe))
    assert images.isfinite().all()


def test_draws_of_a_batch_do_not_depend_on_its_size() -> None:
    recipe = Recipe(crop="pad", flip=True, cutout=4, rotation=10, zoom=0.1)
    whole, _ = source(recipe).augmented(draws(recipe))
    parts = [
        source(recipe).augmented(draws(recipe).part(start, start + 10))[0]
        for start in range(0, 40, 10)
    ]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_grey_images_pass() -> None:
    grey = Images(IMAGES.pixels[..., :1].copy(), IMAGES.labels)
    recipe = Recipe(crop="pad", flip=True, rotation=5)
    images, _ = Source(grey, (0.5,), (0.25,), recipe, CPU).augmented(draws(recipe))
    assert images.shape == (40, 1, 12, 12)
