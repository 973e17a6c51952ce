"""Against transformers called directly on the same weights."""

import torch
from transformers import DPTForDepthEstimation, DPTImageProcessor

from giftune.metrics.features import load_depth


@torch.no_grad()
def test_as_the_processor_and_the_model_of_transformers(depth_folder, noise):
    frames = noise(3, 32, 32)
    model = DPTForDepthEstimation.from_pretrained(depth_folder)
    processor = DPTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_rescale=False
    )
    seen = processor((frames + 1) / 2, return_tensors="pt")
    expected = model(**seen).predicted_depth
    torch.testing.assert_close(load_depth(str(depth_folder))(frames), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_resizes_as_the_processor_does(depth_folder):
    grid = torch.linspace(-3, 3, 96)
    frames = torch.stack([(grid[:, None] + i * grid).sin() for i in range(6)]).reshape(2, 3, 96, 96)
    pixels = ((frames + 1) * 127.5).round().to(torch.uint8)
    processor = DPTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    seen = processor(pixels, return_tensors="pt")
    expected = DPTForDepthEstimation.from_pretrained(depth_folder)(**seen).predicted_depth
    ours = load_depth(str(depth_folder))(pixels / 127.5 - 1)
    spread = float(expected.max() - expected.min())
    torch.testing.assert_close(ours, expected, atol=0.02 * spread, rtol=0)


def test_gradients_reach_the_frames_and_nothing_else(depth_folder, noise):
    network = load_depth(str(depth_folder)).train()
    assert not any(module.training for module in network.modules())
    frames = noise(3, 20, 36).requires_grad_()
    depth = network(frames)
    assert depth.shape == (3, 32, 32)
    depth.sum().backward()
    assert frames.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_measures_have_the_resolution_of_the_frames(depth_folder, noise):
    network, frames = load_depth(str(depth_folder)), noise(3, 20, 36)
    with torch.no_grad():
        expected = torch.nn.functional.interpolate(network(frames)[:, None], (20, 36), mode="bicubic")[:, 0]
    torch.testing.assert_close(network.measure(frames, chunk=2), expected, atol=1e-2, rtol=1e-3)
