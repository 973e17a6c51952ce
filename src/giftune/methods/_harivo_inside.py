"""What the losses of HARIVO look at inside the network."""

from collections.abc import Mapping

from diffusers import UNet2DConditionModel
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from giftune.attention.control import decoder_layers
from giftune.losses.attention_consistency import attention_maps

MAX_PLACES = 1024  # of a self-attention whose maps are compared: the next finer one needs gigabytes


class Inside:
    """Which `modules` to record, and what is made of it: maps of self-attention, and the deepest features."""

    def __init__(self, unet: UNet2DConditionModel, attention: bool) -> None:
        layers = decoder_layers(unet) if attention else []
        self.attentions = [attn for layer in layers for attn in layer.attentions]
        self.modules = {"deepest": unet.mid_block}
        for number, attn in enumerate(self.attentions):
            self.modules |= {f"query {number}": attn.to_q, f"key {number}": attn.to_k}

    def maps(self, seen: Mapping[str, Tensor], num_clips: int) -> list[Float[Tensor, "b f heads _n _n"]]:
        """Those of the decoder with at most `MAX_PLACES` places, the coarsest first."""
        found = []
        for number, attn in enumerate(self.attentions):
            query, key = seen[f"query {number}"], seen[f"key {number}"]
            if query.shape[1] <= MAX_PLACES:
                maps = attention_maps(query.float(), key.float(), attn.heads, attn.scale)
                found.append(rearrange(maps, "(b f) ... -> b f ...", b=num_clips))
        return found

    def deepest(self, seen: Mapping[str, Tensor], num_clips: int) -> Float[Tensor, "b f c h w"]:
        """What the middle block puts out: the h-space."""
        return rearrange(seen["deepest"], "(b f) c h w -> b f c h w", b=num_clips)
