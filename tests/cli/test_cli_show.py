"""`nas show`, `nas sample` and `nas convert`, as typed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli import app
from nas.drawings.portrait import portrait
from nas.drawings.svg import svg
from nas.errors import NasError
from search_spaces import zoo

SMALL = (
    "--set",
    "skeleton.cells_per_stage=1",
    "--set",
    "skeleton.filters=4",
    "--set",
    "skeleton.image_size=8",
)
TABLE = '{"schema": 1, "space": "table", "choices": {"d_0": "a", "b": 3}}'
STRING = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
ROOT = Path(__file__).parents[2]


def nas(*words: str, given: str | None = None) -> str:
    result = CliRunner().invoke(app, words, input=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*words: str, given: str | None = None) -> str:
    with pytest.raises(NasError) as refused:
        CliRunner().invoke(app, words, input=given, catch_exceptions=False)
    return str(refused.value)


def test_show_tells_the_golden_numbers() -> None:
    record = json.loads(nas("show", "nasnet-a", "--json"))
    assert record["params"] == 3_346_538
    assert record["params_with_statistics"] == 3_383_786
    assert record["macs"] == 544_333_312
    assert record["auxiliary_params"] == 0
    assert record["key"] == zoo.load("nasnet-a").genotype.key
    assert record["genotype"] == zoo.load("nasnet-a").genotype.to_dict()
    assert sum(row["params"] for row in record["per_cell"]) == record["params"]
    assert sum(row["macs"] for row in record["per_cell"]) == record["macs"]
    assert 0 < record["inference_bytes"] < record["training_bytes"]


def test_show_prints_drawing_key_and_a_row_per_cell() -> None:
    text = nas("show", "nasnet-a", *SMALL)
    assert zoo.load("nasnet-a").genotype.key in text
    assert "sep_5x5(1) + sep_3x3(0)" in text
    assert "published settings of nasnet-a, with your cells_per_stage, filters, image_size" in text
    assert "3.3M" not in text  # the published figures are about another network
    rows = [
        line.split()[0] for line in text.splitlines() if line.startswith(("stem", "cell", "head"))
    ]
    assert rows == ["stem", *["cell"] * 5, "head"]


def test_show_takes_presets_from_the_zoo_and_settings_from_the_user() -> None:
    mobile = portrait(zoo.load("pnasnet-5").genotype, "pnasnet-5", "imagenet-mobile").record()
    assert mobile["skeleton"]["filters"] == 54
    assert mobile["skeleton"]["origin"] == "published settings of pnasnet-5"
    record = json.loads(
        nas("show", "nasnet-a", *SMALL, "--set", "skeleton.stem_filters=7", "--json")
    )
    assert (record["skeleton"]["filters"], record["skeleton"]["stem_filters"]) == (4, 7)
    assert record["per_cell"][0]["output"] == [7, 8, 8]


def test_a_beginning_names_a_skeleton() -> None:
    assert (
        json.loads(nas("show", "nasnet-a", "--skeleton", "cif", *SMALL, "--json"))["skeleton"][
            "name"
        ]
        == "cifar"
    )
    assert "skeleton 'imagenet' is ambiguous: it begins imagenet-large, imagenet-mobile" in refusal(
        "show", "nasnet-a", "--skeleton", "imagenet"
    )


def test_cells_with_one_input_are_shown_in_nasbench201s_skeleton() -> None:
    record = json.loads(nas("show", STRING, "--json"))
    assert record["skeleton"]["name"] == "nasbench201"
    first = portrait(
        zoo.load("nasnet-a").genotype, "nasnet-a", "cifar", {"cells_per_stage": 1, "filters": 4}
    )
    assert first.surroundings is not None
    assert first.surroundings.name == "cifar"


def test_show_reads_standard_input_line_by_line() -> None:
    drawn = nas("sample", "nasnet", "-n", "2", "--seed", "5")
    records = [
        json.loads(line) for line in nas("show", "-", *SMALL, "--json", given=drawn).splitlines()
    ]
    assert [record["genotype"] for record in records] == [
        json.loads(line) for line in drawn.splitlines()
    ]
    assert "2 genotypes do not fit in one drawing" in refusal(
        "show", "-", "--svg", "x.svg", given=drawn
    )


def test_show_reads_pretty_json_as_one_genotype() -> None:
    pretty = json.dumps(zoo.load("nasnet-a").genotype.to_dict(), indent=1)
    assert (
        json.loads(nas("show", "-", *SMALL, "--json", given=pretty))["key"]
        == zoo.load("nasnet-a").genotype.key
    )


def test_bare_choices_have_a_key_and_no_cells() -> None:
    text = nas("show", TABLE)
    assert "this genotype has choices and no cells" in text
    assert "d_0 = a" in text
    record = json.loads(nas("show", TABLE, "--json"))
    assert record["key"] in text
    assert record["params"] is None
    assert "so it fits no skeleton" in refusal("show", TABLE, "--skeleton", "cifar")


def test_a_network_nobody_asked_for_need_not_exist() -> None:
    normal_only = json.dumps(
        {
            "schema": 1,
            "space": "x",
            "cells": {"normal": {"nodes": [{"edges": [[0, "sep_3x3"]], "combine": "add"}]}},
        }
    )
    assert "no network: " in nas("show", normal_only)
    assert json.loads(nas("show", normal_only, "--json"))["params"] is None
    assert "reduction" in refusal("show", normal_only, "--skeleton", "cifar")


def test_drawings_are_written_where_asked(tmp_path: Path) -> None:
    files = [tmp_path / f"a.{kind}" for kind in ("svg", "png", "dot")]
    text = nas(
        "show",
        "nasnet-a",
        *SMALL,
        "--svg",
        str(files[0]),
        "--png",
        str(files[1]),
        "--dot",
        str(files[2]),
    )
    assert [line for line in text.splitlines() if line.startswith("wrote")] == [
        f"wrote {file}" for file in files
    ]
    assert files[0].read_text().startswith("<svg")
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert files[2].read_text().startswith('digraph "NASNet-A"')
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_network_draws_the_stack_of_the_skeleton_shown(tmp_path: Path) -> None:
    nas(
        "show", "nasnet-a", *SMALL, "--network", "--theme", "dark", "--svg", str(tmp_path / "a.svg")
    )
    assert "Normal cell, F = 16" in (tmp_path / "a.svg").read_text()
    assert "say which with --svg FILE or --png FILE" in refusal("show", "nasnet-a", "--network")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nasnet-b"], "no file or published genotype is called 'nasnet-b'"),
        (
            ["nasnet-a", "--skeleton", "cifer"],
            "no skeleton is called 'cifer'; there are .* did you mean 'cifar'",
        ),
        (
            ["nasnet-a", "--set", "skeleton.filter=3"],
            "no option of skeleton is called 'filter'.* did you mean 'filters'",
        ),
        (
            ["nasnet-a", "--set", "skeleton.filters=x"],
            "skeleton.filters is 'x': input should be a valid integer",
        ),
        (["nasnet-a", "--set", "skeleton.filters=0"], "filters must be a whole number from 1"),
        (
            ["nasnet-a", "--set", "recipe.epochs=3"],
            "no part to set here is called 'recipe'; there are skeleton, space",
        ),
        (["nasnet-a", "--set", "space.blocks=3"], "name it with --space"),
        (["nasnet-a", "--theme", "drak"], "no theme is called 'drak'"),
        (
            ["nasnet-a", "--svg", "missing/a.svg"],
            "missing/a.svg cannot be written: there is no folder 'missing'",
        ),
        (["nasnet-a", "--png", "."], r"\. is a folder; give the name of a file"),
        (["1,2,3"], "'1,2,3' are choices"),
    ],
)
def test_what_show_refuses(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert re.search(sentence, refusal("show", *words))
    assert not list(tmp_path.iterdir())


def test_empty_input_is_refused() -> None:
    assert "standard input is empty" in refusal("show", "-", given=" \n")


def test_samples_are_the_same_for_a_seed_and_begin_alike() -> None:
    two, three = (
        nas("sample", "nasnet", "-n", str(number), "--seed", "9").splitlines() for number in (2, 3)
    )
    assert three[:2] == two
    assert len(set(three)) == 3
    assert nas("sample", "nasnet", "--seed", "10").strip() != two[0]


def test_samples_follow_the_options_of_their_space() -> None:
    record = json.loads(nas("sample", "nasnet", "--set", "space.blocks=2", "--json"))
    assert record["space"] == "nasnet"
    assert [len(cell["nodes"]) for cell in record["genotypes"][0]["cells"].values()] == [2, 2]
    assert "-n is 0; expected a whole number from 1" in refusal("sample", "nasnet", "-n", "0")
    assert "no space is called 'nusnet'" in refusal("sample", "nusnet")
    assert "no option of space is called 'block'" in refusal(
        "sample", "nasnet", "--set", "space.block=2"
    )


def test_forms_are_converted_into_each_other() -> None:
    darts = nas("convert", "darts-v2", "--to", "darts").strip()
    assert darts.startswith("Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1),")
    assert json.loads(nas("convert", darts, "--to", "json")) == {
        **zoo.load("darts-v2").genotype.to_dict(),
        "space": "darts",
    }
    choices = nas("convert", STRING, "--to", "choices", "--space", "nasbench201").strip()
    assert choices == "3,0,1,0,0,4"
    assert (
        nas(
            "convert", choices, "--from", "choices", "--to", "nasb", "--space", "nasbench201"
        ).strip()
        == STRING
    )
    assert json.loads(nas("convert", STRING, "--to", "json", "--json"))["form"] == "json"
    assert (
        nas("convert", darts, "--from", "darts", "--to", "darts").strip() == darts
    )  # too long for a file's name
    assert nas("convert", "darts-v2", "--from", "json", "--to", "darts").strip() == darts


def test_lines_are_converted_one_by_one(tmp_path: Path) -> None:
    drawn = nas("sample", "darts", "-n", "3")
    texts = nas("convert", "-", "--to", "darts", given=drawn)
    assert len(texts.splitlines()) == 3
    nas("convert", "-", "--to", "json", "--out", str(tmp_path / "a.jsonl"), given=texts)
    again = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [record["cells"].keys() for record in again] == [
        json.loads(line)["cells"].keys() for line in drawn.splitlines()
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["nasnet-a", "--to", "xml"],
            "no form for --to is called 'xml'; there are choices, darts, json, nasbench201",
        ),
        (["nasnet-a", "--to", "choices"], "name it with --space"),
        (["nasnet-a", "--to", "choices", "--space", "nasnet"], "puts out states 0, 2, 3, 4, 5, 6"),
        (["nasnet-a", "--to", "nasbench201"], "a NAS-Bench-201 string is of one normal cell"),
        ([STRING, "--to", "json", "--from", "darts"], "a DARTS genotype holds no '|'"),
        (
            [STRING, "--to", "json", "--from", "choices", "--space", "nasbench201"],
            "is no list of choices; expected option ind",
        ),
        (
            ["missing.json", "--to", "json", "--from", "json"],
            "no file or published genotype is called 'missing.json'",
        ),
        (
            ["nasnet-a", "--to", "json", "--from", "darts"],
            "is a published genotype and kept as json, but darts was",
        ),
        ([STRING, "--to", "json", "--out", "missing/a"], "there is no folder 'missing'"),
    ],
)
def test_what_convert_refuses(words: list[str], sentence: str) -> None:
    assert sentence in refusal("convert", *words)


def test_the_shell_gets_one_sentence_and_exit_code_2() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "nas", "show", "nasnet-b"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: no file or published genotype is called 'nasnet-b'")
    assert ended.stderr.count("\n") == 1


def test_the_drawing_in_the_readme_is_up_to_date() -> None:
    """Made by `nas show nasnet-a --svg docs/pictures/nasnet-a.svg --png
    docs/pictures/nasnet-a.png`."""
    shown = portrait(
        zoo.load("nasnet-a").genotype, "nasnet-a", "cifar", {"cells_per_stage": 1, "filters": 4}
    )
    pictures = ROOT / "docs" / "pictures"
    assert (pictures / "nasnet-a.svg").read_text(encoding="utf-8") == svg(
        shown.drawing(network=False)
    )
    assert (pictures / "nasnet-a.png").read_bytes().startswith(b"\x89PNG")


def test_choices_that_look_like_an_option_are_told_how_to_be_given() -> None:
    assert refusal("convert", "-1,2,3", "--to", "json", "--space", "nasnet") == (
        "'-1,2,3' begins with a minus and was taken for an option; put it behind -- if it is none: "
        "nas convert --to json --space nasnet -- -1,2,3"
    )
    words = ("--to", "json", "--space", "nasnet", "--", "-1,2,3")
    assert refusal("convert", *words) == "space 'nasnet' has 50 decisions, but 3 choices were given"
    answer = CliRunner().invoke(app, ["convert", "nasnet-a", "--too", "json"])
    assert answer.exit_code == 2
