"""Spearman's rank correlation of samples that are drawn again clip by clip."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata


def mid_ranks(values: Float[np.ndarray, " n"], times: Float[np.ndarray, "r n"]) -> Float[np.ndarray, "r n"]:
    """The rank of each value in samples that hold it so many times; equal values share their mean rank."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])
    ties = np.add.reduceat(times[:, order], starts, axis=1)
    middle = np.cumsum(ties, axis=1) - ties + (ties + 1) / 2
    ranks = np.empty_like(times)
    ranks[:, order] = np.repeat(middle, np.diff(np.r_[starts, len(values)]), axis=1)
    return ranks


def spearman(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], times: Float[np.ndarray, "r n"]
) -> Float[np.ndarray, " r"]:
    """Of each sample that holds pair k `times[:, k]` times; NaN where one side does not vary."""
    return _pearson(mid_ranks(x, times), mid_ranks(y, times), times)


def spearman_of_rows(x: Float[np.ndarray, "r n"], y: Float[np.ndarray, "r n"]) -> Float[np.ndarray, " r"]:
    """Row by row; NaN where one side does not vary or holds a NaN."""
    a, b = (rankdata(side, axis=1, nan_policy="propagate") for side in (x, y))
    return _pearson(a, b, np.ones_like(x))


def spearman_within(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"],
    times: Float[np.ndarray, "r n"],
) -> Float[np.ndarray, " r"]:
    """Of ranks inside each group, as distances from the group's mean rank over its size: ours, no paper's.

    A group counts as often as it is drawn, and not at all where one side does not vary in it.
    """
    telling, (a, b) = varying(x, y, groups), (_placed(side, groups) for side in (x, y))
    a, b = a * telling, b * telling
    return _ratio(times @ (a * b), times @ a**2, times @ b**2)


def varying(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], groups: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Which pairs are in a group inside which both sides vary."""
    telling = [group for group in np.unique(groups) if all(np.ptp(s[groups == group]) > 0 for s in (x, y))]
    return np.isin(groups, telling)


def _placed(values: Float[np.ndarray, " n"], groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    placed = np.zeros_like(values)
    for group in np.unique(groups):
        ranks = rankdata(values[groups == group])
        placed[groups == group] = (ranks - ranks.mean()) / len(ranks)
    return placed


def _pearson(
    a: Float[np.ndarray, "r n"], b: Float[np.ndarray, "r n"], times: Float[np.ndarray, "r n"]
) -> Float[np.ndarray, " r"]:
    total = times.sum(1, keepdims=True)
    a = a - (times * a).sum(1, keepdims=True) / total
    b = b - (times * b).sum(1, keepdims=True) / total
    return _ratio((times * a * b).sum(1), (times * a * a).sum(1), (times * b * b).sum(1))


def _ratio(
    both: Float[np.ndarray, " r"], one: Float[np.ndarray, " r"], other: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    product = one * other
    found = np.full(len(both), np.nan)
    np.divide(both, np.sqrt(product), out=found, where=product > 1e-12)
    return found
