"""What is said while something takes long."""

import time

import pytest

from nas.cli._verb import SignOfLife, duration, durations


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 s"),
        (0.042, "0.042 s"),
        (2.44, "2.4 s"),
        (89.0, "89 s"),
        (90.0, "1.5 min"),
        (3600.0, "60 min"),
        (18_720.0, "5.2 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_range_names_its_unit_once_where_it_can() -> None:
    assert durations(2.0, 3.0) == "2 to 3 s"
    assert durations(50.0, 100.0) == "50 s to 1.7 min"
    assert durations(12.1, 12.3) == "about 12 s"


def test_a_sign_of_life_comes_where_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[float] = []

    def words(seconds: float) -> str:
        asked.append(seconds)
        return "still there"

    with SignOfLife(words, quiet_seconds=0.05):
        while not asked:
            time.sleep(0.01)
    assert asked[0] >= 0.05
    assert "still there\n" in capsys.readouterr().err


def test_where_something_is_said_all_the_time_there_is_none() -> None:
    asked: list[float] = []
    with SignOfLife(lambda seconds: asked.append(seconds), quiet_seconds=1000.0) as sign:
        sign.hear()
    assert asked == []
