from collections.abc import Callable

import pytest
import torch
from diffusers import UNet2DConditionModel

# Stable Diffusion in miniature: 1.x projects by convolution and has one head count, 2.x by linear layers and
# has one for each level. Two blocks in one transformer, as in SDXL, are tried along with 2.x.
SD1 = {"attention_head_dim": 2}
SD2 = {"attention_head_dim": [2, 4], "use_linear_projection": True, "transformer_layers_per_block": [1, 2]}


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(params=[SD1, SD2], ids=["sd1", "sd2"])
def make_unet(request: pytest.FixtureRequest) -> Callable[..., UNet2DConditionModel]:
    """Builds the same miniature network each time."""

    def build(**overrides) -> UNet2DConditionModel:
        torch.manual_seed(0)
        config = {
            "sample_size": 8,
            "block_out_channels": (8, 16),
            "layers_per_block": 1,
            "norm_num_groups": 4,
            "cross_attention_dim": 12,
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        }
        return UNet2DConditionModel(**{**config, **request.param, **overrides}).eval()

    return build


@pytest.fixture
def batch(rng) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents of 2 clips with 5 frames, their timesteps and texts."""
    latents, text = torch.randn(2, 4, 5, 8, 8, generator=rng), torch.randn(2, 7, 12, generator=rng)
    return latents, torch.tensor([3, 700]), text


@pytest.fixture
def awaken(rng) -> Callable[[torch.nn.Module], None]:
    """Gives the zero-initialised temporal attention random weights, as if it had been tuned."""

    def randomise(module: torch.nn.Module) -> None:
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if "temporal.to_out" in name:
                    parameter.normal_(std=0.3, generator=rng)

    return randomise
