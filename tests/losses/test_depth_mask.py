import numpy as np
import torch
from skimage.filters import threshold_otsu

from giftune.losses.depth_mask import background_mask, otsu_threshold


def test_otsu_splits_as_scikit_image_does():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 3000), rng.normal(5, 0.7, 1500)]).reshape(3, 30, 50)
    ours = otsu_threshold(torch.from_numpy(values))
    bin_width = np.ptp(values) / 4096
    assert abs(ours - threshold_otsu(values, nbins=4096)) < 20 * bin_width
    assert abs(ours - threshold_otsu(values, nbins=4096)) < 0.05


def test_otsu_never_cuts_through_equal_values():
    values = torch.tensor([0.0] * 10 + [1.0] * 3 + [9.0] * 4)
    assert otsu_threshold(values) == 5.0


def test_far_is_one_near_is_zero_and_the_edge_is_soft():
    depth = torch.cat([torch.zeros(50), torch.full((50,), 4.0)]).reshape(1, 10, 10)
    depth[0, 0, :5] = torch.tensor([1.5, 1.75, 2.0, 2.25, 2.5])
    mask = background_mask(depth, None, softness=1.0)
    threshold = otsu_threshold(depth)
    torch.testing.assert_close(mask[0, 0, :5], (threshold - depth[0, 0, :5] + 0.5).clamp(0, 1))
    assert (mask[0, 1:5] == 1).all() and (mask[0, 5:] == 0).all()


def test_a_quantile_is_that_share_of_the_clip():
    depth = torch.rand(4, 20, 30, generator=torch.Generator().manual_seed(0))
    for share in (0.1, 0.6):
        mask = background_mask(depth, share, softness=1e-6)
        assert abs(mask.mean().item() - share) < 0.01
