"""How much memory a tuning step needs, and whether it has to be saved."""

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from giftune.unet.trainable import count
from giftune.unet.video_unet import VideoUNet

# Values kept for the backward pass at each position, as multiples of the channels: a ResNet keeps what goes
# into two norms and two activations; a transformer block what goes into its norms, queries, keys, values and
# results of three attentions, the two halves of the feed-forward layer and their product.
RESNET, TRANSFORMER = 2.0, 36.0
# Gradient and two moments of Adam, in float32, of each value that learns.
LEARNING_BYTES = 12
# The share of free memory that may be filled: the rest is for workspaces, the decoder and fragmentation.
SHARE = 0.8


def activation_bytes(network: VideoUNet, num_frames: int, height: int, width: int) -> int:
    """What a forward pass over latents of that size leaves for the backward pass, without checkpointing.

    An estimate of ours: 2 (C_in + C_out) h w values for each ResNet and 36 C h w for each transformer block,
    times the frames; h and w are those of the block's level. Attention scores are never kept. Half precision
    keeps some in float32: three bytes a value.
    """
    unet, values = network.unet, 0.0
    levels = len(unet.config.block_out_channels)
    placed: list[tuple[int, nn.Module]] = [*enumerate(unet.down_blocks), (levels - 1, unet.mid_block)]
    placed += [(levels - 1 - index, block) for index, block in enumerate(unet.up_blocks)]
    for level, block in placed:
        positions = -(-height // 2**level) * -(-width // 2**level)
        for module in block.modules():
            if isinstance(module, ResnetBlock2D):
                values += RESNET * (module.in_channels + module.out_channels) * positions
            elif isinstance(module, BasicTransformerBlock):
                values += TRANSFORMER * module.dim * positions
    return int(values * num_frames * (4 if unet.dtype.itemsize == 4 else 3))


def needs_checkpointing(network: VideoUNet, num_frames: int, height: int, width: int, free: int) -> bool:
    """Whether a step would not fit into `free` bytes with everything kept for the backward pass."""
    needed = activation_bytes(network, num_frames, height, width) + LEARNING_BYTES * count(network)
    return needed > SHARE * free
