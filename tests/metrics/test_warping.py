"""Against scipy, loops, and motions whose flow is known exactly."""

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from giftune.metrics.warping import reverse, visible, warp


def pan(dx, dy, height=20, width=24):
    return torch.tensor([float(dx), float(dy)]).reshape(1, 2, 1, 1).repeat(1, 1, height, width)


def test_warp_as_scipy_interpolates(generator):
    image, flow = torch.rand(1, 3, 9, 11, generator=generator), torch.randn(1, 2, 9, 11, generator=generator)
    y, x = np.mgrid[:9, :11]
    there = [y + flow[0, 1].numpy(), x + flow[0, 0].numpy()]
    expected = [map_coordinates(c.numpy(), there, order=1, mode="grid-constant") for c in image[0]]
    np.testing.assert_allclose(warp(image, flow)[0], expected, atol=1e-5)


def test_an_integer_pan_is_undone_exactly(generator):
    image = torch.rand(1, 3, 20, 24, generator=generator)
    moved = image.roll((2, -3), dims=(2, 3))  # two down, three to the left
    torch.testing.assert_close(warp(moved, pan(-3, 2))[..., :-2, 3:], image[..., :-2, 3:])


def test_only_what_leaves_the_picture_is_lost_in_a_pan():
    expected = torch.zeros(1, 20, 24, dtype=torch.bool)
    expected[:, :-2, 3:] = True
    assert torch.equal(visible(pan(-3, 2), pan(3, -2)), expected)
    assert torch.equal(visible(pan(-3, 2), reverse(pan(-3, 2))), expected)


def test_a_flow_that_does_not_lead_home_is_an_occlusion():
    assert not visible(pan(-3, 2), pan(-3, 2)).any()
    slow = visible(pan(0.3, 0), pan(0.3, 0))
    assert slow[:, :, :-1].all(), "half a pixel of disagreement is allowed"
    assert not slow[:, :, -1].any(), "but the last column leaves the picture"


def square_moving_right(by=4):
    """A square of 6 pixels at (5, 7), before a background that stands still."""
    flow = torch.zeros(1, 2, 20, 24)
    flow[:, 0, 7:13, 5:11] = by
    return flow


def test_a_known_occluder():
    seen = visible(square_moving_right(), reverse(square_moving_right()))[0]
    assert not seen[7:13, 11:15].any(), "the square comes to lie on these"
    assert seen[8:12, 6:10].all(), "its inside can be followed"
    assert seen[:6].all() and seen[14:].all() and seen[:, 16:].all() and seen[:, :4].all()
    assert not seen[7:13, 4].any() and not seen[6, 5:11].any(), "motion boundaries"


def test_reverse_of_an_occluder_pixel_by_pixel():
    forward = square_moving_right()
    expected = torch.zeros_like(forward)
    expected[:, 0, 7:13, 9:15] = -4
    assert torch.equal(reverse(forward), expected)
    # off the grid, the four pixels around each arrival
    expected[:, 0, 7:13, 9:16] = -4.5
    assert torch.equal(reverse(square_moving_right(4.5)), expected)
