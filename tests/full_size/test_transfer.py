"""Transfer: fitted skeletons, three modes, matched controls, weights that are refused where they do
not belong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from nas import cli
from nas.cli import app
from nas.cli._training import transfer_told
from nas.errors import NasError
from nas.exporting.choosing import Choice, choices, subject_of
from nas.full_size.body import Finetuned, body_of
from nas.full_size.controls import ResidualNetwork, random_cell, resnet_width
from nas.full_size.fitting import Target, fitted
from nas.full_size.presets import PRESETS, transfer_skeleton
from nas.full_size.report import Row
from nas.full_size.transfer import Transferred
from nas.registry import load
from nas.seeding import numpy_rng
from nas.training.augment import drawn, recolored
from nas.training.average import WeightAverage
from nas.training.checkpoint import read_weights
from nas.training.datasets import open_dataset
from nas.training.recipe import Recipe
from nas.training.schedule import make_optimizer
from parts.command_line import nas
from parts.picture_folders import COLOURS, coloured
from search_spaces import zoo
from search_spaces.cells.cost import cost, macs
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.network import build_network
from search_spaces.cells.skeleton import Skeleton

pytest.importorskip("PIL")
GENOTYPE: Genotype = load("space", "nasnet")().sample(numpy_rng(0, "transfer"))
SMALL = Skeleton(cells_per_stage=1, filters=4, stem_filters=4, image_size=12, classes=3)
QUICK = [
    "--threads",
    "1",
    "--device",
    "cpu",
    "--to",
    "none",
    "--set",
    "recipe.warmup_epochs=0",
    "--set",
    "recipe.batch_size=12",
]
TINY = [
    "--set",
    "skeleton.cells_per_stage=1",
    "--set",
    "skeleton.filters=4",
    "--set",
    "skeleton.stem_filters=4",
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coloured(tmp_path_factory.mktemp("pictures") / "colours")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_DATA", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("drawing") / "g.json"
    file.write_text(GENOTYPE.to_json())
    return file


def words(source: Path, pictures: Path, out: Path, *more: str) -> list[str]:
    return [
        "transfer",
        str(source),
        "--dataset",
        f"image-folder:{pictures}",
        "--out",
        str(out),
        *QUICK,
        *more,
    ]


def run(*given: str) -> dict:
    answer = CliRunner().invoke(app, [*given, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def helped(verb: str) -> str:
    return CliRunner().invoke(app, [verb, "--help"], catch_exceptions=False).stdout


def refused(*given: str) -> str:
    with pytest.raises(NasError) as problem:
        CliRunner().invoke(app, list(given), catch_exceptions=False)
    return str(problem.value)


# ------------------------------------------------------------------ from end to end


def test_a_cell_goes_to_pictures_and_its_weights_come_back(
    drawing: Path, pictures: Path, tmp_path: Path
) -> None:
    enough = ("--set", "recipe.epochs=20", "--set", "recipe.weight_average=0")
    from_scratch = words(drawing, pictures, tmp_path / "scratch", *TINY, *enough)
    first = run(*from_scratch)
    row = first["arms"][0]
    assert row["spreads"]["top_1_mean"] > 0.6
    assert row["spreads"]["top_5_mean"] == 1.0
    assert "top-5" not in (tmp_path / "scratch" / "README.md").read_text()  # of three colours
    result = tmp_path / "scratch" / "result.json"
    whole = result.read_text()
    for damaged in ("[", "[1]", json.dumps({**json.loads(whole), "test": {}})):
        result.write_text(damaged)
        assert run(*from_scratch)["arms"] == first["arms"]
        assert result.read_text() == whole
    weights = first["weights"]
    assert choices(weights)[0].weights.classes == COLOURS
    seen = run("predict", weights, str(pictures / "val" / "red" / "0.png"), "--top", "2")[
        "predictions"
    ][0]["classes"]
    assert len(seen) == 2
    assert {guess["name"] for guess in seen} <= set(COLOURS)
    featured = run(
        *words(Path(weights), pictures, tmp_path / "features", "--mode", "features", "--seeds", "2")
    )
    assert featured["arms"][0]["seeds"] == 2
    assert featured["arms"][0]["spreads"]["validation_mean"] > 0.6
    assert len(list((tmp_path / "features" / "searched").glob("features-*.safetensors"))) == 1
    tuned = words(
        Path(weights),
        pictures,
        tmp_path / "tuned",
        "--mode",
        "finetune",
        "--set",
        "recipe.epochs=1",
    )
    assert run(*tuned)["arms"][0]["spreads"]["validation_mean"] > 0.6
    text = (tmp_path / "tuned" / "README.md").read_text()
    assert "# Transfer to colours: finetune" in text
    assert "The test split was read once" in text


def test_arms_stand_side_by_side_at_matched_cost(
    drawing: Path, pictures: Path, tmp_path: Path
) -> None:
    more = [
        "--controls",
        "random-cell,resnet",
        "--set",
        "recipe.epochs=1",
        *TINY,
        "--set",
        "skeleton.filters=8",
    ]
    result = run(*words(drawing, pictures, tmp_path / "out", *more))
    searched, random, resnet = result["arms"]
    assert [row["name"] for row in result["arms"]] == ["searched", "random-cell", "resnet"]
    assert 0.6 * searched["macs"] < random["macs"] <= searched["macs"]
    assert 0.6 * searched["macs"] < resnet["macs"] <= searched["macs"]
    text = (tmp_path / "out" / "README.md").read_text()
    assert "points of test top-1" in text
    assert "is an observation, no evidence" in text


def test_a_body_can_be_pretrained_first(drawing: Path, pictures: Path, tmp_path: Path) -> None:
    grey = ["--mode", "features", "--pretrain", "digits", "--set", "pretrain.epochs=1"]
    assert "images of 1 channels, but the body needs 3" in refused(
        *words(drawing, pictures, tmp_path / "o", *TINY, *grey)
    )
    noise = [
        "--mode",
        "features",
        "--pretrain",
        f"image-folder:{pictures}",
        "--set",
        "pretrain.epochs=1",
        *TINY,
    ]
    assert (
        run(*words(drawing, pictures, tmp_path / "out", *noise, "--controls", "random-cell"))[
            "arms"
        ][1]["seeds"]
        == 1
    )
    assert (tmp_path / "out" / "searched" / "body-0" / "weights.safetensors").exists()


def test_a_body_learns_from_pictures_of_the_size_that_is_said(
    drawing: Path, pictures: Path, tmp_path: Path
) -> None:
    body = ["--mode", "features", "--pretrain", f"image-folder:{pictures}", "--image-size", "20"]
    body += ["--set", "pretrain.epochs=1", *TINY]
    sizes = {}
    for name, more in (
        ("own", ()),
        ("larger", ("--pretrain-size", "24")),
        ("same", ("--pretrain-size", "20")),
    ):
        out = tmp_path / name
        told = nas(*words(drawing, pictures, out, *body, *more))
        assert told.code == 0, told.err
        weights = read_weights(out / "searched" / "body-0" / "weights.safetensors")[1]
        sizes[name] = weights["skeleton"]["image_size"]
        note = f"bodies learn from {sizes[name]}x{sizes[name]} pictures and are used on 20x20"
        assert (note in told.err) == (name != "same"), told.err
        assert ("--pretrain-size 20 resizes the former" in told.err) == (name != "same")
    assert (sizes["larger"], sizes["same"]) == (24, 20)
    assert sizes["own"] not in (20, 24)
    assert "--pretrain-size is the side" in refused(
        *words(drawing, pictures, tmp_path / "no", "--pretrain-size", "16")
    )


def test_a_residual_network_has_a_body_too_and_bodies_are_shared(
    drawing: Path, pictures: Path, tmp_path: Path
) -> None:
    more = [
        "--pretrain",
        f"image-folder:{pictures}",
        "--set",
        "pretrain.epochs=2",
        "--set",
        "recipe.epochs=1",
        *TINY,
    ]
    more += [
        "--bodies",
        str(tmp_path / "bodies"),
        "--controls",
        "resnet",
        "--set",
        "skeleton.filters=8",
    ]
    run(*words(drawing, pictures, tmp_path / "features", "--mode", "features", *more))
    bodies = {
        file: file.stat().st_mtime_ns for file in (tmp_path / "bodies").rglob("weights.safetensors")
    }
    assert sorted(file.parts[-3].rpartition("-")[0] for file in bodies) == ["resnet", "searched"]
    tuned = run(*words(drawing, pictures, tmp_path / "tuned", "--mode", "finetune", *more))
    assert {
        file: file.stat().st_mtime_ns for file in (tmp_path / "bodies").rglob("weights.safetensors")
    } == bodies
    assert [row["name"] for row in tuned["arms"]] == ["searched", "resnet"]
    body = read_weights(next(file for file in bodies if "resnet" in file.parts[-3]))[0]
    frozen = read_weights(tmp_path / "features" / "resnet" / "seed-0" / "weights.safetensors")[0]
    opened = read_weights(tmp_path / "tuned" / "resnet" / "seed-0" / "weights.safetensors")[0]
    assert {name for name in body if not torch.equal(body[name], frozen[name])} == {
        "linear.weight",
        "linear.bias",
    }
    moved = {name for name in body if not torch.equal(body[name], opened[name])}
    assert all(name.startswith(("blocks.4.", "blocks.5.", "linear.")) for name in moved), moved
    assert any(name.startswith("blocks.4.") for name in moved)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            ["--mode", "zero-shot"],
            "no mode is called 'zero-shot'; there are features, finetune, scratch",
        ),
        (
            ["--mode", "features"],
            "mode features needs a trained body: give its --weights, or --pretrain cifar10",
        ),
        (["--preset", "huge"], "no preset of transfer is called 'huge'"),
        (["--controls", "vgg"], "no control is called 'vgg'; there are random-cell, resnet"),
        (["--target-macs", "10"], "more than the 10 asked for; raise --target-macs"),
        (["--target-macs", "9", "--target-params", "9"], "give one of the two targets"),
        (["--target-params", "-3"], "--target-params is -3; expected a whole number above 0"),
        (["--within", "3"], "--within says how close networks come to a cost: give --target-macs"),
        (
            ["--within", "100", "--target-macs", "9000000"],
            "--within is 100; expected a percentage above 0, below 100",
        ),
        (
            ["--within", "0.000001", "--target-macs", "900001"],
            "as close as this network comes to the 900,001 asked for: more than 1e-06 % below",
        ),
        (["--to", "caffe"], "no exporter is called 'caffe'; there are "),
        (
            ["--bodies", "b"],
            "--bodies keeps what --pretrain trains: give both, with --mode features or finetune",
        ),
        (
            ["--set", "recipe.optimizer=adam"],
            "recipe.optimizer is 'adam'; expected 'sgd', 'adamw', 'rmsprop'",
        ),
    ],
)
def test_bad_words_get_one_sentence(
    more: list[str], sentence: str, drawing: Path, pictures: Path, tmp_path: Path
) -> None:
    assert sentence in refused(*words(drawing, pictures, tmp_path / "out", *more))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("open_cells", [7, 9])
def test_too_many_open_cells_are_refused_before_any_arm_is_trained(
    open_cells: int, drawing: Path, pictures: Path, tmp_path: Path
) -> None:
    """The drawn network has eight cells, the residual one beside it six blocks."""
    more = ["--mode", "finetune", "--pretrain", f"image-folder:{pictures}", "--controls", "resnet"]
    more += [
        "--open-cells",
        str(open_cells),
        "--set",
        "skeleton.cells_per_stage=2",
        "--set",
        "skeleton.filters=8",
    ]
    sentence = refused(*words(drawing, pictures, tmp_path / "out", *more))
    there = 8 if open_cells > 8 else 6
    assert (
        f"{open_cells} cells cannot be unfrozen; this network has {there}: give --open-cells "
        f"{there}"
    ) in sentence
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------ bodies


def trained_body(folder: Path, skeleton: Skeleton = SMALL) -> Choice:
    from dataclasses import asdict

    from nas.training.checkpoint import save_weights

    network = build_network(GENOTYPE, skeleton, torch.Generator().manual_seed(3))
    save_weights(
        folder / "w.safetensors",
        network,
        {"genotype": GENOTYPE.to_dict(), "skeleton": asdict(skeleton)},
    )
    return choices(str(folder / "w.safetensors"))[0]


def test_weights_of_another_skeleton_are_refused(tmp_path: Path) -> None:
    choice = trained_body(tmp_path)
    assert choice.weights is not None
    with pytest.raises(
        NasError, match=r"was trained in another skeleton \(filters 4 there, 8 here\)"
    ):
        body_of(choice, choice.weights, replace(SMALL, filters=8), 0)


def test_only_the_last_cells_and_the_classifier_move(tmp_path: Path) -> None:
    choice = trained_body(tmp_path)
    assert choice.weights is not None
    network = body_of(choice, choice.weights, replace(SMALL, classes=7), 0)
    wrapped = Finetuned(network, 2).train()
    optimizer = make_optimizer(
        wrapped, Recipe(learning_rate=0.5), lambda name: 1.0 if ".head." in name else 0.1
    )
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    wrapped(torch.randn(4, 3, 12, 12, generator=torch.Generator())).square().mean().backward()
    optimizer.step()
    moved = {
        name
        for name, tensor in network.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    last = len(network.cells) - 2
    open_parts = (f"cells.{last}.", f"cells.{last + 1}.", "head.")
    assert moved
    assert all(name.startswith(open_parts) for name in moved), moved
    assert any("running_mean" in name for name in moved)
    assert {group["pace"] for group in optimizer.param_groups if group["params"]} == {1.0, 0.1}
    with pytest.raises(
        NasError, match="99 cells cannot be unfrozen; this network has 5: give --open-cells 5 or"
    ):
        Finetuned(network, 99)


def test_a_body_serves_images_of_another_size(tmp_path: Path) -> None:
    choice = trained_body(tmp_path)
    assert choice.weights is not None
    network = body_of(choice, choice.weights, replace(SMALL, image_size=20, classes=5), 0)
    assert network(torch.zeros(2, 3, 20, 20)).shape == (2, 5)


# ------------------------------------------------------------------ skeletons and controls


@pytest.mark.parametrize("target", [Target(macs=3_000_000), Target(params=60_000)])
def test_fitting_takes_the_widest_that_is_allowed(target: Target) -> None:
    skeleton = fitted(GENOTYPE, SMALL, target)
    found = [
        getattr(cost(GENOTYPE, replace(skeleton, filters=f)), target.name)
        for f in (skeleton.filters, skeleton.filters + 1)
    ]
    assert found[0] <= target.limit < found[1]


def test_the_published_presets_are_the_published_networks() -> None:
    entry = zoo.load("nasnet-a")
    choice = Choice(genotype=entry.genotype, name="nasnet-a", title="NASNet-A", entry=entry)
    thousand = replace(load("dataset", "cifar10"), classes=1000, image_size=224)
    mobile = transfer_skeleton(choice, thousand, "imagenet-mobile", {}, None)
    assert cost(entry.genotype, mobile).params == 5_289_978
    assert (mobile.auxiliary, PRESETS["imagenet-large"].image_size) == (True, 331)
    assert PRESETS["imagenet-mobile"].recipe.optimizer == "rmsprop"
    small = transfer_skeleton(choice, replace(thousand, image_size=64), "fit", {}, None)
    assert (small.layout, transfer_skeleton(choice, thousand, "fit", {}, None).layout) == (
        "cifar",
        "imagenet",
    )


def test_a_cell_with_one_input_fits_only_fit() -> None:
    single = Choice(
        genotype=load("space", "nasbench201")().sample(numpy_rng(0, "t")), name="n", title="n"
    )
    with pytest.raises(NasError, match="does not fit preset 'imagenet-mobile'; use --preset fit"):
        transfer_skeleton(single, load("dataset", "cifar10"), "imagenet-mobile", {}, None)
    assert (
        transfer_skeleton(single, load("dataset", "cifar10"), "fit", {}, None).layout
        == "nasbench201"
    )


@pytest.mark.parametrize("layout", ["cifar", "imagenet"])
def test_the_residual_network_is_as_wide_as_allowed(layout: str) -> None:
    skeleton = Skeleton(layout=layout, image_size=32, classes=5)
    width = resnet_width(skeleton, Target(macs=5_000_000))
    costs = [
        macs(ResidualNetwork(filters, skeleton), (3, 32, 32)) for filters in (width, width + 1)
    ]
    assert costs[0] <= 5_000_000 < costs[1]
    assert ResidualNetwork(width, skeleton)(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


def test_a_random_cell_comes_from_the_same_space() -> None:
    drawn = random_cell(Choice(genotype=GENOTYPE, name="g", title="g"), 4)
    assert drawn.genotype.space == "nasnet"
    assert drawn.genotype.key != GENOTYPE.key
    assert random_cell(Choice(genotype=GENOTYPE, name="g", title="g"), 4).genotype == drawn.genotype


# ------------------------------------------------------------------ the recipe of large data


def test_resized_crops_lie_inside_the_image() -> None:
    recipe = Recipe(crop="resized", smallest_crop=0.2)
    affine = drawn(recipe, 500, 32, torch.Generator(), torch.device("cpu")).affine
    assert affine is not None
    reach = affine[:, :, :2].abs().sum(dim=2) + affine[:, :, 2].abs()
    assert reach.max() <= 1 + 1e-6
    areas = affine[:, 0, 0] * affine[:, 1, 1]
    assert 0.15 < areas.min() < 0.3
    assert areas.max() > 0.9


def test_colours_of_factor_one_stay() -> None:
    images = torch.randn(2, 3, 4, 4, generator=torch.Generator())
    assert torch.allclose(recolored(images, torch.ones(2, 3)), images, atol=1e-6)
    grey = recolored(images, torch.tensor([[1.0, 0.0, 1.0]]).expand(2, 3))
    assert torch.allclose(grey[:, 0], grey[:, 2])


def test_an_average_follows_the_weights() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
        average = WeightAverage(network, 0.5)
        network.weight.fill_(1.0)
        average.update(network, 1000)
    assert float(average.mean["weight"]) == 0.5
    with average.applied(network):
        assert float(network.weight.detach()) == 0.5
    assert float(network.weight.detach()) == 1.0


def test_predicting_needs_trained_weights_and_pictures(
    pictures: Path, drawing: Path, tmp_path: Path
) -> None:
    picture = str(pictures / "val" / "red" / "0.png")
    assert "has no weights; give trained ones" in refused("predict", str(drawing), picture)
    choice = trained_body(tmp_path)
    assert choice.weights is not None
    assert "there is no picture" in refused("predict", str(choice.weights.file), "missing.png")
    (tmp_path / "text.png").write_text("no picture")
    assert "cannot be decoded" in refused(
        "predict", str(choice.weights.file), str(tmp_path / "text.png")
    )
    assert subject_of(choice).skeleton.filters == 4


def test_class_names_come_from_the_folder_or_its_table(pictures: Path) -> None:
    name = f"image-folder:{pictures}"
    assert open_dataset(name).class_names == COLOURS
    (pictures / "classes.tsv").write_text("red\tscarlet\n")
    assert open_dataset(name).class_names == ("blue", "green", "scarlet")
    (pictures / "classes.tsv").unlink()


def test_the_weights_are_for_the_commands_that_take_weights() -> None:
    kinds = ("validation", "top_1", "top_5")
    spreads = {f"{kind}_{of}": 0.5 for kind in kinds for of in ("mean", "sd")}
    row = Row("searched", "key", 1, 1, 1, spreads)
    result = Transferred((row,), Path("README.md"), Path("w.safetensors"), None, classes=3)
    told = "\n".join(transfer_told(result, Path("out")))
    verbs = sorted(file.stem for file in Path(cli.__path__[0]).glob("[a-z]*.py"))
    taking = [verb for verb in verbs if "--weights" in helped(verb)]
    listed = f"{', '.join(taking[:-1])} and {taking[-1]}"
    assert f"\nweights, for --weights of nas {listed}: w.safetensors\n" in told
