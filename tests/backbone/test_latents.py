import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from einops import rearrange

from giftune.backbone.latents import decode, encode, latent_factor
from giftune.errors import InputError
from tests.checkpoints import VAE


@pytest.fixture
def frames(rng: torch.Generator) -> torch.Tensor:
    return torch.rand(5, 3, 16, 24, generator=rng) * 2 - 1


@pytest.fixture
def vae(pipeline: StableDiffusionPipeline) -> AutoencoderKL:
    return pipeline.vae


@pytest.fixture
def shifted() -> AutoencoderKL:
    torch.manual_seed(0)
    return AutoencoderKL(**VAE, scaling_factor=0.3, shift_factor=0.2).eval()


@torch.no_grad()
def test_equal_to_the_pipeline(vae: AutoencoderKL, frames: torch.Tensor) -> None:
    reference = vae.encode(frames).latent_dist
    posterior = encode(vae, frames, chunk=2)
    assert posterior.mean.shape == (4, 5, 2, 3)
    for ours, theirs in ((posterior.mean, reference.mean), (posterior.std, reference.std)):
        expected = rearrange(theirs, "f c h w -> c f h w") * vae.config.scaling_factor
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_a_sample_is_the_one_of_diffusers(vae: AutoencoderKL, frames: torch.Tensor) -> None:
    # with one frame, both orders of axes are the same numbers in a row
    reference = vae.encode(frames[:1]).latent_dist.sample(torch.Generator().manual_seed(7))
    sample = encode(vae, frames[:1]).sample(torch.Generator().manual_seed(7))
    torch.testing.assert_close(sample.flatten(), reference.flatten() * vae.config.scaling_factor)


@torch.no_grad()
def test_decoding_equals_the_pipeline(vae: AutoencoderKL, rng: torch.Generator) -> None:
    latents = torch.randn(2, 4, 3, 2, 3, generator=rng)
    folded = rearrange(latents, "b c f h w -> (b f) c h w") / vae.config.scaling_factor
    expected = rearrange(vae.decode(folded).sample, "(b f) c h w -> b f c h w", b=2).clamp(-1, 1)
    torch.testing.assert_close(decode(vae, latents, chunk=4), expected, rtol=1e-4, atol=1e-5)


def test_the_shift_is_taken_off_and_put_back(shifted: AutoencoderKL, frames: torch.Tensor) -> None:
    raw = rearrange(shifted.encode(frames).latent_dist.mean, "f c h w -> c f h w")
    latents = encode(shifted, frames).mean
    torch.testing.assert_close(latents, (raw - 0.2) * 0.3)
    expected = shifted.decode(rearrange(raw, "c f h w -> f c h w")).sample.clamp(-1, 1)
    torch.testing.assert_close(decode(shifted, latents[None])[0], expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_latents(vae: AutoencoderKL, rng: torch.Generator) -> None:
    latents = torch.randn(1, 4, 3, 2, 2, generator=rng, requires_grad=True)
    (ours,) = torch.autograd.grad(decode(vae, latents, chunk=2).square().sum(), latents)
    pixels = vae.decode(rearrange(latents, "b c f h w -> (b f) c h w") / vae.config.scaling_factor).sample
    (expected,) = torch.autograd.grad(pixels.clamp(-1, 1).square().sum(), latents)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-6)
    assert ours.abs().min() > 0
    with torch.no_grad():
        assert not decode(vae, latents).requires_grad


def test_low_precision_gives_float32(vae: AutoencoderKL, frames: torch.Tensor) -> None:
    posterior = encode(vae.to(torch.bfloat16), frames)
    assert posterior.mean.dtype == posterior.std.dtype == torch.float32
    assert decode(vae, posterior.mean[None]).dtype == torch.float32


def test_the_factor_is_what_encoding_does(shifted: AutoencoderKL) -> None:
    two = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    small = AutoencoderKL(**{**VAE, **two, "block_out_channels": (4, 4)})
    for vae in (small, shifted):
        assert encode(vae, torch.zeros(1, 3, 16, 16)).mean.shape[-1] == 16 // latent_factor(vae)


@pytest.mark.parametrize(
    ("size", "nearest"), [((21, 13), "24 x 16"), ((3, 16), "8 x 16"), ((16, 17), "16 x 16")]
)
def test_odd_sizes_are_refused(vae: AutoencoderKL, size: tuple[int, int], nearest: str) -> None:
    with pytest.raises(
        InputError, match=rf"frames are {size[0]} x {size[1]}.*multiples of 8.*size is {nearest}"
    ):
        encode(vae, torch.zeros(1, 3, *size))
