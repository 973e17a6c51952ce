import numpy as np
import pytest
import torch
from torch.nn import functional as F

from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.world import make_clip
from giftune.errors import InputError


def test_clip_and_truth_have_one_entry_a_frame() -> None:
    made = make_clip("frog", "beach", "sketch", "run", num_frames=5, seed=2, size=32)
    assert made.clip.frames.shape == (5, 3, 32, 32) and len(made.clip.durations_ms) == 5
    assert made.depth.shape == made.mask.shape == (5, 32, 32)
    assert made.flow.shape == (4, 2, 32, 32) and made.centres.shape == (5, 2)
    assert made.caption == "a frog is running on the beach, sketch style"


def test_same_seed_same_clip() -> None:
    assert torch.equal(make_clip(seed=4).clip.frames, make_clip(seed=4).clip.frames)
    assert not torch.equal(make_clip(seed=4).clip.frames, make_clip(seed=5).clip.frames)


@pytest.mark.parametrize("motion", MOTIONS)
def test_flow_carries_each_mask_onto_the_one_before(motion: str) -> None:
    """Sampling frame i + 1 where the flow of frame i points must give frame i back, on the subject."""
    made = make_clip(motion=motion, num_frames=6, seed=1)
    grid = torch.stack(torch.meshgrid(*[torch.arange(64) + 0.5] * 2, indexing="xy"))
    where = (grid + made.flow) / 32 - 1
    warped = F.grid_sample(made.clip.frames[1:], where.movedim(1, -1), align_corners=False)
    inside = F.avg_pool2d(made.mask[:-1, None], 5, stride=1, padding=2)[:, 0] > 0.999
    error = (warped - made.clip.frames[:-1]).abs().mean(dim=1)[inside].mean()
    still = (made.clip.frames[1:] - made.clip.frames[:-1]).abs().mean(dim=1)[inside].mean()
    assert error < 0.15 and error < 0.55 * still


def test_centres_move_as_the_mask_does() -> None:
    made = make_clip("robot", motion="jump", num_frames=4, seed=0)
    y, x = np.mgrid[:64, :64] + 0.5
    ink = [((x * m).sum() / m.sum(), (y * m).sum() / m.sum()) for m in made.mask.numpy()]
    np.testing.assert_allclose(np.diff(ink, axis=0), np.diff(made.centres.numpy(), axis=0), atol=0.5)
    assert np.abs(np.array(ink) - made.centres.numpy()).max() < 5


@pytest.mark.parametrize("argument", ["subject", "background", "style", "motion"])
def test_unknown_names_are_refused_with_the_known_ones(argument: str) -> None:
    with pytest.raises(InputError, match=f"{argument} 'nothing'.*choose one of"):
        make_clip(**{argument: "nothing"})


def test_one_frame_is_no_clip() -> None:
    with pytest.raises(InputError, match="num_frames is 1"):
        make_clip(num_frames=1)
