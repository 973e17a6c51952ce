import numpy as np
import pytest
from scipy import stats

from giftune.report.bootstrap import FEW, Bootstrap, few, interval

VALUES = {"a": [1.0, 2.0, 6.0], "b": [4.0], "c": [0.5, 0.0], "d": [9.0, 7.0, 8.0, 8.5], "e": [3.0]}


def of_scipy(values, seed, resamples=2000):
    """Over clips, whose sums and numbers of edits are drawn together."""
    samples = [sum(clip) for clip in values.values()], [len(clip) for clip in values.values()]

    def mean(sums, counts, axis):
        return np.sum(sums, axis=axis) / np.sum(counts, axis=axis)

    found = stats.bootstrap(samples, mean, paired=True, vectorized=True, n_resamples=resamples,
                            method="percentile", rng=np.random.default_rng(seed))  # fmt: skip
    return found.confidence_interval


@pytest.mark.parametrize("seed", [0, 1])
def test_the_interval_is_that_of_scipy_from_the_same_generator(seed):
    found = Bootstrap(np.random.default_rng(seed), 2000).mean(VALUES)
    expected = of_scipy(VALUES, seed)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert found.value == pytest.approx(np.mean([value for clip in VALUES.values() for value in clip]))
    assert (found.edits, found.clips) == (11, 5)


def test_edits_of_one_clip_are_no_replication():
    """The same edits in clips of their own vary less."""
    one = {"a": [0.0] * 20, "b": [1.0] * 20}
    apart = {f"{clip}{k}": [value] for clip, values in one.items() for k, value in enumerate(values)}
    clustered, free = (Bootstrap(np.random.default_rng(0), 2000).mean(values) for values in (one, apart))
    assert (clustered.low, clustered.high) == (0, 1)
    assert free.low > 0.3 and free.high < 0.7 and clustered.value == free.value == 0.5


def test_draws_are_of_as_many_clips_and_kept():
    bootstrap = Bootstrap(np.random.default_rng(0), 500)
    drawn = bootstrap.drawn(7)
    assert drawn.shape == (500, 7) and (drawn.sum(1) == 7).all() and bootstrap.drawn(7) is drawn
    assert drawn.mean(0) == pytest.approx(np.ones(7), abs=0.15)


def test_one_clip_has_no_interval_and_none_no_number():
    bootstrap = Bootstrap(np.random.default_rng(0), 100)
    assert bootstrap.mean({"a": [1.0, 3.0]}) == (2.0, None, None, 2, 1)
    assert bootstrap.mean({"a": []}) is None


@pytest.mark.parametrize(("shift", "excludes"), [(0.0, False), (20.0, True), (-20.0, True)])
def test_what_leaves_out_zero(shift, excludes):
    values = {clip: [value - 4 + shift for value in found] for clip, found in VALUES.items()}
    assert Bootstrap(np.random.default_rng(0), 500).mean(values).excludes_zero == excludes


def test_what_cannot_be_had_in_a_resample_is_left_out():
    values = np.r_[np.arange(101.0), np.nan, np.inf]
    assert interval(values) == pytest.approx((2.5, 97.5))
    assert interval(np.array([np.nan])) == (None, None)


def test_few_clips_are_said_and_make_intervals_too_narrow():
    assert few(FEW) == [] and "5 clips are few" in few(5)[0]
    random, bootstrap = np.random.default_rng(0), Bootstrap(np.random.default_rng(1), 500)
    covered = {5: 0, 40: 0}
    for clips in covered:
        for _ in range(300):
            found = bootstrap.mean({str(k): [value] for k, value in enumerate(random.normal(size=clips))})
            covered[clips] += found.low < 0 < found.high
    assert covered[5] / 300 < 0.9 < covered[40] / 300
