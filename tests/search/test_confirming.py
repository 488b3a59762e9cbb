"""The end of a cheap search: its best are judged by another judge, which chooses."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import pytest

from nas.contracts import Evaluation, Trial
from nas.evaluators._repeated import Repeated
from nas.evaluators.landscape import Landscape
from nas.exporting.searched import SearchedStudy
from nas.registry import load
from nas.search.confirmed import confirmation_of
from nas.search.plan import Plan
from nas.search.reading import heard_of
from nas.seeding import derive, numpy_rng
from nas.strategies.controller.belief import expected
from parts.command_line import nas
from search_spaces.cells.genotype import Genotype

SEARCH = ("search", "--space", "nasbench201", "--strategy", "random-search", "--trials", "30")
CHEAP = (*SEARCH, "--evaluator", "landscape", "--set", "evaluator.noise=0.5")
CONFIRM = ("--confirm", "4", "--confirm-evaluator", "landscape", "--set", "confirm.noise=0")


def events(folder: Path, name: str) -> list[dict[str, object]]:
    lines = (folder / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def test_the_best_are_judged_again_with_seeds_of_their_own_and_the_best_of_them_wins(
    tmp_path: Path,
) -> None:
    out = tmp_path / "s"
    said = nas(*CHEAP, *CONFIRM, "--out", str(out), "--json").json
    assert said["searched"]["trials"] == 30
    assert said["searched"]["folder"] == str(out)
    again = Path(said["folder"])
    assert again.parent == out

    told = sorted(events(out, "told"), key=lambda event: -event["score"])  # type: ignore[operator]
    asked = {event["number"]: event for event in events(out, "asked")}
    best = list(dict.fromkeys(asked[event["number"]]["key"] for event in told))[:4]
    confirmed = events(again, "asked")
    assert [event["key"] for event in confirmed] == best
    assert not {e["seed"] for e in confirmed} & {e["seed"] for e in asked.values()}

    scores = {event["number"]: event["score"] for event in events(again, "told")}
    assert len(scores) == 4
    assert said["best"]["score"] == max(scores.values())  # type: ignore[type-var]
    assert (again / "best" / "genotype.json").is_file()


def test_the_same_command_again_judges_nothing_and_a_longer_search_is_confirmed_anew(
    tmp_path: Path,
) -> None:
    out = tmp_path / "s"
    first = nas(*CHEAP, *CONFIRM, "--out", str(out))
    assert first.code == 0, first.err
    assert "confirmed: the best 4 are judged by landscape, which chooses" in first.out
    assert "next:" in first.out
    assert "nas resume" not in first.out  # more trials of a confirmation mean nothing
    logs = {path: path.read_bytes() for path in out.rglob("events.jsonl")}
    assert len(logs) == 2
    nas(*CHEAP, *CONFIRM, "--out", str(out))
    assert {path: path.read_bytes() for path in out.rglob("events.jsonl")} == logs
    longer = [word if word != "30" else "300" for word in CHEAP]
    assert nas(*longer, *CONFIRM, "--out", str(out)).code == 0
    assert len(list(out.glob("confirm-*"))) == 2


def test_the_folder_of_a_confirmed_search_stands_for_the_winner_that_was_chosen(
    tmp_path: Path,
) -> None:
    out = tmp_path / "s"
    words = ["evolution" if word == "random-search" else word for word in CHEAP]
    chosen = nas(*words, *CONFIRM, "--out", str(out), "--json").json["best"]["key"]
    (again,) = out.glob("confirm-*")
    scored = nas("best", str(again), "--json").json["best"]
    assert scored[0]["key"] == chosen

    listed = nas("best", str(out), "--top", "6", "--json").json["best"]
    assert [one.get("confirmed_in") for one in listed] == [again.name] * 4 + [None] * 2
    assert listed[0]["key"] == chosen
    assert len({one["key"] for one in listed}) == 6
    assert nas("best", str(out)).out.startswith(f"  1. confirmed, {again.name}: trial ")
    assert (
        f"confirmed: landscape chose trial {listed[0]['number']} of {again}"
        in nas("status", str(out)).out
    )
    assert Genotype.from_json((out / "best" / "genotype.json").read_text()).key == chosen
    assert SearchedStudy(out).best.key == chosen

    exported = nas("export", str(out), "--to", "python,json", "--out", str(tmp_path / "e"))
    assert exported.code == 0, exported.err
    assert Genotype.from_json((tmp_path / "e" / "genotype.json").read_text()).key == chosen
    card = (tmp_path / "e" / "README.md").read_text()
    assert f"- study: s/{again.name}\n" in card
    assert "- strategy: evolution\n" in card  # which proposed it, not what judged it again


def test_a_confirmation_counts_while_it_is_whole_and_the_search_found_no_better_one(
    tmp_path: Path,
) -> None:
    out = tmp_path / "s"
    nas(*CHEAP, *CONFIRM, "--out", str(out))
    (again,) = out.glob("confirm-*")
    log = again / "events.jsonl"
    whole = log.read_bytes()
    log.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    assert confirmation_of(out) is None
    log.write_bytes(whole)
    assert confirmation_of(out) == again

    assert nas("resume", str(out), "--trials", "+5").code == 0
    assert confirmation_of(out) is None
    assert "confirmed: not yet, or it found a better one since" in nas("status", str(out)).out
    best = nas("best", str(out), "--json").json["best"][0]
    assert "confirmed_in" not in best
    assert Genotype.from_json((out / "best" / "genotype.json").read_text()).key == best["key"]


def test_a_confirmation_in_which_all_failed_chooses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no")

    nas(*CHEAP, "--out", str(tmp_path))
    before = nas("best", str(tmp_path), "--json").json["best"]
    monkeypatch.setattr(Landscape, "evaluate", fail)
    nas(*CHEAP, *CONFIRM, "--out", str(tmp_path))
    (again,) = tmp_path.glob("confirm-*")
    assert len(events(again, "failed")) == 4
    assert confirmation_of(tmp_path) is None
    assert nas("best", str(tmp_path), "--json").json["best"] == before
    assert nas("status", str(tmp_path)).code == 0


def test_a_report_on_a_confirmed_search_compares_no_judges_of_two_kinds(tmp_path: Path) -> None:
    words = (*CHEAP, "--confirm", "2", "--confirm-evaluator", "landscape")
    nas(*words, "--out", str(tmp_path / "alike"))
    nas("report", str(tmp_path / "alike"))
    assert "The winner's curse" in (tmp_path / "alike" / "report.md").read_text()

    trained = ("--confirm", "2", "--set", "confirm.recipe.epochs=1", "--set")
    small = ("confirm.skeleton.filters=4", "--set", "confirm.dataset=digits", "--to", "none")
    answer = nas(*CHEAP, *trained, *small, "--out", str(tmp_path / "other"))
    assert answer.code == 0, answer.err
    nas("report", str(tmp_path / "other"))
    page = (tmp_path / "other" / "report.md").read_text()
    assert "The winner's curse" not in page
    assert "| confirmation | in confirm-" in page
    assert ", evaluator train, trials 2, best 0." in page


def test_belief_finds_better_winners_of_noisy_searches_than_scores_do() -> None:
    """Of the very logs: which true score the one has that would be confirmed first."""
    gained = []
    for seed in range(12):
        space, rng = load("space", "nasbench201")(), numpy_rng(seed, "test")
        judge = Repeated(Landscape(space, noise=0.6, seed=seed), 3)
        heard: list[tuple[Trial, Evaluation]] = []
        for number in range(150):
            trial = Trial(number, space.sample(rng), derive(seed, "trial", number))
            told = judge.evaluate(
                trial.genotype, seed=trial.seed, workdir=Path(), report=lambda *_: True
            )
            heard.append((trial, told))
        genotypes = [trial.genotype for trial, _ in heard]
        worth = expected(space, heard, genotypes)
        scores = [told.score for _, told in heard]
        true = [told.metrics["true_score"] for _, told in heard]
        by_belief, by_score = (true[row.index(max(row))] for row in (worth, scores))
        gained.append(by_belief - by_score)
    assert fmean(gained) > 0.05, gained


def test_a_score_told_again_is_no_second_opinion() -> None:
    space = load("space", "ladder")()
    rng = numpy_rng(0, "test")
    heard = [
        (Trial(number, space.sample(rng), number), Evaluation(float(number % 5)))
        for number in range(12)
    ]
    again = [(Trial(12 + place, heard[3][0].genotype, 0), heard[3][1]) for place in range(9)]
    genotypes = [trial.genotype for trial, _ in heard]
    assert expected(space, heard + again, genotypes) == expected(space, heard, genotypes)


def test_who_is_believed_in_is_judged_again_whatever_the_strategy(tmp_path: Path) -> None:
    """The order is that of the critic, and another one than that of the scores."""
    swap = {"30": "60", "random-search": "critic"}
    noisy = [swap.get(word, word) for word in CHEAP]
    chosen = {}
    for by in ("score", "belief"):
        words = ("--confirm-by", by, "--out", str(tmp_path / by), "--json")
        said = nas(*noisy, "--set", "evaluator.seed=3", *CONFIRM, *words).json
        chosen[by] = [event["key"] for event in events(Path(said["folder"]), "asked")]
        assert len(set(chosen[by])) == 4
    out = tmp_path / "belief"
    plan = Plan.read(out)
    heard = list(heard_of(out, plan.rules))
    by_key = {trial.genotype.key: trial.genotype for trial, _ in heard}
    worth = expected(plan.make_space(), heard, list(by_key.values()))
    order = sorted(zip(worth, by_key, strict=True), key=lambda pair: -pair[0])
    assert chosen["belief"] == [key for _, key in order[:4]]
    assert chosen["belief"] != chosen["score"]
    said = nas(
        *noisy, "--set", "evaluator.seed=3", *CONFIRM, "--confirm-by", "belief", "--out", str(out)
    )
    assert "confirmed: the most promising 4 are judged by landscape, which chooses" in said.out


def test_a_search_by_a_judge_that_stands_in_names_its_audit_or_says_there_is_none(
    tmp_path: Path,
) -> None:
    judge = ("--space", "ladder", "--dataset", "digits-hard", "--device", "cpu")
    words = (*judge, "--evaluator", "proxy:params", "--strategy", "random-search", "--trials", "3")
    alone = nas("search", *words, "--out", str(tmp_path / "s"))
    assert "audit: there is none of proxy:params here" in alone.out
    true = ("--cheap", "proxy:params", "--true", "landscape", "--n", "4")
    data = ("--set", "cheap.dataset=digits-hard", "--set", "cheap.device=cpu")
    audit = nas("audit", "--space", "ladder", *true, *data, "--out", str(tmp_path / "a"))
    assert audit.code == 0, audit.err
    said = json.loads((tmp_path / "a" / "audit.json").read_text())["sentence"]
    again = nas("search", *words, "--out", str(tmp_path / "s"))
    assert f"audit: {said} (a/audit.json)" in again.out
    own = ("--confirm", "1", "--confirm-evaluator", "landscape")
    both = nas("search", *words, *own, "--out", str(tmp_path / "s"), "--json").json
    assert both["searched"]["audit"] == f"{said} (a/audit.json)"

    for study in ("s", "alone"):
        assert nas("search", *words, "--out", str(tmp_path / study)).code == 0
    (tmp_path / "b").mkdir()
    (tmp_path / "alone").rename(tmp_path / "b" / "alone")
    for study, known in (("s", said), ("b/alone", "there is none of proxy:params here")):
        assert nas("report", str(tmp_path / study)).code == 0
        report = json.loads((tmp_path / study / "report.json").read_text())
        (audit,) = report["honesty"]["audits"]
        assert known in audit
        assert known.replace("`", "") in (tmp_path / study / "report.md").read_text().replace(
            "`", ""
        )


def test_a_comparison_confirms_what_a_search_confirms(tmp_path: Path) -> None:
    """By belief, the same genotypes as a search of the same log; the report knows which were
    judged twice."""
    noise = ("--set", "evaluator.noise=2", "--trials", "100", "--space", "nasbench201")
    words = ("--evaluator", "landscape", *noise)
    together = ("--strategies", "random-search", "--seeds", "4", "--processes", "1")
    for by in ("belief", "score"):
        said = nas(
            "compare", *words, *together, "--confirm", "4", "--confirm-by", by, "--json",
            "--out", str(tmp_path / by),
        )  # fmt: skip
        assert said.code == 0, said.err
    search = tmp_path / "belief" / "random-search" / "seed-4"
    alone = nas(
        "search", *words, "--strategy", "random-search", "--seed", "4", *CONFIRM[:4],
        "--confirm-by", "belief", "--out", str(tmp_path / "alone"),
    )  # fmt: skip
    assert alone.code == 0, alone.err
    confirmed = {
        where: [event["key"] for event in events(where, "asked")]
        for where in (search / "confirm", next((tmp_path / "alone").glob("confirm-*")))
    }
    first, second = confirmed.values()
    assert first == second
    by_score = tmp_path / "score" / "random-search" / "seed-4" / "confirm"
    assert [event["key"] for event in events(by_score, "asked")] != first
    again = nas("compare", *words, *together, "--confirm", "4", "--out", str(tmp_path / "belief"))
    assert "confirm" in again.sentence
    plan = json.loads((tmp_path / "belief" / "compare.json").read_text())
    assert plan["confirm"]["by"] == "belief"
    older = json.loads((tmp_path / "score" / "compare.json").read_text())
    assert "by" not in older["confirm"], "older comparisons go on"
