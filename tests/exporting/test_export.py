"""Exports from the command line: verified, complete or not at all, safe, and runnable by copying
what is printed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from nas.cli import app
from nas.errors import NasError
from nas.exporting import stranger
from nas.exporting.choosing import choices, subject_of
from nas.exporting.export import export
from nas.exporting.source.python_file import names_in_file
from nas.exporting.subject import Subject, fresh_network
from nas.exporting.verification import batches_for, verified
from nas.exporting.weights import load_into, open_weights, write_weights
from nas.exporting.written import Written
from nas.registry import load
from parts.exported_networks import genotype, images, subject, trained_study
from search_spaces import zoo

SMALL = [
    "--set",
    "skeleton.cells_per_stage=1",
    "--set",
    "skeleton.filters=4",
    "--set",
    "skeleton.image_size=16",
]


def run(*words: str) -> dict:
    answer = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def refused(*words: str) -> str:
    with pytest.raises(NasError) as problem:
        CliRunner().invoke(app, list(words), catch_exceptions=False)
    return str(problem.value)


@pytest.fixture
def drawing(tmp_path: Path) -> str:
    file = tmp_path / "drawing.json"
    file.write_text(genotype().to_json())
    return str(file)


def test_an_export_runs_by_copying_what_is_printed(drawing: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["export", drawing, "--to", "python,json,svg", "--out", str(out), *SMALL]
    printed = CliRunner().invoke(app, words, catch_exceptions=False).output
    assert sorted(file.name for file in out.iterdir()) == [
        "README.md",
        "cells.svg",
        "export.json",
        "genotype.json",
        "model.py",
        "network.svg",
        "weights.safetensors",
    ]
    assert (
        "verified python-source: largest difference 0 (0 of the largest logit), batches 1, 2, 17"
        in printed
    )
    command = re.search(r"run it anywhere with torch: python (\S+)", printed.replace("\n", " "))
    assert command is not None
    answer = subprocess.run(
        [sys.executable, "-I", str(out / "model.py")], capture_output=True, text=True, check=True
    )
    params = re.search(r"([\d,]+) parameters", printed)
    assert params is not None
    assert answer.stdout.startswith(f"{params[1]} parameters\nan image of noise: class ")
    assert list(tmp_path.glob(".out*")) == []


def test_an_untrained_export_stays_untrained(drawing: str, tmp_path: Path) -> None:
    small = subject(genotype(), filters=4, image_size=8)
    write_weights(tmp_path / "w.safetensors", small, names_in_file(small))
    assert subject_of(choices(str(tmp_path / "w.safetensors"))[0]).trained == {}


def test_the_card_says_what_somebody_else_needs(drawing: str, tmp_path: Path) -> None:
    run("export", drawing, "--to", "json,dot", "--out", str(tmp_path / "out"), "--latency", *SMALL)
    text = (tmp_path / "out" / "README.md").read_text()
    for words in (("parameters "
                  "and"), ("its weights are "
                          "random"), f"key: {genotype().key}", "## Latency", "| torch | cpu |",
                  "None of these files computes anything", "- filters: 4"):  # fmt: skip
        assert words.lower() in text.lower(), words


def test_a_study_gives_its_best_with_its_weights(tmp_path: Path) -> None:
    best, _ = trained_study(tmp_path / "study")
    record = run("export", str(tmp_path / "study"), "--to", "python,json")["exports"][0]
    assert record["trained"]
    assert record["key"] == best.key
    assert Path(record["folder"]) == tmp_path / "study" / "best"
    card = (tmp_path / "study" / "best" / "README.md").read_text()
    for words in ("- trial: 3", "- study: study", ("- commit: "
                                                  "abc"), ("- data fingerprint: "
                                                          "77"), "- validation split: 0.9",
                  "- dataset: digits", "Recipe: epochs 3"):  # fmt: skip
        assert words in card, words
    again = subject_of(choices(str(tmp_path / "study" / "best"))[0])
    first = subject_of(choices(str(tmp_path / "study"))[0])
    assert again.skeleton == first.skeleton
    assert torch.equal(again.network(images(again, 2)), first.network(images(first, 2)))
    assert first.mean == load("dataset", "digits").mean


def test_another_skeleton_leaves_a_study_s_weights_behind(tmp_path: Path) -> None:
    trained_study(tmp_path / "study")
    out = str(tmp_path / "out")
    printed = (
        CliRunner()
        .invoke(app, ["export", str(tmp_path / "study"), "--to", "json", "--out", out, *SMALL])
        .output
    )
    assert "untrained, its weights are random" in printed
    assert "train it: nas retrain" in printed


def test_the_best_few_each_get_a_folder(tmp_path: Path) -> None:
    trained_study(tmp_path / "study", keep=False)
    records = run(
        "export",
        str(tmp_path / "study"),
        "--top",
        "2",
        "--to",
        "json",
        "--out",
        str(tmp_path / "two"),
        *SMALL,
    )
    assert [Path(record["folder"]).name for record in records["exports"]] == [
        "1-trial-3",
        "2-trial-1",
    ]
    assert not any(record["trained"] for record in records["exports"])


def test_weights_come_back_under_either_names(tmp_path: Path) -> None:
    small = subject(genotype(), filters=4, image_size=16)
    ours, written = tmp_path / "ours.safetensors", tmp_path / "written.safetensors"
    same = {name: name for name in small.network.state_dict()}
    write_weights(ours, small, same)
    write_weights(written, small, names_in_file(small))
    for file in (ours, written):
        other = fresh_network(small.genotype, small.skeleton)
        load_into(open_weights(file), other, names_in_file(small))
        assert torch.equal(other(images(small, 2)), small.network(images(small, 2)))


def test_weights_of_another_network_are_refused(drawing: str, tmp_path: Path) -> None:
    small = subject(genotype(), filters=4, image_size=16)
    file = tmp_path / "w.safetensors"
    write_weights(file, small, names_in_file(small))
    words = ["export", drawing, "--weights", str(file), "--set", "skeleton.filters=8"]
    assert "but this network has" in refused(
        *words, "--set", "skeleton.cells_per_stage=1", "--set", "skeleton.image_size=16"
    )
    assert "weights missing" in refused(*words, "--set", "skeleton.cells_per_stage=2")
    tensors = load_file(file)
    save_file({**tensors, "stranger": torch.zeros(1)}, file)
    assert "holds stranger, which this network does not have" in refused(
        *words, "--set", "skeleton.cells_per_stage=1"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "word"], "no exporter is called 'word'; there are dot-drawing, hub-folder, "),
        (
            ["--to", ","],
            "no format to export to; expected some of hub, python, torch, dot",
        ),
        (["--top", "2"], "--top 2 asks for the best of a study, but"),
        (
            ["--weights", "missing"],
            "there is no file 'missing'; give weights that retrain, transfer or export wrote",
        ),
        (["--skeleton", "cafe"], "no skeleton is called 'cafe'"),
        (["--set", "recipe.epochs=1"], "no part to set here is called 'recipe'"),
    ],
)
def test_bad_words_get_one_sentence(
    drawing: str, tmp_path: Path, words: list[str], sentence: str
) -> None:
    assert sentence in refused("export", drawing, "--out", str(tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_what_is_no_safetensors_is_refused(drawing: str, tmp_path: Path) -> None:
    pickled = tmp_path / "weights.pt"
    torch.save({"a": torch.zeros(1)}, pickled)
    assert "is no safetensors file" in refused("export", drawing, "--weights", str(pickled))
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(
        NasError, match="does not say whose weights it holds; give the genotype and --weights"
    ):
        choices(str(tmp_path / "foreign.safetensors"))


def test_a_file_in_the_way_is_left_alone(drawing: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert "is a file, but an export needs a folder" in refused(
        "export", drawing, "--out", str(tmp_path / "out"), *SMALL
    )
    assert (tmp_path / "out").read_text() == "mine"


def test_a_mismatch_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = subject(genotype(), filters=4, image_size=8)
    lying = Written(
        (), "", lambda batches: [small.network(batch).detach() + 1 for batch in batches]
    )
    with pytest.raises(
        NasError, match=r"lying differs from the network by .* at batch 1, expected at most 0\.0001"
    ):
        verified(small, {"lying": lying}, (1,))
    import nas.exporting.export as module

    monkeypatch.setattr(module, "_written", lambda *_: ({"lying": lying}, {"lying": 0.0}))
    with pytest.raises(NasError, match="lying differs"):
        export(small, tmp_path / "out", ["json"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("own", [True, False], ids=["a new interpreter", "as in our tests"])
def test_a_file_is_run_where_nothing_of_ours_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    """Other tests run exported files in an interpreter that has loaded torch already."""
    if own:
        monkeypatch.setattr(stranger, "subprocess", subprocess)
    small = subject(genotype(), filters=4, image_size=8)
    export(small, tmp_path / "out", ["python"])
    (answer,) = stranger.answers_of_python(tmp_path / "out" / "model.py", [images(small, 2)])
    torch.testing.assert_close(answer, small.network(images(small, 2)))

    (tmp_path / "mine.py").write_text("import search_spaces.cells.network\n")
    with pytest.raises(
        NasError, match=r"mine.py does not run in a fresh interpreter: ModuleNotFoundError"
    ):
        stranger.answers_of_python(tmp_path / "mine.py", [images(small, 2)])


@pytest.mark.parametrize("answer", [torch.zeros(1, 3), torch.full((1, 10), torch.nan)])
def test_other_shapes_and_nan_are_mismatches(answer: torch.Tensor) -> None:
    small = subject(genotype(), filters=4, image_size=8)
    with pytest.raises(NasError, match="nothing was exported"):
        verified(small, {"wrong": Written((), "", lambda batches: [answer])}, (1,))


def test_large_networks_are_spared_the_large_batch() -> None:
    assert batches_for(23_783_414_658) == (1, 2)
    assert batches_for(563_638_816) == (1, 2, 17)


@pytest.mark.slow
def test_the_printed_onnx_command_runs_without_torch(drawing: str, tmp_path: Path) -> None:
    words = ["export", drawing, "--to", "onnx", "--out", str(tmp_path / "out"), *SMALL]
    printed = CliRunner().invoke(app, words, catch_exceptions=False).output.replace("\n", " ")
    command = re.search(r'run it anywhere with onnxruntime: python -c "([^"]+)"', printed)
    assert command is not None
    alone = f"import sys; sys.modules['torch'] = None; {command[1]}"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", alone], capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("[[")


def _verified_small(small: Subject, folder: Path) -> None:
    exported = export(small, folder, ["python", "onnx", "torch-export"])
    worst = {
        name: max(check.relative for check in exported.checks if check.format == name)
        for name in ("python-source", "onnx", "torch-export")
    }
    print({**worst, **exported.seconds})
    assert worst["python-source"] == 0.0
    assert worst["onnx"] < 1e-4
    assert worst["torch-export"] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("number", range(50))
def test_fifty_random_genotypes_in_all_formats(number: int, tmp_path: Path) -> None:
    _verified_small(subject(genotype(number)), tmp_path / "out")


def test_zeros_around_a_max_pool_stay_zeros_in_onnx_runtime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    export(
        subject(genotype(7), max_padding="zero"), tmp_path / "out", ["onnx"]
    )  # an error if logits differ


@pytest.mark.slow
@pytest.mark.parametrize("alignment", ["same", "symmetric"])
@pytest.mark.parametrize("semantics", ["literal", "nds", "tpu"])
def test_other_conventions_in_all_formats(alignment: str, semantics: str, tmp_path: Path) -> None:
    variants = {
        "average_divisor": "padded",
        "max_padding": "zero",
        "reduction": "replace",
        "image_size": 31,
    }
    _verified_small(
        subject(genotype(7), op_semantics=semantics, alignment=alignment, **variants),
        tmp_path / "out",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "skeleton"),
    [(name, skeleton) for name in zoo.names() for skeleton in zoo.load(name).skeletons],
)
def test_published_networks_at_full_size(name: str, skeleton: str, tmp_path: Path) -> None:
    if "largest" in skeleton:
        pytest.skip("469M parameters do not fit one ONNX file")
    _verified_small(subject_of(choices(name)[0], skeleton), tmp_path / "out")
