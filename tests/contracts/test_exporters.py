"""Every exporter keeps the contract: files in its folder, a usage that names them, the network's
own answers."""

import importlib
from pathlib import Path

import pytest

from nas.exporting.known import format_words
from nas.exporting.subject import Subject
from nas.exporting.verification import verified
from nas.exporting.written import Exporter, Written
from nas.registry import load, names, resolve
from nas.search.record import is_ours
from parts.exported_networks import images, subject
from search_spaces.cells.nasbench201_text import from_nasbench201_text

EXPORTERS = names("exporter")
COMPUTING = {"onnx-model", "python-source", "torch-export"}


@pytest.fixture(scope="module")
def small() -> Subject:
    cell = from_nasbench201_text(
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"
    )
    return subject(cell, layout="nasbench201", filters=4, image_size=16)


@pytest.fixture(scope="module", params=EXPORTERS)
def exported(
    request: pytest.FixtureRequest, small: Subject, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Written]:
    if request.param == "onnx-model":
        pytest.importorskip("onnxruntime")
    if request.param == "png-drawing":
        pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp(request.param)
    exporter: Exporter = load("exporter", request.param)
    return request.param, folder, exporter(small, folder)


def test_writes_its_files_into_the_folder_and_nothing_else(
    exported: tuple[str, Path, Written],
) -> None:
    _, folder, written = exported
    assert written.files
    assert sorted(folder.iterdir()) == sorted(written.files)
    assert all(file.stat().st_size > 0 for file in written.files)
    assert all(is_ours(file.name) for file in written.files)


def test_says_how_each_format_is_used(exported: tuple[str, Path, Written]) -> None:
    _, _, written = exported
    assert any(file.name in written.usage for file in written.files)


def test_computes_what_the_network_computes(
    exported: tuple[str, Path, Written], small: Subject
) -> None:
    name, _, written = exported
    assert (written.answers is not None) == (name in COMPUTING)
    checks = verified(small, {name: written}, (1, 2, 17))
    assert [check.batch for check in checks] == ([1, 2, 17] if written.answers else [])
    assert all(check.relative <= written.limit for check in checks)


def test_leaves_the_network_as_it_was(exported: tuple[str, Path, Written], small: Subject) -> None:
    assert not small.network.training
    assert small.network(images(small, 2)).shape == (2, 10)


def test_every_exporter_is_a_documented_function_of_its_own_file() -> None:
    for name in EXPORTERS:
        function = load("exporter", name)
        assert function.__doc__
        assert importlib.import_module(function.__module__).__doc__
        assert function.__name__ == name.replace("-", "_")


def test_every_format_of_the_command_line_is_an_exporter() -> None:
    assert sorted(resolve("exporter", name) for name in format_words()) == EXPORTERS
