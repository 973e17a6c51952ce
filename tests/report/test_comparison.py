from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from giftune.errors import InputError
from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.results import Results, Score


@pytest.fixture(scope="module")
def results(ablation):
    return collect([ablation])


def units(results: Results, arm: str, metric: str) -> dict:
    """Five lines: the mean over the prompts of each clip and seed."""
    found = defaultdict(list)
    for edit in results.edits:
        if edit.arm == arm:
            found[edit.clip, edit.seed].append(edit.scores[metric].value)
    return {unit: np.mean(values) for unit, values in found.items()}


@pytest.mark.parametrize("metric", ["frame_consistency", "trajectory_error"])
@pytest.mark.parametrize("arm", ["full", "no_tuning"])
def test_numbers_are_those_of_scipy(results, arm, metric):
    cell = compare(results).cells[arm, metric]
    means, reference = units(results, arm, metric), units(results, "full", metric)
    values = list(means.values())
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (cell.value.low, cell.value.high) == (pytest.approx(low), pytest.approx(high))
    if arm == "full":
        assert cell.difference is None and cell.verdict == ""
    else:
        test = stats.ttest_rel(values, [reference[unit] for unit in means])
        low, high = test.confidence_interval(0.95)
        assert (cell.difference.low, cell.difference.high) == (pytest.approx(low), pytest.approx(high))
        assert (cell.verdict != "") == (test.pvalue < 0.05)


def test_directions_decide_what_is_better(results):
    cells = compare(results).cells
    assert cells["no_inversion", "trajectory_error"].verdict == "worse"
    assert cells["no_st_attn", "frame_consistency"].verdict == "worse"
    assert compare(results, "no_inversion").cells["full", "trajectory_error"].verdict == "better"
    assert compare(results, "no_st_attn").cells["full", "frame_consistency"].verdict == "better"


def test_the_best_is_the_extreme_in_the_direction_of_the_metric(results):
    comparison = compare(results)
    for metric in comparison.metrics[:4]:
        means = {arm: np.mean(list(units(results, arm, metric.name).values())) for arm in comparison.arms}
        pick = max if metric.higher_is_better else min
        best = [arm for arm in comparison.arms if comparison.cells[arm, metric.name].best]
        assert best == [pick(means, key=means.get)]


def test_equals_have_no_best_and_time_is_no_merit(results):
    same = Results(tuple(replace(edit, scores={"drift": Score(1.0, "", True, "")}) for edit in results.edits))
    for name, cell in compare(same).cells.items():
        assert not cell.best and cell.verdict == "", name
    slow = [replace(e, seconds=99.0) if e.arm == "full" else e for e in results.edits]
    cell = compare(Results(tuple(slow))).cells["no_tuning", "edit_seconds"]
    assert cell.difference.high < 0 and cell.verdict == "" and not cell.best


def test_the_reference_comes_first(results):
    assert compare(results).reference == compare(results).arms[0] == "full"
    assert compare(results, "no_tuning").arms == ("no_tuning", "full", "no_inversion", "no_st_attn")
    without = Results(tuple(edit for edit in results.edits if edit.arm != "full"))
    assert compare(without).reference == "no_inversion"


def test_unknown_names_are_refused(results):
    with pytest.raises(InputError, match="reference 'none' is not an arm; arms are: full"):
        compare(results, "none")
    with pytest.raises(InputError, match="metric fid was not measured; measured are: frame_consistency"):
        compare(results, metrics=["fid"])


def test_a_choice_of_metrics_keeps_its_order(results):
    comparison = compare(results, metrics=["flicker", "frame_consistency"])
    assert [metric.name for metric in comparison.metrics] == ["flicker", "frame_consistency"]
    assert comparison.skipped == {}
    assert compare(results).skipped == {"pick_score": "the weights of PickScore are not here."}


def test_one_edit_has_no_interval_and_no_verdict(results):
    comparison = compare(Results(results.edits[:1]))
    assert all(cell.value.half is None and not cell.best for cell in comparison.cells.values())
    assert comparison.units() == (1, 1)


def test_arms_on_other_clips_have_nothing_in_common(results):
    moved = [replace(e, clip=f"other {e.clip}") if e.arm == "no_tuning" else e for e in results.edits]
    cell = compare(Results(tuple(moved))).cells["no_tuning", "flicker"]
    assert cell.difference is None and cell.verdict == "" and cell.value.n == 5
