import csv
import io
import json
from itertools import combinations

import pytest
import torch
from scipy.stats import binomtest

from giftune.errors import InputError
from giftune.report._answers import read_ballots, read_key
from giftune.report.collect import collect
from giftune.report.study import QUESTIONS, design, key
from giftune.report.votes import count, notes, to_csv, to_markdown, wilson

PAIRS = [("full", "no_inversion"), ("full", "no_tuning")]


@pytest.fixture(scope="module")
def content(ablation):
    study = design(collect([ablation]), PAIRS, None, torch.Generator().manual_seed(0))
    return key(study, "Which | one?", 0)


@pytest.fixture
def place(content, tmp_path):
    (tmp_path / "study.json").write_text(json.dumps(content))
    return tmp_path


def answers(content, rater, choose):
    """A file of answers: `choose` says, for a comparison and a question, the arm (None: no answer)."""
    given = []
    for entry in content["comparisons"]:
        for question in entry["questions"]:
            if (arm := choose(entry, question)) is not None:
                side = "left" if entry["left"] == arm else "right"
                given.append({"comparison": entry["id"], "question": question, "side": side, "seconds": 1})
    return {"format": "giftune study answers 1", "study": content["study"], "rater": rater, "answers": given}


def write(place, *files):
    paths = [place / f"{number}.json" for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_text(json.dumps(file))
    return paths


def counted(place, *files):
    known = read_key(place / "study.json")
    ballots = read_ballots(write(place, *files), known)
    return known, ballots, count(known, ballots)


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (3, 7), (12, 12), (0, 40), (61, 140)])
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_the_interval_is_that_of_scipy(successes, trials, level):
    expected = binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert wilson(successes, trials, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_one_who_always_prefers_the_same_wins_everything(place, content):
    _, _, tallies = counted(place, answers(content, "A", lambda entry, question: "full"))
    assert [(t.a, t.b, t.question) for t in tallies] == [(a, b, q) for a, b in PAIRS for q in QUESTIONS]
    for tally, number in zip(tallies, (12, 12, 10, 10), strict=True):
        assert (tally.won_a, tally.tied, tally.won_b, tally.unanswered) == (number, 0, 0, 0)
        assert tally.share == 1 and tally.votes_a == number and tally.agreement is None
    _, _, turned = counted(place, answers(content, "A", lambda entry, question: entry["pair"][1]))
    assert all(tally.won_b == tally.comparisons and tally.share == 0 for tally in turned)
    _, _, aside = counted(place, answers(content, "A", lambda entry, question: entry["left"]))
    assert all(tally.share == 0.5 for tally in aside), "sides are balanced"


def test_the_majority_counts_against_a_count_by_hand(place, content):
    """Random answers of four raters, some left out; votes, majorities and agreement by a plain loop."""
    generator = torch.Generator().manual_seed(1)
    table = {}

    def rater(name):
        def choose(entry, question):
            draw = float(torch.rand((), generator=generator))
            arm = None if draw < 0.3 else entry["pair"][int(draw > 0.55)]
            if arm is not None:
                table.setdefault((tuple(entry["pair"]), question, entry["id"]), []).append(arm)
            return arm

        return answers(content, name, choose)

    known, ballots, tallies = counted(place, *map(rater, "ABCD"))
    assert len(ballots) == 4
    for tally in tallies:
        own = [
            votes
            for (pair, q, _), votes in table.items()
            if pair == (tally.a, tally.b) and q == tally.question
        ]
        more = [votes.count(tally.a) - votes.count(tally.b) for votes in own]
        assert tally.won_a == sum(m > 0 for m in more) and tally.won_b == sum(m < 0 for m in more)
        assert tally.tied == sum(m == 0 for m in more)
        assert tally.unanswered == sum(
            c.pair == (tally.a, tally.b) for c in known.comparisons.values()
        ) - len(own)
        assert tally.votes_a == sum(votes.count(tally.a) for votes in own)
        alike = [first == second for votes in own for first, second in combinations(votes, 2)]
        assert tally.agreement == pytest.approx(sum(alike) / len(alike)) and tally.rater_pairs == len(alike)
    assert sum(tally.tied for tally in tallies) > 0
    said = " ".join(notes(ballots, tallies))
    assert f"not in the share: {sum(t.tied for t in tallies)}." in said and "4 raters" in said


def test_tables(place, content):
    prefers = {"A": "full", "B": "full", "C": "no_inversion"}
    files = [
        answers(content, name, lambda entry, question, arm=arm: arm if arm in entry["pair"] else None)
        for name, arm in prefers.items()
    ]
    known, ballots, tallies = counted(place, *files)
    (row, _, third, _) = csv.DictReader(io.StringIO(to_csv(tallies)))
    assert (row["a"], row["b"], row["question"]) == ("full", "no_inversion", "frames")
    assert (row["won_a"], row["votes_a"], row["votes_b"]) == ("12", "24", "12")
    low = binomtest(12, 12).proportion_ci(method="wilson").low
    assert float(row["low"]) == pytest.approx(low) and float(row["agreement"]) == pytest.approx(1 / 3)
    assert float(third["agreement"]) == 1
    text = to_markdown(known, tallies, notes(ballots, tallies))
    assert text.startswith("# Which \\| one?\n")
    share = f"100 % ({100 * low:.0f} % to 100 %)"
    assert f"| full | no\\_inversion | frames | {share} | 12 : 0 : 0 | 24 : 12 | 33 % |" in text
    assert "A (44), B (44), C (24)" in text
    nobody = to_markdown(known, count(known, []), notes([], count(known, [])))
    assert "| – | 0 : 0 : 0 | 0 : 0 | – |" in nobody and "Without any answer yet: 44." in nobody


def refused(place, *files):
    with pytest.raises(InputError) as refusal:
        read_ballots(write(place, *files), read_key(place / "study.json"))
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_answers_that_do_not_belong_are_refused(place, content):
    good = answers(content, "A", lambda entry, question: "full")
    first = good["answers"][0]
    assert "1.json are both by the rater 'A': leave one out" in refused(place, good, good)
    assert f"answers another study, 0123, not {content['study']}" in refused(place, {**good, "study": "0123"})
    assert "holds no answers to a study" in refused(place, {"scores": {}})
    assert "holds no answers to a study" in refused(place, content)
    assert "must hold a JSON object, not list" in refused(place, [])
    for damage, reason in (
        ({"rater": 7}, "7 is not a text"),
        ({"answers": [{**first, "side": "both"}]}, "its side is 'both', not left or right"),
        ({"answers": [{**first, "comparison": "no"}]}, "it answers no/"),
        ({"answers": [{**first, "question": "beauty"}]}, "/beauty, which was not asked"),
        ({"answers": [first, first]}, "twice"),
        ({"answers": [{"side": "left"}]}, "comparison is missing"),
    ):
        assert reason in refused(place, {**good, **damage})
    (place / "0.json").write_text(json.dumps(good)[:-9])
    known = read_key(place / "study.json")
    with pytest.raises(InputError, match=r"0\.json is damaged: it is not JSON"):
        read_ballots([place / "0.json"], known)
    with pytest.raises(InputError, match=r"gone\.json cannot be read: No such file"):
        read_ballots([place / "gone.json"], known)


def test_a_key_that_is_none_is_refused(place, content):
    def say(changed):
        (place / "study.json").write_text(json.dumps(changed))
        with pytest.raises(InputError) as refusal:
            read_key(place / "study.json")
        return str(refusal.value)

    assert "is not the key of a study: its format is None" in say({})
    assert "is damaged" in say({**content, "comparisons": [{}]})
    assert "is damaged: pairs and comparisons do not fit" in say({**content, "pairs": [["a", "b"]]})
    entry = {**content["comparisons"][0], "left": "theirs"}
    assert "shows theirs and" in say({**content, "comparisons": [entry]})
