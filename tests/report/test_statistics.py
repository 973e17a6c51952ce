import numpy as np
import pytest
from scipy import stats

from giftune.report.statistics import Interval, mean_interval, over_units, paired


@pytest.mark.parametrize("n", [2, 3, 12])
def test_intervals_are_those_of_scipy(n):
    values = np.random.default_rng(n).normal(3, 2, n)
    low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    found = mean_interval(list(values))
    assert (found.low, found.high, found.n) == (pytest.approx(low), pytest.approx(high), n)


def test_one_value_has_no_interval_and_excludes_nothing():
    found = mean_interval([4.0])
    assert found == Interval(4.0, None, 1) and found.low is found.high is None and not found.excludes_zero


def test_prompts_of_one_clip_and_seed_count_once():
    values = {("fox", "1", "a"): 1.0, ("fox", "1", "b"): 3.0, ("fox", "2", "a"): 4.0, ("owl", "1", "a"): 9.0}
    assert over_units(values) == mean_interval([2.0, 4.0, 9.0])
    assert over_units({}) is None


def test_paired_differences_are_those_of_the_paired_test():
    random = np.random.default_rng(0)
    clips, arm = random.normal(0, 10, 8), random.normal(1, 0.5, 8)
    reference = {(f"clip{i}", "1", "p"): float(clips[i]) for i in range(8)}
    values = {(f"clip{i}", "1", "p"): float(clips[i] + arm[i]) for i in range(8)}
    found = paired(values, reference)
    low, high = stats.ttest_rel(list(values.values()), list(reference.values())).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.excludes_zero and not mean_interval(list(values.values())).excludes_zero


def test_only_what_both_have_is_compared():
    values = {("a", "1", "p"): 5.0, ("a", "1", "q"): 100.0, ("b", "1", "p"): 7.0}
    reference = {("a", "1", "p"): 1.0, ("b", "1", "p"): 1.0, ("b", "2", "p"): 50.0}
    assert paired(values, reference) == mean_interval([4.0, 6.0])
    assert paired(values, {("c", "1", "p"): 1.0}) is None
