"""A log proves itself: whatever is changed in one is found, and named with its line, by every
reader, before anything is concluded; what was cut off at the end is all that cannot be seen."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nas.errors import StoreError
from nas.study.store import FORMAT, Store, read_events
from parts.command_line import SMALL, nas
from parts.studies import lines

READERS = (
    ("status",),
    ("status", "--check"),
    ("best",),
    ("resume", "--trials", "+1"),
    ("report",),
    ("export", "--to", "json"),
    ("events",),
    ("trial", "0"),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checks") / "s"
    words = ("--trials", "8", "--out", folder)
    assert nas("search", *SMALL, *words).code == 0
    return folder


@pytest.fixture
def log(study: Path, tmp_path: Path) -> Path:
    """A copy that may be spoiled."""
    copy = tmp_path / "s"
    copy.mkdir()
    for name in ("study.json", "events.jsonl"):
        (copy / name).write_bytes((study / name).read_bytes())
    return copy / "events.jsonl"


def spoiled_at(log: Path, content: bytes) -> int:
    """The line that is named where a log with this content is read."""
    log.write_bytes(content)
    with pytest.raises(StoreError, match="restore the file from a copy, or cut it off") as found:
        list(read_events(log))
    named = re.search(r"events\.jsonl, line (\d+) ", str(found.value))
    assert named
    return int(named[1])


def test_every_line_has_a_checksum_and_readers_do_not_see_it(log: Path) -> None:
    whole = log.read_bytes().splitlines()
    assert all(re.search(rb',"check":"[0-9a-f]{8}"}$', line) for line in whole)
    events = [event for _, event in read_events(log)]
    assert events == lines(log.parent)
    assert events[0]["format"] == FORMAT == 2
    offsets = [offset for offset, _ in read_events(log)]
    assert [event for _, event in read_events(log, offsets[3])] == events[3:]


def test_every_changed_digit_is_found(log: Path) -> None:
    content = log.read_bytes()
    first, last = content.index(b'"budget"'), content.rindex(b"\n", 0, -1)
    # Before those stands the format, behind them a line that counts as torn where it is no JSON.
    digits = [place for place in range(first, last) if content[place] in b"0123456789"]
    for place in digits[:: max(1, len(digits) // 150)]:
        other = b"%d" % ((content[place] - ord("0") + 3) % 10)
        expected = content[:place].count(b"\n") + 1
        changed = content[:place] + other + content[place + 1 :]
        assert spoiled_at(log, changed) == expected, content[place - 20 : place + 5]


def test_lines_swapped_doubled_and_taken_out_are_found(log: Path) -> None:
    whole = log.read_bytes().splitlines(keepends=True)
    for place in range(len(whole) - 1):
        swapped = [*whole[:place], whole[place + 1], whole[place], *whole[place + 2 :]]
        assert spoiled_at(log, b"".join(swapped)) == place + 1
        doubled = [*whole[: place + 1], *whole[place:]]
        assert spoiled_at(log, b"".join(doubled)) == place + 2
        missing = [*whole[:place], *whole[place + 1 :]]
        assert spoiled_at(log, b"".join(missing)) == place + 1


def test_two_logs_joined_and_changed_line_ends_are_found(log: Path, tmp_path: Path) -> None:
    words = ("--seed", "5", "--trials", "4", "--out", tmp_path / "t")
    assert nas("search", *SMALL, *words).code == 0
    content, other = log.read_bytes(), (tmp_path / "t" / "events.jsonl").read_bytes()
    assert spoiled_at(log, content + other) == content.count(b"\n") + 1
    assert spoiled_at(log, content.replace(b"\n", b"\r\n")) == 1
    assert spoiled_at(log, content.replace(b',"check"', b', "check"', 1)) == 1


def test_checksums_cannot_be_left_out(log: Path) -> None:
    whole = log.read_bytes().splitlines(keepends=True)
    bare = [re.sub(rb',"check":"[0-9a-f]{8}"', b"", line) for line in whole]
    assert spoiled_at(log, b"".join(bare)) == 1
    assert spoiled_at(log, b"".join([*whole[:4], *bare[4:]])) == 5
    first = bare[0].replace(b'"format":2', b'"format":1')
    assert spoiled_at(log, b"".join([first, *whole[1:]])) == 2


@pytest.mark.parametrize("reader", READERS, ids=" ".join)
def test_every_reader_names_the_line_and_concludes_nothing(
    log: Path, reader: tuple[str, ...]
) -> None:
    content = log.read_bytes()
    score = re.search(rb'"score":0\.\d', content)
    assert score
    place = score.end() - 1
    forged = content[:place] + b"9" + content[place + 1 :]
    log.write_bytes(forged)
    verb, *words = reader
    answer = nas(verb, log.parent, *words)
    number = content[:place].count(b"\n") + 1
    assert answer.code == 2
    assert f"events.jsonl, line {number} does not follow from the line" in answer.out + answer.err
    assert "winner" not in answer.out
    assert log.read_bytes() == forged


def test_a_log_of_the_first_format_goes_on_as_such_and_says_that_it_proves_nothing(
    tmp_path: Path,
) -> None:
    corpus = Path(__file__).parents[1] / "corpus" / "random-search" / "study"
    folder = tmp_path / "s"
    folder.mkdir()
    for name in ("study.json", "events.jsonl"):
        (folder / name).write_bytes((corpus / name).read_bytes())
    assert nas("resume", folder, "--trials", "+2").code == 0
    log = (folder / "events.jsonl").read_bytes()
    assert b'"check"' not in log
    assert {event.get("format", 1) for _, event in read_events(folder / "events.jsonl")} == {1}
    answer = nas("status", folder, "--check")
    assert answer.code == 0
    assert "its lines have no checksums, so it cannot prove that nothing was changed" in answer.out
    assert nas("status", folder, "--check", "--json").json["check"]["proves_itself"] is False


def test_a_log_of_another_study_is_found(log: Path, tmp_path: Path) -> None:
    words = ("--seed", "5", "--trials", "8", "--out", tmp_path / "t")
    assert nas("search", *SMALL, *words).code == 0
    log.write_bytes((tmp_path / "t" / "events.jsonl").read_bytes())
    for verb in ("status", "best", "report", "resume"):
        assert "was begun by a study with other settings than study.json records" in (
            nas(verb, log.parent).sentence
        )


def test_settings_changed_after_the_beginning_are_found(log: Path) -> None:
    file = log.parent / "study.json"
    content = json.loads(file.read_text())
    content["evaluator"]["options"]["noise"] = 0.5
    file.write_text(json.dumps(content))
    answer = nas("status", log.parent, "--check")
    assert answer.code == 2
    assert "was begun by a study with other settings than study.json records" in (
        answer.out + answer.err
    )


def test_a_writer_goes_on_from_what_is_there(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    for number in range(3):
        with Store(log) as store:
            store.append_all([{"event": "noted", "number": 2 * number + more} for more in (0, 1)])
        with log.open("ab") as file:
            file.write(b'{"event":"noted","nu')  # torn
    assert [event["number"] for _, event in read_events(log)] == [0, 1, 2, 3, 4, 5]
