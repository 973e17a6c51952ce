"""What the autoencoder's decoder makes of latents on its way to a picture."""

from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor


class DecoderFeatures:
    """Maps of the frozen decoder, for losses on latents (Berrada et al. 2025, but not normalised).

    Latents come in the autoencoder's own scale. The maps are those of the middle and of the first `levels`
    blocks, each twice as large as the one before; gradients flow to the latents.
    """

    def __init__(self, vae: AutoencoderKL, levels: int = 1) -> None:
        self.vae, self.levels = vae, levels

    def __call__(self, latents: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        decoder, first = self.vae.decoder, self.vae.post_quant_conv
        hidden = latents.to(self.vae.device, self.vae.dtype)
        hidden = decoder.mid_block(decoder.conv_in(hidden if first is None else first(hidden)), None)
        maps = [hidden]
        for block in decoder.up_blocks[: self.levels]:
            maps.append(block(maps[-1], None))
        return [found.float() for found in maps]
