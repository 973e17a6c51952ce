from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from giftune.emojiworld.group import VISIBLE, make_group_clip
from giftune.emojiworld.motions import Pose
from giftune.emojiworld.scene import render, render_together
from giftune.errors import InputError

CROSSING = ("crossing", ("bear", "fox"))
FAMILY = ("family", ("panda",))
BOTH = pytest.mark.parametrize(("kind", "subjects"), [CROSSING, FAMILY], ids=["crossing", "family"])


@BOTH
def test_clip_and_truth_have_one_entry_a_frame_and_a_subject(kind, subjects) -> None:
    made = make_group_clip(kind, subjects, "snow", "sketch", num_frames=5, seed=2, size=32)
    n = {"crossing": 2, "family": 3}[kind]
    assert made.clip.frames.shape == (5, 3, 32, 32) and len(made.clip.durations_ms) == 5
    assert made.depth.shape == made.mask.shape == (5, 32, 32) and made.masks.shape == (5, n, 32, 32)
    assert made.flow.shape == (4, 2, 32, 32) and made.centres.shape == (5, n, 2)
    assert made.shares.shape == (5, n) and made.counts.shape == (5,) and len(made.scenes) == n
    assert made.caption == f"a {subjects[0]} is running in the snow, sketch style"
    again = make_group_clip(kind, subjects, "snow", "sketch", num_frames=5, seed=2, size=32)
    assert torch.equal(made.clip.frames, again.clip.frames)


@BOTH
@pytest.mark.parametrize("seed", range(6))
def test_they_pass_behind_each_other_within_the_clip_and_stay_in_the_picture(kind, subjects, seed) -> None:
    made = make_group_clip(kind, subjects, num_frames=8, seed=seed)
    n = len(made.scenes)
    assert made.counts[0] == made.counts[-1] == n and made.counts.min() < n
    assert (made.counts == (made.shares >= VISIBLE).sum(dim=1)).all()
    assert (made.shares[0] > 0.95).all() and (made.shares[-1] > 0.95).all()
    edge = torch.cat([made.mask[..., 0], made.mask[..., -1], made.mask[:, 0], made.mask[:, -1]], dim=-1)
    assert edge.max() < 0.5
    apart = made.centres[:, 0, 0] - made.centres[:, 1, 0]
    assert apart[0] * apart[-1] < 0, "they changed sides"


def test_the_nearer_one_is_in_front_wherever_they_are_given() -> None:
    made = make_group_clip(*CROSSING, num_frames=5)  # frame 2 is the meeting
    poses = [scene.pose(0.5) for scene in made.scenes]
    pairs = list(zip(made.scenes, poses, strict=True))
    one, other = (render_together(made.scenes[0], order) for order in (pairs, pairs[::-1]))
    np.testing.assert_array_equal(one.picture, other.picture)
    np.testing.assert_array_equal(one.masks, other.masks[::-1])
    alone = render(made.scenes[0], poses[0])
    np.testing.assert_array_equal(one.masks[0], alone.mask)
    inside = alone.mask == 1
    assert (one.picture[inside] == alone.picture[inside]).all(), "the front one hides all that is behind it"


def test_what_is_seen_of_each_is_its_own_mask_without_those_of_nearer_ones() -> None:
    made = make_group_clip(*FAMILY, num_frames=8, seed=3)
    for f in range(8):
        poses = [scene.pose(f / 7) for scene in made.scenes]
        mother, behind, before = (
            torch.from_numpy(render(s, p).mask) for s, p in zip(made.scenes, poses, strict=True)
        )
        seen = torch.stack([mother * (1 - before), behind * (1 - mother) * (1 - before), before])
        assert (made.masks[f] - seen).abs().max() < 0.26, "up to the finer grid, at the edges"
        assert (made.masks[f] - seen).abs().mean() < 1e-3
        expected = seen.sum(dim=(1, 2)) / torch.stack([mother, behind, before]).sum(dim=(1, 2))
        torch.testing.assert_close(made.shares[f], expected, atol=0.03, rtol=0)


def test_depth_is_that_of_whom_one_sees() -> None:
    made = make_group_clip(*FAMILY, num_frames=8, seed=3)
    mother, behind, before = made.scenes
    assert behind.ground < mother.ground < before.ground and before.height > behind.height
    assert mother.height > 1.5 * before.height
    for i, scene in enumerate(made.scenes):
        inside = made.masks[:, i] == 1
        torch.testing.assert_close(
            made.depth[inside], torch.full_like(made.depth[inside], scene.nearness(scene.ground))
        )
    nobody = render_together(mother, [])
    empty = (made.mask == 0) & torch.ones(8, 1, 1, dtype=torch.bool)
    torch.testing.assert_close(made.depth[empty], torch.from_numpy(nobody.depth).expand(8, 64, 64)[empty])


def test_shadows_lie_under_all_subjects() -> None:
    made = make_group_clip(*FAMILY, num_frames=5, seed=1)
    pairs = [(scene, scene.pose(0.5)) for scene in made.scenes]
    bare = [(replace(scene, shadow=False), pose) for scene, pose in pairs]
    lit, unlit = (
        render_together(made.scenes[0], each)
        for each in ([(replace(s, shadow=True), p) for s, p in pairs], bare)
    )
    inside = lit.masks.sum(axis=0) > 0.999
    assert (lit.picture == unlit.picture)[inside].all() and not (lit.picture == unlit.picture).all()


@BOTH
def test_flow_carries_what_is_seen_in_both_frames(kind, subjects) -> None:
    """Sampling frame i + 1 where the flow of frame i points gives frame i back, where both are seen."""
    made = make_group_clip(kind, subjects, num_frames=12, seed=1)
    grid = torch.stack(torch.meshgrid(*[torch.arange(64) + 0.5] * 2, indexing="xy"))
    where = ((grid + made.flow) / 32 - 1).movedim(1, -1)
    warped = F.grid_sample(made.clip.frames[1:], where, align_corners=False)
    there = F.grid_sample(made.masks[1:], where, align_corners=False)  # whom one meets at the goal
    inside = F.avg_pool2d(made.masks[:-1], 3, stride=1, padding=1) > 0.999
    met = (inside & (there > 0.95)).any(dim=1)
    error = (warped - made.clip.frames[:-1]).abs().mean(dim=1)[met].mean()
    still = (made.clip.frames[1:] - made.clip.frames[:-1]).abs().mean(dim=1)[met].mean()
    assert met.sum() > 1000 and error < 0.15 and error < 0.5 * still


def test_centres_are_those_of_the_whole_subjects() -> None:
    made = make_group_clip("crossing", ("lion", "pig"), num_frames=4, seed=0)
    y, x = np.mgrid[:64, :64] + 0.5
    for i, scene in enumerate(made.scenes):
        for f in range(4):
            mask = render(scene, scene.pose(f / 3)).mask
            ink = np.array([(x * mask).sum(), (y * mask).sum()]) / mask.sum()
            assert np.abs(ink - made.centres[f, i].numpy()).max() < 2


def test_what_is_seen_has_its_own_middle() -> None:
    made = make_group_clip(*FAMILY, num_frames=8, seed=3)
    free = made.shares > 0.9999
    torch.testing.assert_close(made.seen[free], made.centres[free], atol=1e-3, rtol=0)
    y, x = np.mgrid[:64, :64] + 0.5
    checked = 0
    for f, i in ((made.shares > 0.2) & ~free).nonzero().tolist():
        parts = made.masks[f, i].numpy(), render(made.scenes[i], made.scenes[i].pose(f / 7)).mask
        seen, whole = (np.array([(x * m).sum(), (y * m).sum()]) / m.sum() for m in parts)
        np.testing.assert_allclose(made.seen[f, i] - made.centres[f, i], seen - whole, atol=0.05)
        checked += np.abs(seen - whole).max() > 1
    assert checked, "somebody is half hidden"


def test_one_name_is_a_list_of_one() -> None:
    assert make_group_clip("family", "fox", num_frames=2).subjects == ("fox",) * 3


def test_nobody_is_a_picture_too() -> None:
    setting = make_group_clip(num_frames=2).scenes[0]
    empty = render_together(setting, [])
    assert empty.masks.shape == (0, 64, 64) and empty.shares.shape == (0,)
    far_away = render(setting, Pose(dx=9.0))
    np.testing.assert_array_equal(empty.depth, far_away.depth)


@pytest.mark.parametrize("argument", ["kind", "background", "style"])
def test_unknown_names_are_refused_with_the_known_ones(argument: str) -> None:
    with pytest.raises(InputError, match=f"{argument} 'nothing'.*choose one of"):
        make_group_clip(**{argument: "nothing"})


def test_subjects_must_be_known_and_as_many_as_the_kind_needs() -> None:
    with pytest.raises(InputError, match=r"subject .quasar.*choose one of"):
        make_group_clip("crossing", ("fox", "quasar"))
    for kind, subjects, wanted in (
        ("crossing", ("fox",), "two that differ"),
        ("crossing", ("fox", "fox"), "two that differ"),
        ("family", ("fox", "dog"), "one"),
    ):
        with pytest.raises(InputError, match=f"subjects is fox.*needs {wanted}"):
            make_group_clip(kind, subjects)
    with pytest.raises(InputError, match="num_frames is 1"):
        make_group_clip(num_frames=1)
