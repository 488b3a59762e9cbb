"""Whose weights an export takes, and that nothing is said of them that was measured with others."""

from pathlib import Path

import pytest
import torch

from nas.errors import NasError
from nas.exporting.choosing import choices, subject_of
from nas.exporting.source.python_file import names_in_file
from nas.exporting.subject import Subject
from nas.exporting.weights import open_weights, write_weights
from nas.full_size.body import body_of
from nas.full_size.settings import full_size
from nas.training.checkpoint import read_weights, save_weights
from nas.training.datasets import open_dataset
from parts.command_line import nas
from parts.drawn_cells import cell
from parts.drawn_cells import genotype as drawing_of
from parts.exported_networks import images, subject, trained_study
from search_spaces.cells.genotype import Genotype

STILL = cell("identity(0)+identity(1)")
ONE = drawing_of(cell("sep_3x3(0)+identity(1)"), STILL)
OTHER = drawing_of(cell("sep_3x3(1)+identity(0)"), STILL)
TWICE = drawing_of(cell("sep_3x3(0)+sep_3x3(1)"), STILL)
TURNED = drawing_of(cell("sep_3x3(1)+sep_3x3(0)"), STILL)  # the same function


def written(drawn: Genotype, folder: Path, trained: dict | None = None) -> tuple[Subject, Path]:
    """A network, its weights in a file, and a drawing beside it."""
    small = subject(drawn, filters=4, image_size=8)
    file = folder / "w.safetensors"
    facts = small if trained is None else Subject(
        title="t", genotype=drawn, skeleton=small.skeleton, network=small.network, trained=trained
    )  # fmt: skip
    write_weights(file, facts, names_in_file(small))
    return small, file


def card_of(folder: Path) -> str:
    return (folder / "README.md").read_text()


# ------------------------------------------------------------------ whose weights they are


@pytest.mark.parametrize("verb", ["export", "predict"])
def test_weights_of_another_genotype_with_the_same_shapes_are_refused(
    tmp_path: Path, verb: str
) -> None:
    small, file = written(ONE, tmp_path, {"accuracy": {"test": 0.99}})
    drawing = tmp_path / "other.json"
    drawing.write_text(OTHER.to_json())
    words = ["--to", "json"] if verb == "export" else ["picture.png"]
    sentence = nas(verb, drawing, *words, "--weights", file).sentence
    assert sentence.startswith(
        f"{file} holds weights of genotype {ONE.key}, not of {OTHER.key}; give the genotype"
    )
    with pytest.raises(NasError, match=f"holds weights of genotype {ONE.key}, not of {OTHER.key}"):
        body_of(choices(str(drawing))[0], open_weights(file), small.skeleton, 0)


@pytest.mark.parametrize("as_written", [True, False])
def test_a_drawing_with_the_same_key_takes_each_weight_to_its_place(
    tmp_path: Path, as_written: bool
) -> None:
    assert TWICE.key == TURNED.key
    assert TWICE != TURNED
    small, file = written(TWICE, tmp_path)
    if not as_written:
        write_weights(file, small, {name: name for name in small.network.state_dict()})
    (tmp_path / "turned.json").write_text(TURNED.to_json())
    found = subject_of(choices(str(tmp_path / "turned.json"), weights=file)[0])
    with torch.inference_mode():
        assert torch.equal(found.network(images(small, 2)), small.network(images(small, 2)))


# ------------------------------------------------------------------ what is said of them

NEVER = ("validation accuracy", "score:", "data fingerprint", "0.9")


def test_nothing_measured_is_said_of_random_weights(tmp_path: Path) -> None:
    trained_study(tmp_path / "study")
    words = ("--to", "json", "--out", tmp_path / "out", "--set", "skeleton.filters=8")
    record = nas("export", tmp_path / "study", *words, "--json").json["exports"][0]
    text = card_of(tmp_path / "out")
    assert "Its weights are random" in text
    assert "- trial: 3" in text
    assert not [word for word in NEVER if word in text]
    assert set(record["origin"]) == {"study", "trial", "rank", "strategy", "evaluator", "commit"}


def test_nothing_measured_with_a_trial_s_weights_is_said_of_others(tmp_path: Path) -> None:
    best, _ = trained_study(tmp_path / "study")
    _, facts = read_weights(tmp_path / "study" / "checkpoints" / "3" / "weights.safetensors")
    small = subject(best, filters=4, image_size=8, channels=1)
    save_weights(
        tmp_path / "w.safetensors", small.network, {**facts, "dataset": "cifar10", "data": "88"}
    )
    out = tmp_path / "out"
    words = ("--to", "json", "--out", out, "--weights", tmp_path / "w.safetensors")
    assert nas("export", tmp_path / "study", *words).code == 0
    assert "- dataset: cifar10" in card_of(out)
    assert not [word for word in NEVER if word in card_of(out)]
    sentence = nas("export", tmp_path / "study", *words, "--set", "skeleton.filters=8").sentence
    assert "use the genotype and the skeleton they were trained in" in sentence, (
        "weights that somebody gave are never left out in silence"
    )


def test_an_export_knows_where_it_came_from_when_it_is_exported_again(tmp_path: Path) -> None:
    trained_study(tmp_path / "study")
    first, again = tmp_path / "study" / "best", tmp_path / "again"
    assert nas("export", tmp_path / "study", "--to", "python,json").code == 0
    assert nas("export", first, "--to", "python,json", "--out", again).code == 0
    about = card_of(again).partition("## Files")[0].partition("## Where it comes from")[2]
    for words in ("- study: study", "- trial: 3", "- commit: abc", "- validation accuracy: 0.9",
                  "- validation split: 0.9", "- data fingerprint: 77"):  # fmt: skip
        assert words in about, words
    out = tmp_path / "third"
    words = (
        first / "genotype.json",
        "--weights",
        again / "weights.safetensors",
        "--to",
        "json",
        "--out",
        out,
    )
    assert nas("export", *words).code == 0
    assert "- validation split: 0.9" in card_of(out)
    assert (
        "use the genotype and the skeleton they were trained in"
        in nas("export", again, "--set", "skeleton.filters=8").sentence
    )


# ------------------------------------------------------------------ damaged ones


def test_damaged_weights_are_in_nobody_s_way_who_does_not_need_them(tmp_path: Path) -> None:
    study = tmp_path / "study"
    best, _ = trained_study(study, op_semantics="nds")
    kept = study / "checkpoints" / "3" / "weights.safetensors"
    _, file = written(best, tmp_path)

    def skeleton_of_retraining() -> object:
        choice = choices(str(study), with_weights=False)[0]
        return full_size(choice, open_dataset("digits"), "digits-demo", {}, {})[0]

    whole = full_size(choices(str(study))[0], open_dataset("digits"), "digits-demo", {}, {})[0]
    kept.write_bytes(b"x" * 99)
    sentence = nas("export", study, "--to", "json").sentence
    assert sentence.startswith(f"{kept} is no safetensors file")
    assert sentence.endswith(
        "; give others with --weights FILE, or delete it to go on without trained weights"
    )
    out = ("--to", "json", "--out", tmp_path / "out")
    assert nas("export", study, "--weights", file, *out).code == 0
    assert skeleton_of_retraining() == whole
    assert whole.op_semantics == "nds"
    kept.unlink()
    assert nas("export", study, "--to", "json").code == 0


def test_weights_with_a_changed_number_are_found(tmp_path: Path) -> None:
    study, out = tmp_path / "study", tmp_path / "out"
    trained_study(study)
    assert nas("export", study, "--to", "python,json", "--out", out).code == 0
    for kept in (study / "checkpoints" / "3" / "weights.safetensors", out / "weights.safetensors"):
        content = kept.read_bytes()
        kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        source = study if study in kept.parents else out
        said = nas("export", source, "--to", "json", "--out", tmp_path / "again").sentence
        assert said.startswith(f"{kept} was changed after it was written; ")
        kept.write_bytes(content)
        assert nas("export", source, "--to", "json", "--out", tmp_path / "again").code == 0


def test_damaged_weights_of_an_export_are_not_opened_where_others_are_given(tmp_path: Path) -> None:
    study, out = tmp_path / "study", tmp_path / "out"
    best, _ = trained_study(study)
    assert nas("export", study, "--to", "python,json", "--out", out).code == 0
    (out / "weights.safetensors").write_bytes(b"x" * 99)
    words = ("export", out, "--to", "json", "--out", tmp_path / "again")
    assert nas(*words).sentence.endswith(
        f"; export it again, or give {out / 'genotype.json'} alone"
    )
    _, file = written(best, tmp_path)
    assert nas(*words, "--weights", file).code == 0


def test_a_transfer_from_scratch_needs_no_kept_weights(tmp_path: Path) -> None:
    study = tmp_path / "study"
    trained_study(study)
    (study / "checkpoints" / "3" / "weights.safetensors").write_bytes(b"x" * 99)
    words = ("transfer", study, "--dataset", "nobody")
    assert "no dataset is called 'nobody'" in nas(*words).sentence
    assert "is no safetensors file" in nas(*words, "--mode", "features").sentence
    assert "no dataset is called 'nobody'" in nas("retrain", study, "--dataset", "nobody").sentence
