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


def test_depth_has_the_resolution_of_the_frames_and_gradients(depth_folder, noise):
    network = load_depth(str(depth_folder))
    frames = noise(3, 20, 36).requires_grad_()
    depth = network(frames)
    assert depth.shape == (3, 20, 36)
    depth.sum().backward()
    assert frames.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())
    torch.testing.assert_close(
        network.measure(frames.detach(), chunk=2), depth.detach(), atol=1e-2, rtol=1e-3
    )
    assert not network.train().model.training
