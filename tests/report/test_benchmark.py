from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from giftune.report.benchmark import ALL, benchmark
from giftune.report.bootstrap import Bootstrap
from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.results import Results, Stage
from tests.benchmark_folders import BADNESS, PROMPTS, Made, write_benchmark


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    made = Made(clips=5, seeds=(1, 2), failed=(("sdedit", "clip-1"),))
    return collect([write_benchmark(tmp_path_factory.mktemp("benchmarks") / "b", made)])


def measure(results, reference=None):
    return benchmark(results, compare(results, reference), Bootstrap(np.random.default_rng(0), 400))


@pytest.fixture(scope="module")
def found(results):
    return measure(results)


def scores(results, arm, metric, type=None):
    """Five lines: the values of an arm by clip, seed and prompt."""
    return {
        (edit.clip, edit.seed, edit.prompt): edit.scores[metric].value
        for edit in results.edits
        if edit.arm == arm and type in (None, edit.type)
    }


@pytest.mark.parametrize("group", [ALL, *PROMPTS])
def test_numbers_are_means_over_edits(results, found, group):
    kind = None if group == ALL else group
    for arm in BADNESS:
        own = scores(results, arm, "flicker", kind)
        value = found.numbers[group, arm, "flicker"].value
        assert value.value == pytest.approx(np.mean(list(own.values())))
        assert value.low < value.value < value.high
        assert (value.edits, value.clips) == (len(own), len({clip for clip, _, _ in own}))
        assert found.edits[group, arm] == len(own)


def test_differences_are_edit_by_edit_and_resampled_by_clip(results, found):
    own, reference = (scores(results, arm, "flicker") for arm in ("sdedit", "giftune"))
    by_clip = defaultdict(list)
    for place, value in own.items():
        by_clip[place[0]].append(value - reference[place])
    difference = found.numbers[ALL, "sdedit", "flicker"].difference
    # the draws of four clips are the second of two sets: one of five clips was drawn before
    bootstrap = Bootstrap(np.random.default_rng(0), 400)
    bootstrap.drawn(5)
    assert difference == pytest.approx(bootstrap.mean(by_clip)) and difference.value > 0
    assert found.numbers[ALL, "giftune", "flicker"].difference is None
    other = measure(results, "sdedit").numbers[ALL, "giftune", "flicker"].difference
    assert other.value == pytest.approx(-difference.value)


def test_pairing_takes_away_what_clips_have_in_common(found):
    value, difference = found.numbers[ALL, "text2video_zero", "trajectory_error"]
    assert difference.excludes_zero and difference.high - difference.low < (value.high - value.low) / 2


def test_what_is_absent_is_counted(found):
    assert found.absent == {"giftune": 0, "tune_a_video": 0, "text2video_zero": 0, "sdedit": 8}
    assert {failure.reason for failure in found.failures} == {"not enough memory."} and len(
        found.failures
    ) == 2


def test_groups_are_types_in_their_order(results, found):
    assert found.groups == (ALL, "object", "background", "style", "multiple")
    odd = {"object": "zoom", "background": "object"}
    edits = tuple(replace(edit, type=odd.get(edit.type)) for edit in results.edits)
    assert measure(Results(edits)).groups == (ALL, "object", "zoom")
    assert measure(Results(tuple(replace(edit, type="style") for edit in edits))).groups == (ALL,)


def test_means_by_clip(results, found):
    own = [value for (clip, _, _), value in scores(results, "giftune", "flicker").items() if clip == "clip-3"]
    assert found.by_clip["clip-3", "giftune", "flicker"] == (pytest.approx(np.mean(own)), 8)
    assert ("clip-1", "sdedit", "flicker") not in found.by_clip
    assert found.clips == tuple(f"clip-{k}" for k in range(5))


def test_costs_are_medians_over_cells_and_times_no_metrics(results, found):
    cost = found.costs["giftune"]
    assert cost.cells == 10 and cost.seconds == {"tuning": 22.0, "sampling": 8.0} and cost.memory_mb == 900.0
    assert not {"edit_seconds", "tuning_seconds"} & {metric.name for metric in found.metrics}
    untimed = {"sampling": Stage(None, None)}
    runs = tuple(replace(edit, run=replace(edit.run, stages=untimed)) for edit in results.edits[:3])
    assert measure(Results(runs)).costs["giftune"] == (3, {}, None)
    bare = tuple(replace(edit, run=replace(edit.run, stages={})) for edit in results.edits)
    assert measure(Results(bare)).costs == {}
