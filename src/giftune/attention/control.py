"""What one clip does inside the network, imposed on others (Tumanyan et al. 2023, section 4)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, NamedTuple

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from einops import repeat
from torch import Tensor, nn

from giftune.errors import InputError


class DecoderLayer(NamedTuple):
    """A residual block of the decoder, and the self-attentions behind it, if there are any."""

    resnet: ResnetBlock2D
    attentions: tuple[Attention, ...]


def decoder_layers(unet: UNet2DConditionModel) -> list[DecoderLayer]:
    """In the order of the paper, from the coarsest on: layers 0 to 11 of Stable Diffusion."""
    layers = []
    for block in unet.up_blocks:
        for resnet, transformer in zip_longest(block.resnets, getattr(block, "attentions", ())):
            blocks = () if transformer is None else transformer.transformer_blocks
            layers.append(DecoderLayer(resnet, tuple(inner.attn1 for inner in blocks)))
    return layers


def features(unet: UNet2DConditionModel, layer: int) -> list[nn.Module]:
    """What puts out the features of a decoder layer: its second convolution, before the residual is added.

    Raises `InputError` for a layer that is not there.
    """
    layers = decoder_layers(unet)
    if not 0 <= layer < len(layers):
        raise InputError(
            f"feature_layer is {layer}, but the decoder of this U-Net has layers 0 to {len(layers) - 1}."
        )
    return [layers[layer].resnet.conv2]


def queries_and_keys(unet: UNet2DConditionModel, first_layer: int) -> list[nn.Module]:
    """What puts out Q and K of all self-attentions from a decoder layer on.

    They decide where each place looks, so they carry the layout; the values V, what is seen there, are left
    out. Raises `InputError` if there is no attention from that layer on.
    """
    attending = [number for number, layer in enumerate(decoder_layers(unet)) if layer.attentions]
    if not attending or not 0 <= first_layer <= attending[-1]:
        there = ", ".join(map(str, attending)) or "none"
        raise InputError(
            f"first_attention_layer is {first_layer}, but the decoder layers of this U-Net that have "
            f"self-attention are {there}."
        )
    chosen = [attention for layer in decoder_layers(unet)[first_layer:] for attention in layer.attentions]
    return [projection for attention in chosen for projection in (attention.to_q, attention.to_k)]


@contextmanager
def copied(modules: Iterable[nn.Module], num_frames: int) -> Iterator[None]:
    """Inside, what a module puts out for the first clip of a folded batch replaces that of all others."""

    def overwrite(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        return repeat(output[:num_frames], "f ... -> (b f) ...", b=len(output) // num_frames)

    handles = [module.register_forward_hook(overwrite) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
