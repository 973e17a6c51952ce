from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from giftune.report.agreement import KINDS, agreement, truths
from giftune.report.bootstrap import Bootstrap
from giftune.report.collect import collect
from giftune.report.results import Results, Score
from tests.benchmark_folders import Made, write_benchmark


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return collect(
        [write_benchmark(tmp_path_factory.mktemp("benchmarks") / "b", Made(clips=5, seeds=(1, 2)))]
    )


def measure(results):
    return agreement(results, Bootstrap(np.random.default_rng(0), 200))


@pytest.fixture(scope="module")
def found(results):
    return measure(results).found


def pairs(results, metric, truth="trajectory_error"):
    """Both as they are measured."""
    return np.array([[edit.scores[name].value for name in (metric, truth)] for edit in results.edits]).T


@pytest.mark.parametrize(("metric", "sign"), [("textual_faithfulness", -1), ("flicker", 1), ("loop_seam", 1)])
def test_among_edits_it_is_that_of_scipy_with_lower_as_better_turned(results, found, metric, sign):
    expected = stats.spearmanr(*pairs(results, metric)).statistic
    rho = found["edits", metric, "trajectory_error"]
    assert rho.rho == pytest.approx(sign * expected) and (rho.edits, rho.clips, rho.methods) == (160, 5, 4)
    assert rho.low <= rho.rho <= rho.high


@pytest.mark.parametrize(
    ("kind", "key"), [("clip", lambda e: e.clip), ("prompt", lambda e: (e.clip, e.prompt))]
)
def test_within_clips_and_prompts_it_is_the_mean_of_scipys(results, found, kind, key):
    x, y = pairs(results, "flicker")
    keys = [key(edit) for edit in results.edits]
    inside = [[place for place, other in enumerate(keys) if other == name] for name in dict.fromkeys(keys)]
    each = [stats.spearmanr(x[places], y[places]).statistic for places in inside]
    assert found[kind, "flicker", "trajectory_error"].rho == pytest.approx(np.mean(each))


def test_among_methods_it_is_that_of_their_means(results, found):
    means = [
        pairs(Results(tuple(e for e in results.edits if e.arm == arm)), "textual_faithfulness").mean(1)
        for arm in results.arms
    ]
    expected = -stats.spearmanr(*np.transpose(means)).statistic
    assert found["methods", "textual_faithfulness", "trajectory_error"].rho == pytest.approx(expected)
    two = measure(Results(tuple(e for e in results.edits if e.arm in results.arms[:2])))
    assert "methods" not in {kind for kind, _, _ in two.found}  # two means are always in one of two orders


def test_a_metric_that_knows_the_truth_agrees_and_one_that_turns_it_disagrees(results):
    edits = []
    for edit in results.edits:
        error = edit.scores["trajectory_error"].value
        told = {"good": Score(error**3, "", False, ""), "turned": Score(error, "", True, "")}
        edits.append(replace(edit, scores={**edit.scores, **told}))
    found = measure(Results(tuple(edits))).found
    for kind in KINDS:
        assert found[kind, "good", "trajectory_error"][:3] == pytest.approx((1, 1, 1))
        assert found[kind, "turned", "trajectory_error"][:3] == pytest.approx((-1, -1, -1))
        assert found[kind, "turned", "trajectory_error"].excludes_zero


def test_hard_clips_raise_what_ranks_within_clips_do_not_see(results):
    """A metric that knows only the clip."""
    edits = tuple(
        replace(e, scores={**e.scores, "easy": Score(-float(e.clip[-1]), "", True, "")})
        for e in results.edits
    )
    found = measure(Results(edits)).found
    assert found["edits", "easy", "trajectory_error"].rho > 0.3
    assert ("clip", "easy", "trajectory_error") not in found


def test_noise_agrees_with_nothing(found):
    rho = found["edits", "loop_seam", "trajectory_error"]
    assert abs(rho.rho) < 0.2 and rho.low < 0.1 and rho.high > -0.1


def test_asked_is_what_the_prompt_changes_and_kept_the_rest(results):
    accuracy = {"subject": 0.5, "background": 0.25, "style": 1.0}
    scores = {f"{name}_accuracy": Score(value, "", True, "") for name, value in accuracy.items()}
    edit = replace(results.edits[0], scores=scores)
    assert truths(replace(edit, changes=("subject",))) == {"asked": 0.5, "kept": 0.625}
    assert truths(replace(edit, changes=("subject", "background"))) == {"asked": 0.375, "kept": 1.0}
    assert truths(replace(edit, changes=tuple(accuracy))) == {"asked": pytest.approx(1.75 / 3)}
    assert truths(replace(edit, changes=())) == {"kept": pytest.approx(1.75 / 3)}
    assert truths(replace(edit, changes=None)) == {}


def test_truths_are_turned_so_that_more_is_better(results):
    edit = results.edits[0]
    assert truths(edit)["trajectory_error"] == -edit.scores["trajectory_error"].value


def test_without_a_truth_there_is_nothing_to_agree_with(results):
    edits = tuple(
        replace(e, changes=None, scores={n: s for n, s in e.scores.items() if n != "trajectory_error"})
        for e in results.edits
    )
    assert measure(Results(edits)) is None


def test_groups_that_say_nothing_are_not_counted_and_few_clips_have_no_interval(results):
    """The truth varies in two of five clips."""
    edits = tuple(
        replace(e, scores=e.scores | {"trajectory_error": e.scores["trajectory_error"]._replace(value=1.0)})
        if e.clip > "clip-1" else e
        for e in results.edits
    )  # fmt: skip
    found = measure(Results(edits)).found
    within, free = (found[kind, "flicker", "trajectory_error"] for kind in ("prompt", "edits"))
    assert (within.edits, within.clips, within.low) == (64, 2, None) and not within.excludes_zero
    assert (free.edits, free.clips) == (160, 5) and free.low is not None


def test_one_clip_has_no_interval(results):
    found = measure(Results(tuple(e for e in results.edits if e.clip == "clip-0"))).found
    assert found["edits", "flicker", "trajectory_error"].low is None
