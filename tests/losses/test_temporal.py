import dataclasses

import pytest
import torch

from giftune.errors import InputError
from giftune.losses.temporal import TemporalConsistency


@pytest.mark.parametrize("mode", ["match_source", "difference"])
def test_frame_by_frame(make_step, mode):
    step = make_step()
    b, c, f, h, w = step.x0.shape
    expected = 0.0
    for clip in range(b):
        for i in range(f - 1):
            change = step.x0_hat[clip, :, i + 1] - step.x0_hat[clip, :, i]
            if mode == "match_source":
                change = change - (step.x0[clip, :, i + 1] - step.x0[clip, :, i])
            expected += step.alpha_bar[clip] * (change**2).sum() / (b * c * (f - 1) * h * w)
    torch.testing.assert_close(TemporalConsistency(mode)(step), expected)


def test_the_source_itself_costs_nothing_and_a_frozen_clip_does(make_step):
    match, difference = TemporalConsistency(), TemporalConsistency("difference")
    perfect = make_step("v_prediction", perfect=True)
    assert match(perfect) < 1e-10 < difference(perfect)
    still = torch.ones_like(perfect.x0)
    frozen = dataclasses.replace(
        perfect,
        noisy=perfect.alpha_bar.sqrt().reshape(-1, 1, 1, 1, 1) * still,
        prediction=-(1 - perfect.alpha_bar).sqrt().reshape(-1, 1, 1, 1, 1) * still,
    )
    torch.testing.assert_close(frozen.x0_hat, still)
    assert difference(frozen) < 1e-10 < match(frozen)


def test_refuses_an_unknown_mode():
    with pytest.raises(InputError, match="mode is 'smooth'"):
        TemporalConsistency("smooth")
