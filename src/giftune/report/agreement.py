"""How far metrics rank edits as the truth about EmojiWorld does."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from giftune.report.bootstrap import Bootstrap, interval
from giftune.report.paper_table import base
from giftune.report.rank_correlation import spearman, spearman_of_rows, spearman_within, varying
from giftune.report.results import Edit, Results

ACCURACIES = {f"{attribute}_accuracy": attribute for attribute in ("subject", "background", "style")}
TRUTHS = {  # name: what it says of an edit; + is better in all of them
    "asked": "mean accuracy of the attributes that the prompt changes",
    "kept": "mean accuracy of those that it does not change",
    "trajectory_error": "the subject's path, in px",
    "subjects_kept": "share of the subjects that are still there",
    "true_warp_error": "change along the true flow",
    "true_background_depth": "depth of the background against the true one",
}
KINDS = {  # name: among what the ranks are
    "edits": "all edits",
    "clip": "the edits of one clip, which takes away how hard clips are",
    "prompt": "the edits of one clip and prompt, which leaves methods and seeds",
    "methods": "means of the methods",
}

LEAST_CLIPS = 5  # for an interval: resamples of fewer are too much alike


class Correlation(NamedTuple):
    """Spearman's, + where metric and truth agree on what is better; `low` and `high` over drawn clips.

    Edits, clips and methods are those that say something: of ranks within groups, where both sides vary.
    """

    rho: float
    low: float | None
    high: float | None
    edits: int
    clips: int
    methods: int

    @property
    def excludes_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Agreement:
    """Correlations by kind, metric and truth; those that cannot be had are not there."""

    metrics: tuple[str, ...]
    truths: tuple[str, ...]
    found: Mapping[tuple[str, str, str], Correlation]


@dataclass(frozen=True)
class _Pairs:
    """One metric and one truth on the edits that have both, + being better."""

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    clips: tuple[str, ...]
    prompts: tuple[str, ...]
    arms: tuple[str, ...]

    def telling(self, kind: str) -> Bool[np.ndarray, " n"]:
        names = {"clip": self.clips, "prompt": self.prompts}.get(kind)
        return np.ones(len(self.x), bool) if names is None else varying(self.x, self.y, _inside(names))


def agreement(results: Results, bootstrap: Bootstrap) -> Agreement | None:
    """Every metric against every truth; None where no truth was measured."""
    values: list[tuple[Edit, dict[str, float], dict[str, float]]] = []
    for edit in results.edits:
        scores = {
            name: _oriented(edit, name) for name in edit.scores if base(name) not in (*TRUTHS, *ACCURACIES)
        }
        values.append((edit, scores, truths(edit)))
    metrics = tuple(dict.fromkeys(name for _, scores, _ in values for name in scores))
    known = tuple(name for name in TRUTHS if any(name in truth for _, _, truth in values))
    found: dict[tuple[str, str, str], Correlation] = {}
    for metric in metrics:
        for truth in known:
            both = [(e, s[metric], t[truth]) for e, s, t in values if metric in s and truth in t]
            if len(both) > 2:
                found |= {(kind, metric, truth): rho for kind, rho in _correlations(both, bootstrap).items()}
    return Agreement(metrics, known, found) if found else None


def truths(edit: Edit) -> dict[str, float]:
    """What the oracle knows of an edit, + being better; `asked` and `kept` only where `changes` is known."""
    known = {base(name): _oriented(edit, name) for name in edit.scores if base(name) in TRUTHS}
    right = {ACCURACIES[base(n)]: s.value for n, s in edit.scores.items() if base(n) in ACCURACIES}
    if edit.changes is not None:
        changed = [value for name, value in right.items() if name in edit.changes]
        others = [value for name, value in right.items() if name not in edit.changes]
        known |= {
            name: math.fsum(parts) / len(parts)
            for name, parts in (("asked", changed), ("kept", others))
            if parts
        }
    return known


def _oriented(edit: Edit, name: str) -> float:
    score = edit.scores[name]
    return score.value if score.higher_is_better else -score.value


def _correlations(both: Sequence[tuple[Edit, float, float]], bootstrap: Bootstrap) -> dict[str, Correlation]:
    edits = [edit for edit, _, _ in both]
    pairs = _Pairs(
        x=np.array([x for _, x, _ in both]),
        y=np.array([y for _, _, y in both]),
        clips=tuple(edit.clip for edit in edits),
        prompts=tuple(f"{edit.clip}\n{edit.prompt}" for edit in edits),
        arms=tuple(edit.arm for edit in edits),
    )
    names, place = np.unique(pairs.clips, return_inverse=True)
    once, drawn = np.ones((1, len(names))), bootstrap.drawn(len(names))
    found = {}
    for kind, correlate in _CORRELATE.items():
        rho = float(correlate(pairs, once[:, place])[0])
        if math.isfinite(rho):
            telling = pairs.telling(kind)
            clips = len(set(place[telling]))
            low, high = interval(correlate(pairs, drawn[:, place])) if clips >= LEAST_CLIPS else (None, None)
            arms = {arm for arm, tells in zip(pairs.arms, telling, strict=True) if tells}
            found[kind] = Correlation(rho, low, high, int(telling.sum()), clips, len(arms))
    return found


def _among_methods(pairs: _Pairs, times: Float[np.ndarray, "r n"]) -> Float[np.ndarray, " r"]:
    arms, place = np.unique(pairs.arms, return_inverse=True)
    members = np.eye(len(arms))[place]
    counts = times @ members
    if len(arms) < 3:
        return np.full(len(times), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = (times @ (members * side[:, None]) / counts for side in (pairs.x, pairs.y))
    return spearman_of_rows(x, y)


def _inside(names: Sequence[str]) -> Int[np.ndarray, " n"]:
    return np.unique(names, return_inverse=True)[1]


_CORRELATE: dict[str, Callable[[_Pairs, Float[np.ndarray, "r n"]], Float[np.ndarray, " r"]]] = {
    "edits": lambda pairs, times: spearman(pairs.x, pairs.y, times),
    "clip": lambda pairs, times: spearman_within(pairs.x, pairs.y, _inside(pairs.clips), times),
    "prompt": lambda pairs, times: spearman_within(pairs.x, pairs.y, _inside(pairs.prompts), times),
    "methods": _among_methods,
}
