import numpy as np
from PIL import Image

from giftune.report.agreement import Agreement, Correlation
from giftune.report.heat_map import heat_map, table

METRICS, TRUTHS = ("a", "b", "$c$"), ("asked", "trajectory_error")


def sure(rho):
    return Correlation(rho, rho, rho, 9, 3, 3)


def agreement(rho, kinds=("edits", "methods")):
    found = {(kind, m, t): sure(rho) for kind in kinds for m in METRICS[1:] for t in TRUTHS}
    return Agreement(METRICS, TRUTHS, found)


def test_cells_are_where_metric_and_truth_meet():
    found = Agreement(METRICS, TRUTHS, {("edits", "b", "trajectory_error"): sure(0.5)})
    values = table(found, "edits")
    assert values.shape == (3, 2) and values[1, 1] == 0.5 and np.isnan(values).sum() == 5


def test_agreement_is_blue_disagreement_red_and_the_same_every_time(tmp_path):
    pixels = {}
    for name, rho in (("good", 0.9), ("bad", -0.9), ("again", 0.9)):
        heat_map(agreement(rho), tmp_path / f"{name}.png")
        pixels[name] = np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)
    difference = pixels["good"] - pixels["bad"]  # the legend is the same in both
    assert difference[..., 2].sum() > 0 > difference[..., 0].sum()
    assert (pixels["good"] == pixels["again"]).all()


def test_a_panel_for_each_kind_of_ranks(tmp_path):
    widths = []
    for kinds in (("edits",), ("edits", "clip", "prompt", "methods")):
        heat_map(agreement(0.1, kinds), tmp_path / "x.png")
        widths.append(Image.open(tmp_path / "x.png").width)
    assert widths[1] > 1.5 * widths[0]
