from collections import Counter
from dataclasses import replace

import pytest
import torch

from giftune.errors import InputError
from giftune.io.gif import write_gif
from giftune.report.collect import collect
from giftune.report.results import Results
from giftune.report.study import QUESTIONS, design, key, pair_up
from tests.result_folders import scene


@pytest.fixture(scope="module")
def results(ablation):
    return collect([ablation])


def draw(results, pairs, limit=None, seed=0):
    return design(results, pairs, limit, torch.Generator().manual_seed(seed))


def test_pairs_are_the_first_arm_against_the_others_unless_named(results):
    arms = results.arms
    assert pair_up(arms, None, None, None) == [("full", arm) for arm in arms[1:]]
    assert pair_up(arms, "no_tuning", None, None) == [("no_tuning", arm) for arm in arms[:3]]
    assert pair_up(arms, None, "no_tuning", None) == [("full", "no_tuning")]
    assert pair_up(arms, None, "full", None) == [("no_inversion", "full")]
    assert pair_up(arms, "no_tuning", "full", None) == [("no_tuning", "full")]
    assert pair_up(arms, None, None, [["full", "no_tuning"]]) == [("full", "no_tuning")]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("sdedit", None, None), "a has 'sdedit', which is not an arm; arms are: full, no_tuning"),
        ((None, "sdedit", None), "b has 'sdedit'"),
        (("full", "full", None), "a and b are both 'full'"),
        (("full", None, [["full", "no_tuning"]]), "pairs is set, so a and b must not be"),
        ((None, None, [["full", "sdedit"]]), "pairs has 'sdedit'"),
        ((None, None, [["full"]]), r"pairs must be a list of pairs of arms"),
        ((None, None, []), r"pairs must be a list of pairs of arms"),
        ((None, None, ["ab"]), r"pairs must be a list of pairs of arms"),
        ((None, None, [["full", "no_tuning"], ["no_tuning", "full"]]), "two arms twice"),
    ],
)
def test_other_pairs_are_refused(given, sentence):
    with pytest.raises(InputError, match=sentence):
        pair_up(["full", "no_tuning"], *given)


def test_one_arm_is_no_comparison():
    with pytest.raises(InputError, match="needs two arms to compare, there is only full"):
        pair_up(["full"], None, None, None)


def test_every_clip_prompt_and_seed_that_both_have(results):
    """Counted by hand: 3 clips x 2 seeds x 2 prompts, of which one cell of no_tuning failed."""
    pairs = pair_up(results.arms, None, None, None)
    study = draw(results, pairs)
    assert Counter(trial.pair[1] for trial in study.trials) == {
        "no_inversion": 12, "no_st_attn": 12, "no_tuning": 10,
    }  # fmt: skip
    assert study.possible == len({trial.name for trial in study.trials}) == 34
    for trial in study.trials:
        assert (trial.left.clip, trial.left.prompt, trial.left.seed) == (
            trial.right.clip, trial.right.prompt, trial.right.seed,
        )  # fmt: skip
        assert {trial.left.arm, trial.right.arm} == set(trial.pair)
        assert sorted(trial.questions) == sorted(QUESTIONS)


def test_sides_and_questions_are_balanced_and_mixed(results):
    study = draw(results, pair_up(results.arms, None, None, None))
    for arm, count in (("no_inversion", 12), ("no_st_attn", 12), ("no_tuning", 10)):
        own = [trial for trial in study.trials if arm in trial.pair]
        assert sum(trial.left.arm == arm for trial in own) == count // 2
        assert sum(trial.questions[0] == "text" for trial in own) == count // 2
        assert {(t.left.arm == arm, t.questions[0]) for t in own} == {
            (left, first) for left in (True, False) for first in QUESTIONS
        }, "the side does not say which question comes first"
    assert [trial.pair for trial in study.trials] != sorted(trial.pair for trial in study.trials)


def test_the_seed_decides_everything(results):
    pairs = pair_up(results.arms, None, None, None)
    first, again, other = (draw(results, pairs, 9, seed) for seed in (1, 1, 2))
    assert first == again and key(first, "t", 1) == key(again, "t", 1)
    assert first.name != other.name
    assert [t.name for t in first.trials] != [t.name for t in other.trials]


@pytest.mark.parametrize("limit", [1, 5, 9, 20])
def test_fewer_are_spread_over_clips_and_pairs(results, limit):
    for seed in range(3):
        study = draw(results, pair_up(results.arms, None, None, None), limit, seed)
        assert len(study.trials) == limit and study.possible == 34
        for counts in (
            Counter(trial.left.clip for trial in study.trials),
            Counter(trial.pair for trial in study.trials),
        ):
            values = [*counts.values(), *[0] * (3 - len(counts))]
            assert max(values) - min(values) <= 1


def test_the_key_says_who_was_where_and_names_say_nothing_of_it(results):
    study = draw(results, [("full", "no_tuning")])
    content = key(study, "title", 7)
    assert content["study"] == study.name and content["seed"] == 7 and content["title"] == "title"
    for entry, trial in zip(content["comparisons"], study.trials, strict=True):
        assert (entry["left"], entry["right"]) == (trial.left.arm, trial.right.arm)
        assert entry["questions"] == list(trial.questions) and entry["pair"] == ["full", "no_tuning"]
    turned = draw(results, [("no_tuning", "full")], seed=5)
    assert {trial.name for trial in turned.trials} == {trial.name for trial in study.trials}


def test_edits_drawn_anew_make_another_study(results, tmp_path):
    before = draw(results, [("full", "no_tuning")], 2)
    place = before.trials[0].left
    write_gif(scene("fox", "moon", "plain", "jump").clip, tmp_path / "other.gif")
    edits = [replace(e, file=tmp_path / "other.gif") if e is place else e for e in results.edits]
    after = draw(Results(tuple(edits)), [("full", "no_tuning")], 2)
    assert [t.name for t in after.trials] == [t.name for t in before.trials] and after.name != before.name


def test_files_that_are_gone_are_not_shown(results, tmp_path):
    gone = [replace(e, file=tmp_path / "no.gif") if e.arm == "no_tuning" else e for e in results.edits]
    study = draw(Results(tuple(gone)), pair_up(results.arms, None, None, None))
    assert study.empty == (("full", "no_tuning"),) and len(study.pairs) == 2 and study.possible == 24
    with pytest.raises(InputError, match="full and no_tuning share no clip, prompt and seed whose files"):
        draw(Results(tuple(gone)), [("full", "no_tuning")])
    with pytest.raises(InputError, match="limit is 0, it must be at least 1"):
        draw(results, [("full", "no_tuning")], 0)
