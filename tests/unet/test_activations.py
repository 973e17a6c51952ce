import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch.autograd import Function

from giftune.attention.patterns import first_frame, sparse_causal
from giftune.unet.activations import activation_bytes, needs_checkpointing
from giftune.unet.inflate import inflate
from giftune.unet.trainable import count, select_trainable


class Fused(Function):
    """What a fused attention keeps for the backward pass: its inputs and its result, no scores."""

    @staticmethod
    def forward(ctx, query, key, value):
        output = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, output)
        return output

    @staticmethod
    def backward(ctx, gradient):
        return gradient, *ctx.saved_tensors[1:3]


def kept(video, num_frames, height, width):
    """Bytes that autograd saves in a forward pass that computes nothing: each tensor once, no weights."""
    weights, saved = {id(parameter) for parameter in video.parameters()}, {}

    def pack(tensor):
        base = tensor if tensor._base is None else tensor._base
        if id(base) not in weights:
            saved[id(base)] = base
        return tensor

    inputs = torch.randn(1, 4, num_frames, height, width), torch.tensor([5]), torch.randn(1, 77, 768)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        video(*(value.to("meta") for value in inputs))
    return sum(base.numel() * base.element_size() for base in saved.values())


@pytest.fixture
def stable_diffusion(monkeypatch):
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda q, k, v, scale=None: Fused.apply(q, k, v))

    def make(pattern=sparse_causal):
        with torch.device("meta"):
            unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
            video = inflate(unet, pattern)
        select_trainable(video)
        return video

    return make


@pytest.mark.parametrize("shape", [(4, 32, 32), (8, 64, 64), (24, 40, 64)])
def test_is_near_what_autograd_keeps(stable_diffusion, shape):
    video = stable_diffusion()
    assert activation_bytes(video, *shape) == pytest.approx(kept(video, *shape), rel=0.1)


def test_other_patterns_keep_less(stable_diffusion):
    video = stable_diffusion(first_frame)
    assert (
        0.6 * activation_bytes(video, 8, 64, 64) < kept(video, 8, 64, 64) < activation_bytes(video, 8, 64, 64)
    )


def test_grows_with_frames_and_area(stable_diffusion):
    video = stable_diffusion()
    one = activation_bytes(video, 1, 64, 64)
    assert activation_bytes(video, 24, 64, 64) == 24 * one
    assert activation_bytes(video, 1, 128, 64) == 2 * one
    assert activation_bytes(video.to(torch.bfloat16), 1, 64, 64) == 0.75 * one


def test_checkpoints_only_what_does_not_fit(stable_diffusion):
    video = stable_diffusion()
    needed = activation_bytes(video, 8, 64, 64) + 12 * count(video)
    assert not needs_checkpointing(video, 8, 64, 64, free=int(needed / 0.79))
    assert needs_checkpointing(video, 8, 64, 64, free=int(needed / 0.81))
