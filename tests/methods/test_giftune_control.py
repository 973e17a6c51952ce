"""GIF-Tune with a ControlNet, in tuning and in edits."""

import pytest
import torch

from giftune.attention.patterns import per_frame
from giftune.backbone.control import load_control
from giftune.diffusion.windows import Windows
from giftune.errors import InputError
from giftune.methods.controlled import StructuralControl
from tests.control_checkpoints import build_controlnet


class HalfGrey(StructuralControl):
    """The clip itself as the picture, through a ControlNet with random weights."""

    def __init__(self, folder, scale):
        super().__init__(load_control(folder, device="cpu"), lambda clip: (clip.frames + 1) / 2, scale)


@pytest.fixture(scope="session")
def control_folder(tmp_path_factory):
    return build_controlnet(tmp_path_factory.mktemp("control") / "net")


def test_control_changes_tuning_and_edits_and_learns_nothing(make_method, control_folder, clip):
    def one_step(control, tune_with_control=True):
        method = make_method(control=control, tune_with_control=tune_with_control)
        step = method.step(method.prepare(clip, "a cat"), torch.Generator().manual_seed(1))
        (step.prediction - step.target).square().mean().backward()
        learnt = dict(method.network.named_parameters())
        return method, step.prediction, {name: learnt[name].grad for name in method.trainable()}

    plain, prediction, gradients = one_step(None)
    method, controlled, _ = one_step(control := HalfGrey(control_folder, 1.0))
    assert not torch.allclose(controlled, prediction)
    assert all(parameter.grad is None for parameter in control.weights.network.parameters())
    assert not any("control" in name for name in method.trainable())
    for settings in ((HalfGrey(control_folder, 0.0), True), (HalfGrey(control_folder, 1.0), False)):
        _, same, also = one_step(*settings)
        torch.testing.assert_close(same, prediction, atol=1e-6, rtol=0)
        torch.testing.assert_close(also, gradients, atol=1e-6, rtol=1e-4)
    edits = [next(m.edit(clip, ["a panda"], torch.Generator())).frames for m in (plain, method)]
    assert not torch.allclose(*edits)


def test_weights_tuned_without_control_are_edited_with_it(make_method, control_folder, clip, tmp_path):
    make_method().save(tmp_path / "weights.safetensors")
    edits = []
    for scale in (0.0, 1.0):
        method = make_method(control=HalfGrey(control_folder, scale), cache=tmp_path / "cache")
        method.load(tmp_path / "weights.safetensors")
        edits.append(next(method.edit(clip, ["a panda"], torch.Generator())).frames)
    plain = make_method()
    plain.load(tmp_path / "weights.safetensors")
    expected = next(plain.edit(clip, ["a panda"], torch.Generator())).frames
    torch.testing.assert_close(edits[0], expected, atol=1e-3, rtol=0)
    assert not torch.allclose(*edits)


def test_windows_take_their_part_of_the_control(make_method, control_folder, clip):
    """Frames that see only themselves do not notice windows, wherever their pictures come from."""
    settings = {"pattern": per_frame, "temporal": False, "control": HalfGrey(control_folder, 1.0)}
    plain, windowed = make_method(**settings), make_method(window=Windows(2, 0), **settings)
    edits = [next(m.edit(clip, ["a panda"], torch.Generator())).frames for m in (plain, windowed)]
    torch.testing.assert_close(*edits, atol=1e-4, rtol=1e-4)
    batch = windowed.prepare(clip, "a cat")
    for seed in range(6):
        step = windowed.step(batch, torch.Generator().manual_seed(seed))
        (frame,) = [f for f in range(3) if batch.mean[:, :, f : f + 1].equal(step.source[:, :, -1:])]
        picture = batch.picture[:, :, frame : frame + 1]
        network = windowed.control.attached(windowed.network, picture)
        expected = windowed.workspace.predict(network, step.noisy[:, :, -1:], step.t, batch.text)
        torch.testing.assert_close(step.prediction[:, :, -1:], expected, atol=1e-4, rtol=1e-4)


def test_a_control_for_another_base_is_refused(make_method, tmp_path):
    other = build_controlnet(tmp_path / "wide", block_out_channels=(8, 24))
    with pytest.raises(InputError, match="block_out_channels"):
        make_method(control=HalfGrey(other, 1.0))
