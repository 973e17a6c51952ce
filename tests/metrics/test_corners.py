import torch
from skimage.feature import corner_shi_tomasi

from giftune.metrics.corners import SOBEL, gradients, shi_tomasi, smaller_eigenvalue


def squares(*places, size=64, side=12):
    picture = torch.zeros(size, size)
    for x, y in places:
        picture[y : y + side, x : x + side] = 200
    return picture


def test_the_corners_of_a_square_are_found_and_its_edges_are_not():
    found = shi_tomasi(squares((20, 30)))
    assert len(found) == 4
    for corner in ((20, 30), (31, 30), (20, 41), (31, 41)):  # (x, y)
        assert (found - torch.tensor(corner)).norm(dim=1).min() < 3


def test_the_strength_ranks_pixels_as_scikit_image_does(generator):
    coarse = torch.rand(1, 1, 9, 9, generator=generator) * 255
    picture = torch.nn.functional.interpolate(coarse, (48, 48), mode="bicubic")[0, 0]
    theirs = torch.from_numpy(corner_shi_tomasi(picture.double().numpy(), sigma=2.0)).float()
    inner = (slice(8, -8),) * 2  # borders and the window's shape differ
    pairs = torch.stack([smaller_eigenvalue(picture)[inner].flatten(), theirs[inner].flatten()])
    assert torch.corrcoef(pairs)[0, 1] > 0.95


def test_the_best_come_first_apart_and_no_more_than_asked(generator):
    picture = torch.rand(80, 80, generator=generator) * 255
    found = shi_tomasi(picture, quality=0.01)
    assert torch.pdist(found).min() >= 7 and 20 < len(found) <= 100
    assert torch.equal(shi_tomasi(picture, max_corners=5, quality=0.01), found[:5])
    strength = smaller_eigenvalue(picture)[found[:, 1].long(), found[:, 0].long()]
    assert (strength.diff() <= 0).all() and (strength > 0.01 * strength.max()).all()


def test_an_even_picture_has_none():
    assert shi_tomasi(torch.full((32, 32), 7.0)).shape == (0, 2)


def test_slopes_are_per_pixel():
    ys, xs = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    dx, dy = gradients(3 * xs - 2 * ys, SOBEL)
    torch.testing.assert_close(dx[1:-1, 1:-1], torch.full((7, 7), 3.0))
    torch.testing.assert_close(dy[1:-1, 1:-1], torch.full((7, 7), -2.0))
