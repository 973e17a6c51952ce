import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from giftune.errors import InputError
from giftune.metrics.background_depth import BackgroundDepthError, TrueBackgroundDepthError, depth_error
from giftune.metrics.features import load_depth


@pytest.fixture
def outside():
    outside = torch.ones(3, 7, 9, dtype=torch.bool)
    outside[0, :4], outside[1, :, 3:6] = False, False
    return outside


def test_pixel_by_pixel(generator, outside):
    depth, truth = torch.rand(2, 3, 7, 9, generator=generator)
    expected = []
    for d, t, where in zip(depth.numpy(), truth.numpy(), outside.numpy(), strict=True):
        aligned = []
        for values in (d[where], t[where]):
            centred = values - np.median(values)
            aligned.append(centred / np.mean(np.abs(centred)))
        expected.append(np.mean(np.abs(aligned[0] - aligned[1])))
    assert float(depth_error(depth, truth, outside)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_scale_and_shift_do_not_count_but_near_and_far_do(generator, outside):
    truth = torch.rand(3, 7, 9, generator=generator)
    assert depth_error(3 * truth + 7, truth, outside) < 1e-4
    assert depth_error(-truth, truth, outside) > 1
    changed = torch.where(outside, truth, 1 - truth)
    assert depth_error(changed, truth, outside) == 0
    assert depth_error(changed, truth, ~outside.roll(1, 1) | outside) > 0.1
    assert depth_error(torch.ones_like(truth), torch.ones_like(truth), outside) == 0, (
        "no depth at all is no error"
    )


def test_both_as_one_network_sees_them(depth_folder, noise):
    network = load_depth(str(depth_folder))
    source, edited, mask = noise(2), noise(2), torch.zeros(2, 24, 40)
    mask[:, :12] = 1
    with torch.no_grad():
        depths = [interpolate(network(x)[:, None], (24, 40), mode="bicubic")[:, 0] for x in (edited, source)]
        expected = depth_error(*depths, mask == 0)
    metric = BackgroundDepthError(network)
    torch.testing.assert_close(metric(source=source, edited=edited, mask=mask), expected)
    assert metric(source=source, edited=source.clone(), mask=mask) == 0
    assert metric.backbone == f"DPT {depth_folder.name}"


def test_against_the_truth(depth_folder, noise):
    network = load_depth(str(depth_folder))
    edited, mask = noise(2), torch.zeros(2, 24, 40)
    mask[:, :12] = 1
    truth = 2 * network.measure(edited) - 5
    metric = TrueBackgroundDepthError(network)
    assert metric(edited=edited, depth=truth, mask=mask) < 1e-3
    assert metric(edited=edited, depth=-truth, mask=mask) > 1
    with pytest.raises(InputError, match="depth has shape"):
        metric(edited=edited, depth=truth[:1], mask=mask)
