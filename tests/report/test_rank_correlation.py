import numpy as np
import pytest
from scipy import stats

from giftune.report.rank_correlation import mid_ranks, spearman, spearman_of_rows, spearman_within, varying

RANDOM = np.random.default_rng(3)
X = RANDOM.integers(0, 6, 40).astype(float)  # with ties
Y = X + RANDOM.integers(-3, 4, 40)
TIMES = RANDOM.integers(0, 4, (5, 40)).astype(float)
GROUPS = np.arange(40) // 8


def test_ranks_are_those_of_the_sample_written_out():
    ranks = mid_ranks(X, TIMES)
    for times, found in zip(TIMES.astype(int), ranks, strict=True):
        drawn = np.repeat(np.arange(40), times)
        assert found[drawn] == pytest.approx(stats.rankdata(X[drawn]))


def test_correlations_are_those_of_scipy_on_the_sample_written_out():
    for times, found in zip(TIMES.astype(int), spearman(X, Y, TIMES), strict=True):
        assert found == pytest.approx(stats.spearmanr(np.repeat(X, times), np.repeat(Y, times)).statistic)
    assert spearman(X, Y, np.ones((1, 40)))[0] == pytest.approx(stats.spearmanr(X, Y).statistic)
    assert spearman(X, -Y, np.ones((1, 40)))[0] == pytest.approx(-stats.spearmanr(X, Y).statistic)


def test_rows_are_those_of_scipy():
    x, y = X.reshape(8, 5), Y.reshape(8, 5)
    expected = [stats.spearmanr(*pair).statistic for pair in zip(x, y, strict=True)]
    assert spearman_of_rows(x, y) == pytest.approx(expected)
    x[0, 0], y[1] = np.nan, 3.0
    assert np.isnan(spearman_of_rows(x, y)[:2]).all() and np.isfinite(spearman_of_rows(x, y)[2:]).all()


def test_within_equal_groups_without_ties_it_is_the_mean_over_groups():
    x, y = RANDOM.normal(size=40), RANDOM.normal(size=40)
    each = [stats.spearmanr(x[g == GROUPS], y[g == GROUPS]).statistic for g in range(5)]
    times = np.array([np.ones(40), np.repeat([2.0, 0, 1, 1, 1], 8)])
    expected = np.mean(each), (2 * each[0] + sum(each[2:])) / 5
    assert spearman_within(x, y, GROUPS, times) == pytest.approx(expected)


def test_how_hard_a_group_is_does_not_matter():
    noise = RANDOM.normal(size=40)
    once = np.ones((1, 40))
    alone = spearman_within(noise, -noise, GROUPS, once)
    shifted = spearman_within(noise + 100 * GROUPS, -noise + 100 * GROUPS, GROUPS, once)
    assert alone == pytest.approx(-1) and shifted == pytest.approx(-1)
    assert spearman(noise + 100 * GROUPS, -noise + 100 * GROUPS, once)[0] > 0.8


def test_a_group_without_any_difference_says_nothing():
    x = np.r_[RANDOM.normal(size=8), np.zeros(8)]
    y = np.r_[x[:8], RANDOM.normal(size=8)]
    assert spearman_within(x, y, np.arange(16) // 8, np.ones((1, 16))) == pytest.approx(1)
    assert varying(x, y, np.arange(16) // 8).tolist() == [True] * 8 + [False] * 8


def test_what_does_not_vary_has_no_correlation():
    same, once = np.ones(40), np.ones((1, 40))
    assert np.isnan(spearman(X, same, once)[0]) and np.isnan(spearman_within(same, Y, GROUPS, once)[0])
