"""Reports: every number against a computation of its own, the same bytes twice, and pages that need
nothing else."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nas.errors import NasError
from nas.reports import compare, curves, write
from nas.reports.as_json import tree
from nas.reports.experiment import Experiment, read_experiment
from nas.reports.frame import read_frame
from nas.reports.markdown import markdown
from nas.reports.outcome import outcome_of
from nas.search.run import open_search, run
from parts.command_line import nas
from parts.comparisons import CHEAP, compared, costly
from parts.studies import lines

SEEDS = range(1, 9)


def analysed(experiment: Experiment, margin: float | None = None) -> dict[str, Any]:
    """What stands in report.json."""
    found: dict[str, Any] = tree(compare.analysed(experiment, margin))
    return found


def write_report(folders: list[Path], out: Path | None = None) -> tuple[Path, dict[str, Any]]:
    """The report, and what stands in its report.json."""
    place, found = write.write_report(folders, out)
    assert json.loads((place / "report.json").read_text()) == json.loads(json.dumps(tree(found)))
    return place, tree(found)


ARMS = ("evolution", "random-search")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms, eight seeds, 25 trials, with a final of their own."""
    place = tmp_path_factory.mktemp("compared") / "all"
    assert compared(place, seeds="8", tree={**CHEAP, "study": {"trials": 25}})
    return place


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on it."""
    place = tmp_path_factory.mktemp("report")
    write_report([folder], place)
    return place


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    return analysed(read_experiment([folder]))


def events(folder: Path, label: str, seed: int) -> list[dict[str, Any]]:
    return lines(folder / label / f"seed-{seed}")


def told(folder: Path, label: str, seed: int) -> list[dict[str, Any]]:
    return [event for event in events(folder, label, seed) if event["event"] == "told"]


def final_of_winner(folder: Path, label: str, seed: int) -> float:
    """Read off the log: the final of the first trial with the highest score."""
    best = max(told(folder, label, seed), key=lambda event: (event["score"], -event["number"]))
    finals = {
        event["number"]: event["final"]
        for event in events(folder, label, seed)
        if event["event"] == "opened"
    }
    return float(finals[best["number"]]["true_score"])


def arm(result: dict[str, Any], label: str) -> dict[str, Any]:
    return next(row for row in result["arms"] if row["label"] == label)


# ------------------------------------------------------------------------------------- numbers,
# checked by hand


def test_arms_are_compared_by_the_final_of_their_winners(
    folder: Path, result: dict[str, Any]
) -> None:
    assert result["outcome"] == {
        "kind": "final", "name": "true_score", "confirmed": False, "winners": 16, "judged": 16,
        "judge": None,
    }  # fmt: skip
    for label in ARMS:
        values = np.array([final_of_winner(folder, label, seed) for seed in SEEDS])
        seen = arm(result, label)["outcome"]
        assert seen["mean"] == pytest.approx(values.sum() / 8)
        assert seen["sd"] == pytest.approx(math.sqrt(((values - values.mean()) ** 2).sum() / 7))
        assert seen["median"] == pytest.approx(np.sort(values)[3:5].mean())
        half = 2.364624 * values.std(ddof=1) / math.sqrt(8)
        assert seen["interval"] == pytest.approx(
            (values.mean() - half, values.mean() + half), rel=1e-5
        )
        assert [row["outcome"] for row in arm(result, label)["per_seed"]] == pytest.approx(
            list(values)
        )


def test_differences_are_paired_by_seed(folder: Path, result: dict[str, Any]) -> None:
    (row,) = result["comparisons"]
    d = np.array(
        [final_of_winner(folder, ARMS[0], s) - final_of_winner(folder, ARMS[1], s) for s in SEEDS]
    )
    assert row["mean_difference"] == pytest.approx(d.mean())
    assert row["effect_size"] == pytest.approx(d.mean() / d.std(ddof=1))
    assert row["superiority"] == pytest.approx(((d > 0).sum() + (d == 0).sum() / 2) / 8)
    other = stats.ttest_rel(d + 1, np.ones(8)).confidence_interval()
    assert row["interval"] == pytest.approx((other.low, other.high))
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1)
    means = np.abs(d @ signs / 8)
    assert row["p"] == pytest.approx(np.mean(means >= abs(d.mean()) - 1e-12))


def test_random_sampling_is_read_off_random_search(folder: Path, result: dict[str, Any]) -> None:
    means = [
        np.mean([event["score"] for event in told(folder, "random-search", seed)]) for seed in SEEDS
    ]
    assert result["sampling"]["score"]["mean"] == pytest.approx(np.mean(means))
    firsts = []
    for seed in SEEDS:
        opened_ = [e for e in events(folder, "random-search", seed) if e["event"] == "opened"]
        assert opened_[0]["number"] == told(folder, "random-search", seed)[0]["number"]
        firsts.append(opened_[0]["final"]["true_score"])
    assert result["sampling"]["outcome"]["mean"] == pytest.approx(np.mean(firsts))
    ours = arm(result, "evolution")
    percent = 100 * (ours["outcome"]["mean"] - np.mean(firsts)) / np.mean(firsts)
    assert ours["improvement"]["percent"] == pytest.approx(percent)


def test_counts_rates_and_costs_are_those_of_the_logs(folder: Path, result: dict[str, Any]) -> None:
    for label in ARMS:
        every = [event for seed in SEEDS for event in events(folder, label, seed)]
        reused = sum("reused" in event for event in every)
        row = arm(result, label)
        asked = sum(event["event"] == "asked" for event in every)
        assert row["counts"]["asked"] == asked == 200 + reused
        assert row["counts"]["reused"] == reused
        assert row["rates"]["duplicates"] == pytest.approx(reused / asked)
        assert row["costs"]["trials"] == pytest.approx(200 / 8)
        own = sum(event.get("strategy_seconds", 0.0) for event in every)
        assert row["costs"]["strategy_seconds"] == pytest.approx(own / 8)


def test_incumbents_over_trials_are_running_maxima(folder: Path, result: dict[str, Any]) -> None:
    data = result["curves"]["trials"]
    rows = []
    for seed in SEEDS:
        best, row, fresh = -math.inf, {}, 0
        for event in told(folder, "evolution", seed):
            fresh += "reused" not in event
            best = max(best, event["score"])
            row[fresh] = best
        rows.append([row[max(place for place in row if place <= x)] for x in data["x"]])
    assert data["score"]["evolution"]["median"] == pytest.approx(np.median(rows, axis=0), rel=1e-6)
    assert data["score"]["evolution"]["low"] == pytest.approx(
        np.quantile(rows, 0.25, axis=0), rel=1e-6
    )
    assert data["score"]["evolution"]["mean"] == pytest.approx(np.mean(rows, axis=0), rel=1e-6)
    half = 2.364624 * np.std(rows, axis=0, ddof=1) / math.sqrt(8)
    assert data["score"]["evolution"]["mean_high"] == pytest.approx(
        np.mean(rows, axis=0) + half, rel=1e-5
    )


def test_means_of_the_best_count_distinct_genotypes(folder: Path, result: dict[str, Any]) -> None:
    last = []
    for seed in SEEDS:
        keys = {
            e["number"]: e["key"]
            for e in events(folder, "random-search", seed)
            if e["event"] == "asked"
        }
        scores = {
            keys[event["number"]]: event["score"] for event in told(folder, "random-search", seed)
        }
        last.append(np.mean(sorted(scores.values())[-5:]))
    frame = read_frame(folder / "random-search" / "seed-1")
    assert curves.top_means(frame, np.array([1e9]))[5][0] == pytest.approx(last[0])
    assert (
        curves.top_means(frame, np.array([4.0]))[5][0]
        != curves.top_means(frame, np.array([4.0]))[5][0]
    )  # too few


def test_the_area_is_the_mean_height_of_the_incumbent(folder: Path) -> None:
    frame = read_frame(folder / "evolution" / "seed-3")
    end = 20
    heights = curves.incumbents(frame, "trials", np.arange(1, end) + 0.5, lambda best: best.score)
    by_hand = (
        frame.bests[0].score + heights.sum()
    ) / end  # before the first result it stands where that put it
    assert curves.area(frame, "trials", end) == pytest.approx(by_hand)


def test_the_target_is_timed(folder: Path, result: dict[str, Any]) -> None:
    ends = sorted(max(e["score"] for e in told(folder, "random-search", seed)) for seed in SEEDS)
    goal = ends[3]
    assert result["target"]["score"] == goal
    times = []
    for seed in SEEDS:
        fresh, hit = 0, math.inf
        for event in told(folder, "evolution", seed):
            fresh += "reused" not in event
            if event["score"] >= goal:
                hit = min(hit, fresh)
        times.append(hit)
    row = arm(result, "evolution")["to_target"]
    assert row["reached"] == sum(time < math.inf for time in times)
    assert row["median_trials"] == (None if sorted(times)[4] == math.inf else sorted(times)[4])


def test_distributions_are_those_of_all_scores(folder: Path, result: dict[str, Any]) -> None:
    scores = [event["score"] for seed in SEEDS for event in told(folder, "evolution", seed)]
    data = result["distributions"]["evolution"]
    assert (data["score"][0], data["score"][-1]) == pytest.approx((min(scores), max(scores)))
    assert data["score"][100] == pytest.approx(np.median(scores))


def test_a_front_holds_what_nothing_beats() -> None:
    costs = np.array([3.0, 1.0, 2.0, 2.0, 5.0, math.nan, 4.0])
    scores = np.array([7.0, 5.0, 4.0, 6.0, 7.0, 9.0, 8.0])
    found = curves.front(costs, scores)
    points = [(c, s) for c, s in zip(costs, scores, strict=True) if c == c]
    better = [
        p for p in points if not any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in points)
    ]
    assert found == sorted(better) == [(1.0, 5.0), (2.0, 6.0), (3.0, 7.0), (4.0, 8.0)]


def test_the_winner_is_chosen_by_score_never_by_final(folder: Path, result: dict[str, Any]) -> None:
    for label in ARMS:
        best = {seed: max(event["score"] for event in told(folder, label, seed)) for seed in SEEDS}
        chosen = max(best, key=lambda seed: (best[seed], -seed))
        row = arm(result, label)["winner"]
        assert (row["seed"], row["score"]) == (chosen, best[chosen])
        assert row["genotype"] == json.loads(
            (folder / label / f"seed-{chosen}" / "best" / "genotype.json").read_text()
        )


# -------------------------------------------------------------------------------------------- what
# is reported


def test_the_same_report_twice_is_the_same_bytes(
    folder: Path, report: Path, tmp_path: Path
) -> None:
    write_report([folder], tmp_path)
    files = sorted(path.relative_to(report) for path in report.rglob("*") if path.is_file())
    kinds = {path.suffix for path in files}
    assert kinds == {".html", ".json", ".md", ".csv", ".svg", ".png", ".pdf"}
    for file in files:
        assert (report / file).read_bytes() == (tmp_path / file).read_bytes(), file


def test_the_page_needs_no_script_and_no_network(report: Path) -> None:
    page = (report / "report.html").read_text()
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert not re.findall(r"url\((?!#)", page)
    assert "@import" not in page
    without_names = page.replace("http://www.w3.org/2000/svg", "").replace(
        "http://www.w3.org/1999/xlink", ""
    )
    assert "http" not in without_names
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert page.count("<svg") == page.count('role="img"')
    for needed in ('name="viewport"', "prefers-color-scheme:dark", "@media print"):
        assert needed in page


def test_every_cell_knows_its_column_where_a_row_is_a_list(report: Path) -> None:
    page = (report / "report.html").read_text()
    assert "td::before{content:attr(data-column)" in page
    tables = re.findall(r"<thead>.*?</tbody>", page, re.DOTALL)
    assert len(tables) > 4
    for table in tables:
        columns = re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', table)
        for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", table):
            assert re.findall(r'<td data-column="([^"]*)">', row) == columns[1:]


def test_under_the_headline_stands_a_sentence_without_statistics(report: Path) -> None:
    page, text = (report / "report.html").read_text(), (report / "report.md").read_text()
    (plain,) = re.findall(r'</h1>\n<p class="plain">(.*?)</p>', page)
    assert plain in text
    assert plain.startswith("In plain words: ")
    assert not re.search(r"interval|effect|p =| sd|[0-9]", plain)


def test_all_trials_are_in_the_table(folder: Path, report: Path) -> None:
    rows = list(csv.DictReader((report / "trials.csv").read_text().splitlines()))
    assert len(rows) == sum(len(told(folder, label, seed)) for label in ARMS for seed in SEEDS)
    ours = [row for row in rows if (row["arm"], row["seed"]) == ("evolution", "2")]
    assert [float(row["score"]) for row in ours] == [
        event["score"] for event in told(folder, "evolution", 2)
    ]


def test_the_table_is_the_same_however_few_rows_are_written_at_once(
    folder: Path, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.reports.write._AT_ONCE", 7)
    write_report([folder], tmp_path)
    assert (tmp_path / "trials.csv").read_bytes() == (report / "trials.csv").read_bytes()


def test_a_metric_that_only_one_study_has_is_empty_elsewhere(tmp_path: Path) -> None:
    log = Path("evolution/seed-2/events.jsonl")
    rows = trials_with('"metrics":{', '"metrics":{"latency":0.25,', log, tmp_path)
    of_study = [row for row in rows if (row["arm"], row["seed"]) == ("evolution", "2")]
    assert [row["latency"] for row in of_study] == ["0.25"] + ["nan"] * (len(of_study) - 1)
    assert {row["latency"] for row in rows if row not in of_study} == {""}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_spreadsheet_takes_a_name_for_a_formula(name: str, tmp_path: Path) -> None:
    plan = Path("study.json")
    rows = trials_with(
        '"name": "evolution"', f'"name": "{name}"', plan, tmp_path, "evolution/seed-2"
    )
    assert {row["arm"] for row in rows} == {f"'{name}"}


def trials_with(
    text: str, new: str, file: Path, folder: Path, study: str = ""
) -> list[dict[str, str]]:
    """The table of trials of a comparison, or of one study of it, with one text changed."""
    kept = Path(__file__).parents[1] / "corpus" / "comparison" / "study" / study
    copy = Path(shutil.copytree(kept, folder / "all"))
    (copy / file).write_text((copy / file).read_text().replace(text, new, 1))
    write_report([copy], folder / "report")
    return list(csv.DictReader((folder / "report" / "trials.csv").read_text().splitlines()))


def test_markdown_and_page_begin_with_the_verdict(report: Path, result: dict[str, Any]) -> None:
    assert (report / "report.md").read_text().startswith(f"# {result['verdict']}\n")
    assert f"<h1>{result['verdict']}</h1>" in (report / "report.html").read_text()
    assert json.loads((report / "report.json").read_text())["verdict"] == result["verdict"]


def test_a_margin_given_late_is_called_late(folder: Path) -> None:
    experiment = read_experiment([folder])
    assert analysed(experiment)["margin"] == {
        "value": 0.001,
        "stated": "by default: a tenth of a percentage point",
    }
    late = analysed(experiment, margin=2.0)
    assert late["margin"]["stated"] == "with this report, after the studies were run"
    assert late["comparisons"][0]["p_equivalence"] < 0.001


def test_single_studies_and_several_folders_are_read_too(folder: Path) -> None:
    alone = analysed(read_experiment([folder / "evolution" / "seed-1"]))
    assert alone["comparisons"] == []
    assert "one study compares nothing" in alone["verdict"]
    arms = [folder / label for label in ARMS]
    apart = analysed(read_experiment(arms))
    whole = analysed(read_experiment([folder]))
    assert apart["comparisons"][0]["mean_difference"] == whole["comparisons"][0]["mean_difference"]
    assert apart["honesty"]["planned"], "all of them are of one comparison"
    with_another = [*arms, study_elsewhere(folder / "evolution" / "seed-1", folder.parent)]
    assert not analysed(read_experiment(with_another))["honesty"]["planned"]


def study_elsewhere(study: Path, place: Path) -> Path:
    """The same study with a seed that no other has, outside of its comparison."""
    copy = place / "elsewhere"
    shutil.copytree(study, copy)
    log, begun = copy / "events.jsonl", copy / "study.json"
    log.unlink()
    begun.write_text(begun.read_text().replace('"seed": 1,', '"seed": 91,'))
    return copy


def test_a_seed_counts_once(folder: Path) -> None:
    with pytest.raises(NasError, match=r"evolution has seed 1 twice \("):
        read_experiment([folder / "evolution" / "seed-1", folder / "evolution"])


def test_studies_of_different_work_are_not_compared(folder: Path, tmp_path: Path) -> None:
    compared(
        tmp_path / "other",
        seeds="1",
        tree={**CHEAP, "evaluator": {"name": "landscape", "noise": 0.5}},
    )
    with pytest.raises(NasError) as problem:
        read_experiment([folder, tmp_path / "other"])
    assert "did different work (evaluator.options.noise: 0.02 and 0.5)" in str(problem.value)
    assert str(problem.value).endswith("report them apart")


def test_unfinished_studies_are_left_out_and_named(tmp_path: Path) -> None:
    compared(tmp_path / "all", seeds="3")
    log = tmp_path / "all" / "evolution" / "seed-2" / "events.jsonl"
    log.write_bytes(log.read_bytes()[:2_000])
    found = analysed(read_experiment([tmp_path / "all"]))
    assert found["comparisons"][0]["paired_seeds"] == [1, 3]
    assert found["honesty"]["unfinished"] == {"evolution": [2]}
    states = {row["item"]: row["state"] for row in found["checklist"]}
    assert states["No run is left out"] == "open"


def test_studies_that_were_planned_and_not_begun_are_named(tmp_path: Path) -> None:
    from nas.search.comparing.run import Progress

    progress = Progress()
    progress.changed = lambda p: p.stop() if p.ended == 3 else None
    compared(tmp_path, seeds="3", progress=progress)
    found = analysed(read_experiment([tmp_path]))
    assert found["honesty"]["not_run"] == {"evolution": [3], "random-search": [2, 3]}
    notes = {row["item"]: (row["state"], row["note"]) for row in found["checklist"]}
    assert notes["No run is left out"] == ("open", "3 were not begun")


def test_seeds_added_later_are_an_open_item(tmp_path: Path) -> None:
    compared(tmp_path, seeds="2")
    item = "The number of seeds was fixed beforehand"
    states = {
        row["item"]: row["state"] for row in analysed(read_experiment([tmp_path]))["checklist"]
    }
    assert states[item] == "kept"
    compared(tmp_path, seeds="3")
    states = {
        row["item"]: row["state"] for row in analysed(read_experiment([tmp_path]))["checklist"]
    }
    assert states[item] == "open"


def test_confirmed_winners_decide_and_the_curse_is_shown(tmp_path: Path) -> None:
    from nas.search.comparing.plan import Confirm

    noisy = {**CHEAP, "evaluator": {"name": "landscape", "noise": 0.3}, "study": {"trials": 25}}
    compared(tmp_path, seeds="6", tree=noisy, confirm=Confirm(5))
    experiment = read_experiment([tmp_path])
    found = analysed(experiment)
    assert found["outcome"]["confirmed"] is True
    for label in ARMS:
        curse = arm(found, label)["curse"]
        search, again, chosen = [], [], []
        for seed in range(1, 7):
            confirmed = lines(tmp_path / label / f"seed-{seed}" / "confirm")
            scores = {
                event["number"]: event["score"] for event in confirmed if event["event"] == "told"
            }
            search.append(max(event["score"] for event in told(tmp_path, label, seed)))
            again.append(scores[0])
            chosen.append(max(scores.values()))
        assert curse["search_score"] == pytest.approx(np.mean(search))
        assert curse["same_confirmed"] == pytest.approx(np.mean(again))
        assert curse["chosen_confirmed"] == pytest.approx(np.mean(chosen))
        assert curse["search_score"] > curse["same_confirmed"]
    assert outcome_of(experiment).confirmed


def test_failures_and_networks_without_cells_are_reported(tmp_path: Path) -> None:
    from nas.search.words import assignment

    tree = {
        "space": {"name": "nasbench201"},
        "strategy": {"name": "random-search"},
        "evaluator": {"name": "parts.studies:Judge", "fails": 1},
        "study": {"trials": 6, "retries": 0},
    }
    todo = assignment(tree)
    with open_search(todo.plan, tmp_path / "failed", todo.budget) as search:
        run(search)
    _, found = write_report([tmp_path / "failed"])
    assert found["arms"][0]["counts"]["failed"] == 6
    assert found["arms"][0]["counts"]["failure_kinds"] == {"error": 6}
    assert found["arms"][0]["winner"] is None


def test_costly_arms_have_fronts_over_parameters(tmp_path: Path) -> None:
    compared(tmp_path / "all", seeds="2", tree=costly(tmp_path / "diary"))
    _, found = write_report([tmp_path / "all"])
    assert list(found["fronts"]) == ["params"]
    assert found["curves"]["cost"]["final"].keys() == {"evolution", "random-search"}
    assert (tmp_path / "all" / "figures" / "front-params.png").stat().st_size > 5_000


def test_trained_arms_are_compared_on_the_test_split_read_for_winners_only(tmp_path: Path) -> None:
    from nas.search.comparing.plan import Confirm

    small = {"epochs": 1, "train_images": 64, "batch_size": 32}
    child = {
        "device": "cpu",
        "precision": "fp32",
        "layout": "contiguous",
        "recipe": small,
        "skeleton": {"filters": 4},
    }
    tree = {
        "space": {"name": "nasbench201"},
        "evaluator": {"name": "train", **child},
        "study": {"trials": 4},
    }
    compared(tmp_path, "local-search,random-search", seeds="2", tree=tree, confirm=Confirm(2))
    _, found = write_report([tmp_path])
    assert found["outcome"] == {
        "kind": "final", "name": "test_accuracy", "confirmed": True, "winners": 4, "judged": 4,
        "judge": None,
    }  # fmt: skip
    for label in ("local-search", "random-search"):
        for seed in (1, 2):
            for study in (label, seed), (label, f"{seed}/confirm"):
                log = lines(tmp_path / study[0] / f"seed-{study[1]}")
                assert [event["number"] for event in log if event["event"] == "opened"] == [
                    _best_of(log)
                ]
            judged = [
                event["final"]["test_accuracy"] for event in log if event["event"] == "opened"
            ]
            rows = {row["seed"]: row for row in arm(found, label)["per_seed"]}
            assert [rows[seed]["outcome"]] == judged
        gain = arm(found, label)["improvement"]
        assert gain["by"] == "score"
        chosen = np.mean([rows[seed]["confirmed_score"] for seed in (1, 2)])
        assert gain["percent"] == pytest.approx(
            100 * (chosen / found["sampling"]["score"]["mean"] - 1)
        )
    assert found["sampling"]["outcome"] == {"n": 0}
    assert set(found["curves"]["trials"]) == {"x", "score"}, "only the last incumbents have a final"
    text = " ".join((tmp_path / "report.md").read_text().replace("\\", "").split())
    assert (
        "Only winners kept what a final needs, so gains over random sampling compare val_accuracy."
        in text
    )
    assert "test_accuracy is read after a study has ended, for its incumbents only" in text


def _best_of(log: list[dict[str, Any]]) -> int:
    told = [event for event in log if event["event"] == "told" and "reused" not in event]
    return int(max(told, key=lambda event: event["score"])["number"])


def test_trained_draws_that_were_judged_because_they_won_are_no_random_sample(
    tmp_path: Path,
) -> None:
    """With two trials, the first draw is often the winner, and only winners have a final."""
    small = {"epochs": 1, "train_images": 64, "batch_size": 32}
    child = {
        "device": "cpu",
        "precision": "fp32",
        "layout": "contiguous",
        "recipe": small,
        "skeleton": {"filters": 4},
    }
    tree = {
        "space": {"name": "nasbench201"},
        "evaluator": {"name": "train", **child},
        "study": {"trials": 2},
    }
    compared(tmp_path, "local-search,random-search", seeds="6", tree=tree)
    experiment = read_experiment([tmp_path])
    baseline = next(arm for arm in experiment.arms if arm.label == "random-search")
    judged = [seed for seed, study in baseline.finished.items() if study.bests[0].final]
    assert 0 < len(judged) < 6, "else this proves nothing"
    found = analysed(experiment)
    assert found["sampling"]["outcome"] == {"n": 0}
    assert {row["improvement"]["by"] for row in found["arms"]} == {"score"}


def test_one_winner_that_was_not_judged_is_said(tmp_path: Path) -> None:
    compared(tmp_path, seeds="2")
    log = tmp_path / "evolution" / "seed-1" / "events.jsonl"
    log.write_bytes(
        b"".join(
            line for line in log.read_bytes().splitlines(True) if b'{"event":"opened"' not in line
        )
    )
    _, found = write_report([tmp_path])
    assert (found["outcome"]["kind"], found["outcome"]["judged"], found["outcome"]["winners"]) == (
        "score",
        3,
        4,
    )
    text = " ".join((tmp_path / "report.md").read_text().split())
    assert "only 3 of 4 winners have a final (weights or test split missing?)" in text
    assert "by what the searches saw" in text
    states = {row["item"]: row["state"] for row in found["checklist"]}
    assert states["The split that judges is not used to search"] == "open"


def test_an_arm_that_did_what_random_search_did_is_not_called_equivalent(tmp_path: Path) -> None:
    heard: list[str] = []
    from nas.search.comparing.run import Progress

    tree = {name: table for name, table in CHEAP.items() if name != "evolution"}
    compared(tmp_path, seeds="7", tree=tree, progress=Progress(notice=heard.append))
    assert heard == [
        "evolution draws at random until it has heard of 100 trials, and a study has 12: it is "
        "random search here; "
        "give more --trials, or let it learn sooner"
    ]
    found = analysed(read_experiment([tmp_path]))
    assert found["verdict"] == "Evolution cannot be compared with random-search."
    (row,) = found["comparisons"]
    assert row["sentence"] == (
        "evolution is not compared with random-search: in every study it proposed exactly what "
        "random-search did: give "
        "it more trials, or let it learn sooner."
    )
    assert row["more_seeds"] is None


def test_arms_whose_trials_all_failed_get_no_advice_about_seeds(tmp_path: Path) -> None:
    tree = {
        "space": {"name": "nasbench201"},
        "evaluator": {"name": "parts.studies:Judge", "fails": 1},
        "study": {"trials": 3, "retries": 0},
    }
    compared(tmp_path, "local-search,random-search", seeds="2", tree=tree)
    (row,) = analysed(read_experiment([tmp_path]))["comparisons"]
    assert row["sentence"] == (
        "local-search is not compared with random-search: no seed has a winner in both arms (6 "
        "trials of local-search "
        "failed, 6 trials of random-search failed)."
    )


def test_without_the_plots_extra_there_are_words_and_numbers(
    folder: Path, result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("matplotlib", "scipy")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    answer = nas("report", folder, "--out", tmp_path)

    assert answer.code == 0
    assert answer.err == (
        "note: no picture is drawn (matplotlib is not installed) and no difference is tested "
        "(scipy is not installed): pip install 'nas-toolkit[plots]'\n"
    )
    found = json.loads((tmp_path / "report.json").read_text())
    row, whole = found["comparisons"][0], result["comparisons"][0]
    assert row["verdict"] == "not compared"
    assert "its tests need scipy, which is not installed" in (tmp_path / "report.md").read_text()
    assert (row["mean_difference"], row["p"]) == (whole["mean_difference"], None)
    assert arm(found, "evolution")["outcome"]["mean"] == arm(result, "evolution")["outcome"]["mean"]
    assert not (tmp_path / "figures").exists()


def test_a_comparison_that_cannot_be_judged_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    words = ("--space", "ladder", "--evaluator", "landscape", "--trials", "3", "--seeds", "2")
    answer = nas("compare", *words, "--out", tmp_path / "all")
    assert answer.sentence == (
        "the verdict needs scipy, which is not installed: pip install 'nas-toolkit[plots]', or "
        "say --no-report and report elsewhere"
    )
    assert not (tmp_path / "all").exists()


def test_names_are_no_markup(folder: Path) -> None:
    found = compare.analysed(read_experiment([folder]))
    rows = [replace(found.arms[0], label="a|b_c <i>*[x](y)`\n# d"), *found.arms[1:]]
    text = markdown(replace(found, arms=rows, verdict="<b>"), [])
    assert r"a\|b\_c &lt;i>\*\[x\](y)\` # d" in text
    assert text.startswith("# &lt;b>\n")
    assert "\n# d" not in text


@pytest.mark.parametrize("words", [("--margin", "inf"), ("--target", "nan"), ("--target", "inf")])
def test_numbers_that_are_none_are_refused(folder: Path, words: tuple[str, str]) -> None:
    assert nas("report", folder, *words).sentence.startswith(
        f"{words[0]} is {words[1]}: expected a number"
    )


def test_a_single_update_of_a_controller_is_seen() -> None:
    from nas.reports.findings import Band, ControllerCurves
    from nas.reports.plots import _controller

    for told, seen in (([8], ["o"]), ([8, 16], ["None"])):
        several = Band(*([value] * len(told) for value in (0.1, 0.2, 0.4, 0.2, 0.1, 0.3)))
        curves = ControllerCurves(told, {"kl": several}, 0, 3)
        (axes,) = _controller(curves, "kl", "policy-gradient", "red").axes
        assert [line.get_marker() for line in axes.lines] == seen
