import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torchvision.transforms.functional import pil_to_tensor

from giftune.emojiworld.world import make_clip
from giftune.metrics.motion_magnitude import motion_magnitude, motion_magnitudes, to_grey


@pytest.fixture
def texture(generator):
    coarse = torch.rand(1, 3, 8, 8, generator=generator)
    return interpolate(coarse, (40, 40), mode="bicubic")[0].clamp(0, 1) * 2 - 1


def on_grey(patch, x, y, size=100):
    picture = torch.zeros(3, size, size)
    picture[:, y : y + patch.shape[1], x : x + patch.shape[2]] = patch
    return picture


def test_a_shift_by_3_and_4_is_5(texture):
    assert motion_magnitude(on_grey(texture, 25, 30), on_grey(texture, 28, 34)) == pytest.approx(5, abs=0.1)
    assert motion_magnitude(on_grey(texture, 25, 30), on_grey(texture, 19, 22)) == pytest.approx(10, abs=0.2)


def test_what_stands_still_does_not_dilute_what_moves(texture):
    before, after = on_grey(texture, 5, 5), on_grey(texture, 5, 5)
    before[:, 55:95, 40:80] = after[:, 55:95, 46:86] = texture.flip(-1)
    assert motion_magnitude(before, after) == pytest.approx(6, abs=0.5)


def test_no_corner_no_movement_and_too_little_are_0(texture):
    flat, before, after = torch.zeros(3, 64, 64), on_grey(texture, 30, 30), on_grey(texture, 30, 32)
    assert motion_magnitude(flat, flat + 0.5) == 0 == motion_magnitude(before, before)
    assert motion_magnitude(before, after) == pytest.approx(2, abs=0.1)
    assert motion_magnitude(before, after, least=3.0) == 0


def test_it_follows_the_truth_of_emojiworld():
    world = make_clip("robot", "beach", motion="run", seed=3)
    truth = (world.centres[0] - world.centres[1]).norm()
    found = motion_magnitude(*world.clip.frames[:2])
    assert found == pytest.approx(float(truth), abs=2)


def test_grey_is_that_of_pillow(texture):
    pixels = ((texture + 1) * 127.5).round().to(torch.uint8)
    theirs = pil_to_tensor(Image.fromarray(pixels.movedim(0, -1).numpy()).convert("L"))[0]
    assert (to_grey(pixels / 127.5 - 1) - theirs).abs().max() <= 1


def test_checked_agrees_where_the_way_back_is_found_and_knows_nothing_where_it_is_not(texture):
    before, after = on_grey(texture, 25, 30), on_grey(texture, 28, 34)
    assert motion_magnitude(before, after, checked=True) == pytest.approx(5, abs=0.1)
    elsewhere = on_grey(texture.flip(-1, -2).roll(9, -1), 40, 45)
    assert motion_magnitude(before, elsewhere) > 1 and motion_magnitude(before, elsewhere, checked=True) == 0


def test_checked_is_nearer_to_the_truth_of_emojiworld():
    errors = {False: [], True: []}
    for seed in range(4):
        world = make_clip(motion="run", seed=seed)
        for last in (1, 3, 5):
            truth = float((world.centres[0] - world.centres[last]).norm())
            for checked, found in errors.items():
                if motion := motion_magnitude(*world.clip.frames[[0, last]], checked=checked):
                    found.append(abs(motion - truth))
    assert max(errors[True]) < 3 < max(errors[False])


@pytest.mark.parametrize("checked", [False, True])
def test_many_pairs_at_once_are_each_as_alone(checked):
    frames = torch.cat([make_clip(motion="run", seed=1).clip.frames[:4], torch.zeros(1, 3, 64, 64)])
    pairs = [(0, 1), (4, 2), (3, 1), (2, 4), (0, 0), (1, 3)]
    alone = [motion_magnitude(frames[a], frames[b], checked=checked) for a, b in pairs]
    assert motion_magnitudes(frames, pairs, checked=checked) == pytest.approx(alone, abs=1e-3)
    assert max(alone) > 1 and alone[1] == alone[4] == 0
