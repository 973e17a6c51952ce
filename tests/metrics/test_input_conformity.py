import pytest
import torch

from giftune.metrics.input_conformity import input_conformity


class Colours:
    """In the place of CLIP: the mean colour as a unit vector."""

    name, logit_scale = "colours", 1.0

    def images(self, frames, view="centre_crop"):
        assert view == "square"
        return torch.nn.functional.normalize(frames.mean(dim=(2, 3)), dim=1)

    def texts(self, prompts):
        raise AssertionError("no prompt is asked for")


def test_it_is_the_mean_cosine_to_the_picture():
    red, green = torch.eye(3)[:2, :, None, None].expand(2, 3, 8, 8)
    assert input_conformity(red, torch.stack([red, 0.3 * red]), Colours()) == pytest.approx(1)
    assert input_conformity(red, torch.stack([red, green]), Colours()) == pytest.approx(0.5)
    assert input_conformity(red, torch.stack([red + green]), Colours()) == pytest.approx(0.5**0.5)
