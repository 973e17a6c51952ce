import pytest
import torch
from einops import rearrange
from torch import nn

from giftune.errors import InputError
from giftune.unet.norm import PooledGroupNorm


@pytest.fixture
def norm() -> PooledGroupNorm:
    torch.manual_seed(0)
    norm = PooledGroupNorm(num_groups=4, num_channels=8)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


@pytest.mark.parametrize("num_frames", [1, 5])
def test_equals_group_norm_of_the_unfolded_clip(norm, rng, num_frames):
    clip = torch.randn(2, 8, num_frames, 6, 6, generator=rng) * torch.arange(1, num_frames + 1)[:, None, None]
    expected = nn.functional.group_norm(clip, 4, norm.weight, norm.bias, norm.eps)
    norm.num_frames = num_frames
    output = norm(rearrange(clip, "b c f h w -> (b f) c h w"))
    torch.testing.assert_close(output, rearrange(expected, "b c f h w -> (b f) c h w"))
    if num_frames > 1:
        single = nn.GroupNorm.forward(norm, rearrange(clip, "b c f h w -> (b f) c h w"))
        assert not torch.allclose(output, single, atol=0.1)


def test_missing_frame_count_is_refused(norm):
    with pytest.raises(InputError, match="VideoUNet"):
        norm(torch.zeros(5, 8, 6, 6))
