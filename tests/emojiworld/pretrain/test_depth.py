from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from giftune.emojiworld.pretrain import depth as module
from giftune.emojiworld.pretrain import scenes as scenes_module
from giftune.emojiworld.pretrain.depth import (
    DepthPictures,
    DepthTraining,
    _gradients,
    depth_error,
    load_depths,
    normalise,
    train_depth,
)
from giftune.emojiworld.pretrain.scenes import _draw_chunk, load_scenes
from giftune.emojiworld.scene import render
from giftune.metrics.features import load_depth


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scenes_module, "CHUNK", 4)
    return load_scenes(8, 3, 64, tmp_path, workers=1), load_depths(8, 3, 64, tmp_path, workers=1)


def test_depths_belong_to_their_pictures(world, tmp_path: Path) -> None:
    scenes, depths = world
    for i, (scene, phase) in enumerate([*_draw_chunk(3), *_draw_chunk(4)]):
        rendering = render(scene, scene.pose(phase), 64)
        np.testing.assert_allclose(depths[i] / 255, rendering.depth, atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(scenes.pictures[i] / 255, rendering.picture, atol=0.5 / 255 + 1e-6)
    picture, depth = DepthPictures(scenes, depths)[5]
    assert -1 <= picture.min() < 0 < picture.max() <= 1 and 0 <= depth.min() < depth.max() <= 1
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    load_depths(8, 3, 64, tmp_path)
    assert before == {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}


def test_normalised_depth_forgets_scale_and_shift_but_not_the_sign() -> None:
    depth = torch.rand(3, 9, 11, generator=torch.Generator().manual_seed(0))
    for i in range(3):
        values = depth[i].numpy()
        deviation = np.abs(values - np.median(values)).mean()
        np.testing.assert_allclose(
            normalise(depth)[i], (values - np.median(values)) / deviation, rtol=1e-4, atol=1e-6
        )
    torch.testing.assert_close(normalise(5 * depth - 2), normalise(depth), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(normalise(-depth), -normalise(depth))


def test_gradients_see_a_ramp_at_every_scale() -> None:
    ramp = torch.arange(16.0).expand(1, 16, 16)
    torch.testing.assert_close(_gradients(ramp), torch.tensor(1.0 + 2 + 4 + 8))
    assert _gradients(torch.ones(1, 16, 16)) == 0


def test_a_new_network_learns(world) -> None:
    torch.manual_seed(0)
    training = DepthTraining(max_steps=20)
    training.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    batch = next(iter(DataLoader(DepthPictures(*world), batch_size=8)))
    output = training.model(pixel_values=batch[0]).predicted_depth
    assert output.shape == (8, 64, 64) and (output > 0).float().mean() > 0.5
    optimizer = torch.optim.AdamW(training.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = training.training_step(batch, 0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_error_after_alignment(world) -> None:
    scenes, depths = world
    truth = torch.from_numpy(depths).float() / 255
    figures = depth_error(lambda x: 3 * truth[: len(x)] - 1, scenes, depths)
    assert figures["mean_absolute_error"] < 1e-6 and figures["variance_explained"] > 1 - 1e-6
    noise = torch.rand(8, 64, 64, generator=torch.Generator().manual_seed(0))
    assert depth_error(lambda x: noise[: len(x)], scenes, depths)["variance_explained"] < 0.1


@pytest.mark.slow
def test_what_is_saved_is_small_and_loads_like_any_other(
    world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    monkeypatch.setattr(module, "fit", lambda training, *_: trained.append(training))
    folder = tmp_path / "assets"
    train_depth(tmp_path, *world, steps=2, folder=folder)
    loaded, network = load_depth(str(folder)), trained[0].model.float().eval()
    assert loaded.size == (64, 64)
    frames = next(iter(DataLoader(DepthPictures(*world), batch_size=8)))[0]
    torch.testing.assert_close(loaded(frames), network(pixel_values=frames).predicted_depth)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000
