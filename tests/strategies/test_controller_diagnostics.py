"""What the controller tells about itself: records, alarm, `nas inspect`, weights that travel."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from nas.cli import main
from nas.contracts import Evaluation, Trial
from nas.errors import SettingsError, StudyError
from nas.search.plan import Plan
from nas.search.reading import updates_of
from nas.strategies.controller.history import SCALARS, histograms
from nas.strategies.controller.learned_weights import export_weights
from nas.strategies.controller.plain_space import PlainSpace
from nas.strategies.policy_gradient import PolicyGradient
from parts import command_line
from search_spaces.nasnet import NasnetSpace

FIELDS = {"update", "told", "of_last", "entropies", "policy", *SCALARS}
FIELDS -= {"critic_correlation", "known_share"}  # there is no critic in batches


def taught(trials: int, **options: object) -> PolicyGradient:
    chosen = {"hidden": 16, "preset": "plain", **options}
    strategy = PolicyGradient(PlainSpace.of(3, 4, 2), 0, **chosen)  # type: ignore[arg-type]
    for number in range(trials):
        proposal = strategy.ask(number)
        choices = strategy.space.encode(proposal.genotype)
        strategy.tell(
            Trial(number, proposal.genotype, 0, proposal.notes),
            Evaluation(float(choices == (0, 1, 1))),
        )
    return strategy


def test_a_record_for_every_update() -> None:
    strategy = taught(25, batch=10)
    records = strategy.diagnostics()
    assert [record["update"] for record in records] == [1, 2]
    assert all(set(record) == FIELDS for record in records)
    first = records[0]
    assert first["told"] == 10
    assert first["reward_min"] <= first["reward_mean"] <= first["reward_max"]
    assert first["entropy"] == pytest.approx(sum(first["entropies"]), abs=0.01)
    assert 0.9 < first["entropy_share"] <= 1
    assert [len(row) for row in first["policy"]] == [3, 4, 2]
    assert all(math.isclose(sum(row), 1, abs_tol=0.01) for row in first["policy"])
    assert strategy.diagnostics() == []


def test_kl_and_clipping_are_nothing_in_the_first_step_and_something_later() -> None:
    still = taught(10, epochs=1).diagnostics()[0]
    moved = taught(10, epochs=8, learning_rate=0.05, clip=0.01).diagnostics()[0]
    assert (still["kl"], still["clip_fraction"]) == (0, 0)
    assert moved["kl"] > 0.01
    assert moved["clip_fraction"] > 0.1


def test_a_collapse_raises_the_alarm_and_says_what_to_change() -> None:
    healthy = taught(150, learning_rate=1e-4, redraws=0).diagnostics()
    assert not any("alarm" in record for record in healthy)
    collapsed = taught(
        200, learning_rate=0.03, entropy_weight=0.0, redraws=0, replay=0, reuse=0
    ).diagnostics()
    alarm = collapsed[-1]["alarm"]
    assert alarm.startswith("the controller has collapsed: entropy is ")
    assert "raise strategy.entropy_weight (now 0)" in alarm
    assert "lower strategy.learning_rate (now 0.03)" in alarm


def test_search_and_status_say_that_the_controller_has_collapsed(tmp_path: Path) -> None:
    nas = command_line.nas
    quick = ("learning_rate=0.03", "entropy_weight=0", "hidden=16")
    options = ("preset=plain", *quick, "redraws=0", "replay=0", "reuse=0")
    words = [word for option in options for word in ("--set", f"strategy.{option}")]
    where = ("--space", "ladder", "--evaluator", "landscape", "--strategy", "policy-gradient")
    found = nas("search", *where, *words, "--trials", "300", "--out", tmp_path / "s")
    assert found.err.count("     alarm: the controller has collapsed: entropy is ") == 1
    assert "\nalarm: the controller has collapsed: entropy is " in found.out
    assert "\nalarm: the controller has collapsed" in nas("status", tmp_path / "s").out
    assert nas("status", tmp_path / "s", "--json").json["alarm"].startswith("the controller has")
    words = ("--space", "nasbench201", "--trials", "40", "--out", tmp_path / "well")
    assert "alarm" not in nas("search", *where[2:], *words).out
    assert nas("status", tmp_path / "well", "--json").json["alarm"] is None


def test_histograms_gather_decisions_with_the_same_options() -> None:
    space = NasnetSpace()
    uniform = {"policy": [[1 / count] * count for count in space.counts]}
    titles = [title for title, _, _ in histograms(uniform, space)]
    assert len(titles) == len(set(titles)) == 7
    for _, options, means in histograms(uniform, space):
        assert means == pytest.approx([1 / len(options)] * len(options))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "s"
    command = (
        "search --space nasnet --evaluator landscape --trials 40 --set strategy.hidden=16 --out"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["nas", *command.split(), str(folder)])
        with pytest.raises(SystemExit) as stop:
            main()
    assert not stop.value.code
    return folder


def nas(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["nas", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_inspect_shows_updates_and_preferences(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nas(monkeypatch, "inspect", study) == 0
    text = capsys.readouterr().out
    assert "entropy_share" in text
    assert "op_a, op_b: 20 decisions of 13 options" in text
    assert nas(monkeypatch, "inspect", study, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["updates"]) == len(updates_of(study)) == 4


def test_inspect_draws_and_exports(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("tensorboardX")
    words = (
        "--pictures",
        tmp_path / "p",
        "--tensorboard",
        tmp_path / "t",
        "--export",
        tmp_path / "w",
    )
    assert nas(monkeypatch, "inspect", study, *words) == 0
    assert sorted(file.name for file in (tmp_path / "p").iterdir()) == [
        "controller-curves.png",
        "controller-policy.png",
    ]
    assert list((tmp_path / "t").glob("events.out.tfevents.*"))
    warm = PolicyGradient(NasnetSpace(), 5, hidden=16, warm_start=str(tmp_path / "w"))
    assert len(warm.recorded()["warm_start_sha256"]) == 64
    cold = PolicyGradient(NasnetSpace(), 5, hidden=16)
    assert not torch.equal(warm.policy.weight, cold.policy.weight)
    assert warm.ask(0) != cold.ask(0)


def test_tensorboard_without_its_package_is_one_sentence(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    assert nas(monkeypatch, "inspect", study, "--tensorboard", tmp_path) == 2
    assert (
        "need tensorboardX, which is not installed: run `pip install 'nas-toolkit[tensorboard]'`"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("option", ["--pictures", "--tensorboard", "--export"])
def test_a_folder_that_cannot_be_made_is_refused_first(
    option: str,
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    assert nas(monkeypatch, "inspect", study, option, tmp_path / "file") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "file' cannot be made: File exists; give another one" in said.err


def test_a_study_without_a_controller_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "search --space nasnet --strategy random --evaluator landscape --trials 5 --out"
    assert nas(monkeypatch, *words.split(), tmp_path / "s") == 0
    assert nas(monkeypatch, "inspect", tmp_path / "s") == 2
    assert "has no updates of a controller" in capsys.readouterr().err
    plan = Plan.read(tmp_path / "s")
    with pytest.raises(StudyError, match="has no weights; only policy-gradient has"):
        export_weights(plan.make_strategy(plan.make_space()), [], tmp_path / "w")


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from nas.strategies.controller.weights import write_weights

    def warm(place: Path, **options: object) -> PolicyGradient:
        return PolicyGradient(PlainSpace.of(3, 4, 2), 0, warm_start=str(place), **options)  # type: ignore[arg-type]

    with pytest.raises(
        SettingsError,
        match="cannot be read: No such file or directory; expected a folder with contro",
    ):
        warm(tmp_path / "nothing")
    (tmp_path / "controller.safetensors").write_bytes(b"pickle, perhaps")
    with pytest.raises(
        SettingsError, match=r"is no safetensors file: .*; other formats are not read"
    ):
        warm(tmp_path)
    file = write_weights(taught(0).policy, tmp_path)
    assert torch.equal(warm(file, hidden=16).policy.weight, taught(0).policy.weight)
    with pytest.raises(
        SettingsError, match=r"holds the weights of another controller: .*; this one has .*100x4"
    ):
        warm(tmp_path)
    part = {
        name: value
        for name, value in taught(0).policy.state_dict().items()
        if name in ("embedding", "weight")
    }
    save_file(part, file)
    with pytest.raises(
        SettingsError, match=r"another controller: they differ in bias, lstm.bias_hh_l0"
    ):
        warm(tmp_path, hidden=16)
    broken = taught(0)
    with torch.no_grad():
        broken.policy.bias.fill_(math.nan)
    write_weights(broken.policy, tmp_path)
    with pytest.raises(SettingsError, match="holds NaN or infinite weights"):
        warm(tmp_path, hidden=16)
