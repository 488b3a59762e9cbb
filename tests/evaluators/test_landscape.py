"""The landscape has the target, the scores and the noise that its description says."""

import statistics

import pytest

from nas.errors import SettingsError
from nas.evaluators.landscape import Landscape, landscape_target
from nas.registry import load
from nas.seeding import derive

TARGETS = {
    0: [
        *[1, 1, 6, 3, 0, 0, 0, 0, 2, 1, 2, 3, 6, 7, 1, 3, 3, 7, 7, 1, 1, 4, 8, 0, 0],
        *[1, 1, 0, 9, 1, 2, 0, 1, 11, 0, 2, 0, 3, 6, 0, 2, 0, 0, 1, 0, 4, 3, 8, 3, 1],
    ],
    1: [
        *[0, 1, 9, 12, 0, 0, 2, 12, 3, 0, 3, 1, 3, 10, 0, 2, 3, 7, 1, 0, 5, 4, 10, 6, 1],
        *[0, 0, 10, 1, 0, 0, 1, 12, 1, 0, 1, 3, 2, 6, 0, 0, 3, 0, 3, 0, 2, 0, 12, 9, 1],
    ],
}


def never_stop(step, metrics):
    return True


@pytest.fixture(scope="module")
def nasnet():
    return load("space", "nasnet")()


@pytest.mark.parametrize(("seed", "zeros"), [(0, 0.28), (1, 0.32)])
def test_golden_target_and_score(nasnet, seed, zeros):
    landscape = Landscape(nasnet, seed=seed)
    assert list(landscape.target) == TARGETS[seed]
    assert landscape.true_score(nasnet.decode([0] * 50)) == zeros


def test_the_optimum_is_one(nasnet):
    landscape = Landscape(nasnet, seed=3)
    assert landscape.true_score(nasnet.decode(landscape.target)) == 1


def test_target_lies_in_any_space():
    assert all(
        0 <= choice < count
        for choice, count in zip(landscape_target([1, 2, 7], 5), [1, 2, 7], strict=True)
    )


def test_noise_comes_from_the_seed_of_the_trial_alone(nasnet, tmp_path):
    landscape = Landscape(nasnet, noise=0.5)
    genotype = nasnet.decode([0] * 50)
    scores = [
        landscape.evaluate(
            genotype, seed=derive(7, number), workdir=tmp_path, report=never_stop
        ).score
        for number in range(400)
    ]
    assert (
        scores[0]
        == landscape.evaluate(
            genotype, seed=derive(7, 0), workdir=tmp_path, report=never_stop
        ).score
    )
    assert statistics.mean(scores) == pytest.approx(0.28, abs=0.1)
    assert statistics.stdev(scores) == pytest.approx(0.5, abs=0.08)


def test_without_noise_score_and_metrics_and_final_are_the_true_score(nasnet, tmp_path):
    landscape = Landscape(nasnet, noise=0)
    genotype = nasnet.decode([0] * 50)
    evaluation = landscape.evaluate(genotype, seed=1, workdir=tmp_path, report=never_stop)
    assert evaluation.score == 0.28
    assert evaluation.metrics == landscape.final(genotype) == {"true_score": 0.28}


def test_a_learning_curve_rises_to_the_score(nasnet, tmp_path):
    curve = []

    def report(step, metrics):
        curve.append((step, metrics["score"]))
        return True

    genotype = nasnet.decode([0] * 50)
    evaluation = Landscape(nasnet, epochs=4).evaluate(
        genotype, seed=1, workdir=tmp_path, report=report
    )
    assert [step for step, _ in curve] == [1, 2, 3, 4]
    scores = [score for _, score in curve]
    assert scores == sorted(scores)
    assert scores[-1] == evaluation.score


def test_a_refused_report_ends_the_evaluation(nasnet, tmp_path):
    steps = []

    def report(step, metrics):
        steps.append(step)
        return step < 2

    landscape = Landscape(nasnet, noise=0, epochs=10, delay_seconds=0.001)
    evaluation = landscape.evaluate(
        nasnet.decode([0] * 50), seed=1, workdir=tmp_path, report=report
    )
    assert steps == [1, 2]
    assert evaluation.score < 0.28
    assert evaluation.seconds == pytest.approx(0.0002)


def test_only_a_landscape_without_delay_is_cheap(nasnet):
    assert Landscape(nasnet).cheap
    assert not Landscape(nasnet, delay_seconds=0.1).cheap


@pytest.mark.parametrize("option", ["noise", "seed", "epochs", "delay_seconds"])
def test_negative_options_are_refused(nasnet, option):
    with pytest.raises(SettingsError, match=f"{option} of the landscape is -1; expected 0 or more"):
        Landscape(nasnet, **{option: -1})


def test_with_interactions_the_optimum_is_one_and_half_the_decisions_hang_on_another(nasnet):
    landscape = Landscape(nasnet, seed=3, interactions=1.0)
    assert landscape.true_score(nasnet.decode(landscape.target)) == 1
    decisions = [place for pair in landscape.pairs for place in (pair.one, pair.other)]
    assert sorted(decisions) == list(range(50))
    pair = next(pair for pair in landscape.pairs if len(set(pair.answers)) > 1)
    scores = {}
    for choice, answer in enumerate(pair.answers):
        for other in range(nasnet.counts[pair.other]):
            choices = list(landscape.target)
            choices[pair.one], choices[pair.other] = choice, other
            scores[choice, other] = landscape.true_score(nasnet.decode(choices))
            assert scores[choice, other] == (1 if other == answer else 24 / 25)


def test_a_share_of_interactions_mixes_both(nasnet):
    plain, mixed, pairs = (Landscape(nasnet, seed=3, interactions=w) for w in (0.0, 0.25, 1.0))
    genotype = nasnet.decode([0] * 50)
    alone, together = plain.true_score(genotype), pairs.true_score(genotype)
    assert alone != together
    assert mixed.true_score(genotype) == pytest.approx(0.75 * alone + 0.25 * together)


@pytest.mark.parametrize("share", [1.5, -0.1])
def test_a_share_is_a_share(nasnet, share):
    with pytest.raises(SettingsError, match=r"interactions of the landscape is .*; expected"):
        Landscape(nasnet, interactions=share)
