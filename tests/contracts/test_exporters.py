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
    for package in next(each.needs for each in formats() if resolve("exporter", each.word) == name):
        pytest.importorskip(package)
    promise(load("exporter", name), tmp_path)


def test_every_word_of_the_command_line_is_one_format() -> None:
    assert sorted(resolve("exporter", word) for word in format_words()) == names("exporter")


def test_formats_of_a_trained_network_can_be_asked(tmp_path: Path) -> None:
    from nas.testing.format_promises import small_subject

    asked = {
        each.word
        for each in formats()
        if each.installed
        and load("exporter", resolve("exporter", each.word))(small_subject(), tmp_path).answers
    }
    assert {each.word for each in formats() if each.carries_weights and each.installed} == asked
