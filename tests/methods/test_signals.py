import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from giftune.clip import Clip
from giftune.emojiworld.world import make_clip
from giftune.errors import InputError
from giftune.methods.signals import Depth, Edges, Given
from giftune.metrics.depth_network import DepthNetwork
from giftune.metrics.features import load_depth


def shapes() -> Clip:
    """A white square that moves over grey, with a faint bar that is no edge."""
    frames = torch.zeros(2, 3, 32, 48)
    frames[:, :, :, 40:] = 0.05
    for i in range(2):
        frames[i, :, 8:24, 10 + 6 * i : 26 + 6 * i] = 1
    return Clip(frames, (40, 40))


class Ramp(DepthNetwork):
    """Sees the depth that it is given."""

    def __init__(self, depth: torch.Tensor) -> None:
        super().__init__(torch.nn.Identity(), (16, 24), [0.5] * 3, [0.5] * 3, "ramp")
        self.depth = depth

    def measure(self, frames: torch.Tensor, chunk: int = 8) -> torch.Tensor:
        return self.depth


def test_depth_has_the_range_of_the_whole_clip(clip) -> None:
    depth = torch.stack([torch.linspace(5, 9, 16 * 24).view(16, 24) * (i + 1) for i in range(3)])
    pictures = Depth(Ramp(depth))(clip)
    assert pictures.shape == (3, 3, 16, 24) and torch.equal(pictures[:, 0], pictures[:, 2])
    torch.testing.assert_close(pictures[:, 1], (depth - 5) / 22)
    flat = Depth(Ramp(torch.ones(3, 16, 24)))(clip)
    assert torch.equal(flat, torch.zeros_like(flat))


@pytest.mark.slow
def test_depth_of_the_world_is_white_where_it_is_near() -> None:
    task = make_clip("fox", "beach", motion="jump", num_frames=3)
    seen = Depth(load_depth("emojiworld"))(task.clip)[:, 0]
    truth = torch.as_tensor(task.depth)
    assert np.corrcoef(seen.flatten(), truth.flatten())[0, 1] > 0.9


def test_edges_are_where_grey_values_jump() -> None:
    clip = shapes()
    pictures = Edges()(clip)
    assert pictures.shape == clip.frames.shape and set(pictures.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(pictures[:, 0], pictures[:, 1])
    for i in range(2):
        square = clip.frames[i, 0].numpy() == 1
        outline = ndimage.binary_dilation(square) & ~ndimage.binary_erosion(square)
        edges = pictures[i, 0].numpy() == 1
        assert not (edges & ~outline).any()
        assert ndimage.binary_dilation(edges)[square & outline].all()
    fine = Edges(low=0.02, high=0.04)(clip)
    assert fine[:, :, :, 38:42].any() and not pictures[:, :, :, 38:42].any()


def test_edges_of_senseless_thresholds() -> None:
    for settings in ({"sigma": -1.0}, {"low": 0.9, "high": 0.2}, {"low": -0.1}):
        with pytest.raises(InputError, match=r"low.*high.*must hold"):
            Edges(**settings)


def test_given_pictures_are_read_and_fitted(clip, tmp_path) -> None:
    for i in range(3):
        Image.new("RGB", (48, 32), (100 * i, 255, 0)).save(tmp_path / f"{i}.png")
    pictures = Given(str(tmp_path))(clip)
    assert pictures.shape == clip.frames.shape
    torch.testing.assert_close(pictures[2, :, 5, 5], torch.tensor([200 / 255, 1, 0]), atol=1e-5, rtol=0)
    Image.new("RGB", (48, 32)).save(tmp_path / "3.png")
    with pytest.raises(InputError, match=r"control\.signal\.path .* has 4 frames, but clip noise has 3"):
        Given(str(tmp_path))(clip)
    with pytest.raises(InputError):
        Given(str(tmp_path / "nothing.gif"))(clip)


def test_given_pictures_of_another_shape(clip, tmp_path) -> None:
    for i in range(3):
        Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / f"{i}.png")
    for fit in ("pad", "crop", "stretch"):
        assert Given(str(tmp_path), fit)(clip).shape == clip.frames.shape
