"""Movements that are known because the pictures were made with them."""

import math

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample, interpolate

from giftune.metrics import lucas_kanade
from giftune.metrics.corners import shi_tomasi


def track(first, second, points, **settings):
    """Of a single pair of pictures."""
    return lucas_kanade.track(first[None], second[None], points[None], **settings)[0]


@pytest.fixture
def texture(generator):
    coarse = torch.rand(1, 1, 20, 20, generator=generator)
    return interpolate(coarse, (140, 140), mode="bicubic")[0, 0].clamp(0, 1) * 255


@pytest.mark.parametrize(("dx", "dy"), [(3, 4), (-2, 0), (0, -6), (9, -12)])
def test_a_shift_is_found(texture, dx, dy):
    before = texture[20:120, 20:120]
    after = texture[20 - dy : 120 - dy, 20 - dx : 120 - dx]
    points = shi_tomasi(before)
    inside = ((points > 22) & (points < 78)).all(dim=1)  # the others may move out of the picture
    moved = (track(before, after, points) - points)[inside]
    assert inside.sum() > 10
    torch.testing.assert_close(moved.median(dim=0).values, torch.tensor([dx, dy]).float(), rtol=0, atol=0.05)
    assert ((moved - torch.tensor([dx, dy])).norm(dim=1) < 0.2).float().mean() > 0.6  # far shifts lose some


def test_parts_of_a_pixel_are_found(texture):
    whole = texture[None, None]
    before = interpolate(whole, scale_factor=0.5, mode="area")[0, 0]
    after = interpolate(whole.roll((1, 1), dims=(2, 3)), scale_factor=0.5, mode="area")[0, 0]
    points = torch.tensor([[30.0, 30.0], [35.0, 41.0]])
    torch.testing.assert_close(
        track(before, after, points) - points, torch.full((2, 2), 0.5), rtol=0, atol=0.05
    )


def test_a_rotation_is_found(texture):
    turn = math.radians(4)
    cos, sin = math.cos(turn), math.sin(turn)
    # the picture at p after the turn is the picture at R^T p before it
    grid = affine_grid(torch.tensor([[[cos, sin, 0], [-sin, cos, 0]]]), [1, 1, 140, 140], align_corners=False)
    after = grid_sample(texture[None, None], grid, align_corners=False)[0, 0]
    points = shi_tomasi(texture)
    from_centre = points - 69.5
    inside = from_centre.norm(dim=1) < 45
    x, y = from_centre.unbind(dim=1)
    expected = torch.stack([cos * x - sin * y, sin * x + cos * y], dim=1) + 69.5
    found = track(texture, after, points)
    # up to 3 pixels of movement; a window that turns is not found exactly
    assert ((found - expected).norm(dim=1)[inside] < 0.4).float().mean() > 0.9


def test_nothing_moves_between_equal_pictures_nor_where_there_is_no_texture(texture):
    points = torch.tensor([[40.0, 50.0], [0.0, 0.0], [99.5, 99.5]])
    torch.testing.assert_close(track(texture, texture, points), points)
    assert torch.equal(track(torch.zeros(50, 50), torch.full((50, 50), 9.0), points[:2]), points[:2])


def test_without_coarser_levels_a_long_way_is_lost(texture):
    before, after = texture[20:120, 20:120], texture[32:132, 11:111]
    points = torch.tensor([[50.0, 50.0], [60.0, 45.0], [40.0, 55.0]])
    errors = [
        (track(before, after, points, max_level=level) - points - torch.tensor([9.0, -12.0]))
        .norm(dim=1)
        .max()
        for level in (0, 2)
    ]
    assert errors[0] > 1 and errors[1] < 0.1


def test_small_pictures_have_fewer_levels(texture):
    before, after = texture[20:44, 20:44], texture[20:44, 19:43]
    point = torch.tensor([[12.0, 12.0]])
    torch.testing.assert_close(
        track(before, after, point) - point, torch.tensor([[1.0, 0.0]]), rtol=0, atol=0.05
    )


def test_many_pairs_at_once_are_each_as_alone(texture):
    shifts = [(0, 0), (3, -4), (-9, 12)]
    befores = torch.stack([texture[20:120, 20:120]] * 3)
    afters = torch.stack([texture[20 - dy : 120 - dy, 20 - dx : 120 - dx] for dx, dy in shifts])
    points = torch.tensor([[50.0, 50.0], [60.0, 45.0], [2.0, 97.0]]).expand(3, -1, -1)
    together = lucas_kanade.track(befores, afters, points)
    alone = torch.stack([track(*one) for one in zip(befores, afters, points, strict=True)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-3)
