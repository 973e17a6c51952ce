import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from giftune.report import plots
from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.results import Edit, Results, Run, Score
from tests.result_folders import CLIPS, Sweep, write_sweep


@pytest.fixture(scope="module")
def results(ablation):
    return collect([ablation])


@pytest.fixture(scope="module")
def comparison(results):
    return compare(results)


def texts(svg: str) -> list[str]:
    return [
        "".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter() if "text" in node.tag
    ]


def test_each_metric_has_a_drawing_that_names_every_arm_as_text(comparison):
    found = plots.by_arm(comparison)
    assert [plot.metric for plot in found] == [metric.name for metric in comparison.metrics]
    for plot in found:
        assert set(comparison.arms) <= set(texts(plot.svg))
    assert "lower is better" in found[2].title and "pixels" in found[2].title


def test_drawings_follow_the_theme_and_share_no_identifier(results, comparison):
    every = [
        *plots.by_arm(comparison),
        *plots.against_seconds(results, comparison),
        *plots.losses(results, comparison.arms),
    ]
    identifiers = []
    for plot in every:
        assert "var(--ink," in plot.svg and "#010203" not in plot.svg and "DejaVu" not in plot.svg
        assert not re.search(r'(?:href|src)="(?!#)', plot.svg.replace("xmlns:xlink", ""))
        own = re.findall(r' id="([^"]+)"', plot.svg)
        assert set(re.findall(r"url\(#([^)]+)\)", plot.svg)) <= set(own)
        identifiers += set(own)
    assert len(identifiers) == len(set(identifiers))


def test_names_are_text_and_not_markup(results):
    edits = tuple(replace(edit, arm=f"<b>{edit.arm}$x$") for edit in results.edits)
    svg = plots.by_arm(compare(Results(edits)))[0].svg
    assert "<b>" not in svg and "<b>full$x$" in texts(svg)


def test_marks_are_where_the_means_are():
    """Positions in the drawing are a linear map of the values."""
    values = {"a": 1.0, "b": 2.0, "c": 4.0}
    score = {arm: {"m": Score(value, "", True, "")} for arm, value in values.items()}
    edits = tuple(
        Edit(Run(Path("x"), "x", "x"), arm, "c", "", "p", "1", Path("x"), None, score[arm], {})
        for arm in values
    )
    svg = plots.by_arm(compare(Results(edits)))[0].svg
    uses = [float(x) for x in re.findall(r'<use [^>]*x="([\d.]+)"[^>]*fill: var\(--ink,', svg)]
    assert len(uses) == 3
    assert (uses[2] - uses[0]) / (uses[1] - uses[0]) == pytest.approx(3, rel=1e-3)


def test_tuning_steps_are_drawn_when_the_sweep_varies_them(tmp_path, results, comparison):
    assert plots.against_steps(results, comparison) == ([], [])
    sweep = Sweep(("100", "20"), CLIPS[:1], (1, 2), key="trainer.max_steps")
    steps = collect([write_sweep(tmp_path / "steps", sweep)])
    found, lines = plots.against_steps(steps, compare(steps))
    assert lines == [""] and {plot.metric for plot in found} >= {"flicker", "trajectory_error"}
    assert "tuning steps" in texts(found[0].svg)


def test_a_notebook_shows_a_drawing_with_its_title(comparison):
    plot = plots.by_arm(comparison)[0]._replace(title="a < b")
    assert "a &lt; b" in plot._repr_html_() and plot.svg in plot._repr_html_()


def test_time_is_no_quality(results, comparison):
    found = {plot.metric for plot in plots.against_seconds(results, comparison)}
    assert "flicker" in found and "tuning_seconds" not in found


def test_a_drawing_for_each_part_of_the_loss(results):
    assert [plot.title for plot in plots.losses(results, results.arms)] == ["reconstruction", "temporal"]
    silent = Results(tuple(replace(edit, run=replace(edit.run, losses=())) for edit in results.edits))
    assert plots.losses(silent, silent.arms) == []


def test_smoothing_is_a_mean_of_neighbours():
    values = [float(value) for value in np.random.default_rng(0).normal(size=200)]
    found = plots.smooth(values)
    assert found[100] == pytest.approx(np.mean(values[95:106])) and found[0] == pytest.approx(
        np.mean(values[:6])
    )
    assert plots.smooth(values[:39]) == values[:39]
    assert plots.smooth([3.0] * 100) == pytest.approx([3.0] * 100)
