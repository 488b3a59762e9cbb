"""What every export format promises, over whatever formats there are."""

from pathlib import Path

import pytest

from nas.exporting.known import format_words, formats
from nas.registry import load, names, resolve
from nas.testing.format_promises import FORMAT_PROMISES
from nas.testing.promises import Promise


@pytest.mark.parametrize("name", names("exporter"))
@pytest.mark.parametrize("promise", FORMAT_PROMISES, ids=lambda promise: promise.__name__)
def test_every_format(promise: Promise, name: str, tmp_path: Path) -> None:
    known = next(each for each in formats() if resolve("exporter", each.word) == name)
    for package in known.needs:
        pytest.importorskip(package)
    if name == "web-page":
        pytest.skip("needs the npm package onnxruntime-web: tests/exporting/test_web_page.py")
    if known.needs_data:
        pytest.skip("needs what its network was trained on: tests/exporting/test_smaller_onnx.py")
    promise(load("exporter", name), tmp_path)


def test_every_word_of_the_command_line_is_one_format() -> None:
    assert sorted(resolve("exporter", word) for word in format_words()) == names("exporter")


def test_formats_of_a_trained_network_can_be_asked(tmp_path: Path) -> None:
    from nas.testing.format_promises import small_subject

    asked = {
        each.word
        for each in formats()
        if each.installed
        and not each.needs_data
        and each.word != "web"
        and load("exporter", resolve("exporter", each.word))(small_subject(), tmp_path).answers
    }
    known = [each for each in formats() if each.installed and not each.needs_data]
    assert {each.word for each in known if each.carries_weights} - {"web"} == asked
