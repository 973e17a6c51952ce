import pytest
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXPipeline

from giftune.backbone.cogvideox import load_cogvideox
from giftune.clip import Clip
from giftune.errors import InputError
from giftune.methods.base import Editor, Tunable
from giftune.methods.cogvideox import CogVideoX, as_clip
from tests.cogvideox_checkpoint import LENGTH, build_cogvideox

PROMPT = "a panda is surfing"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return build_cogvideox(tmp_path_factory.mktemp("cogvideox") / "model")


@pytest.fixture
def pipeline(checkpoint) -> CogVideoXPipeline:
    return load_cogvideox(checkpoint, device="cpu", dtype="float32")


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_it_draws_what_the_pipeline_of_diffusers_draws(pipeline, clip):
    ours = list(CogVideoX(pipeline, num_steps=2).edit(clip, ["a cat", PROMPT], seeded()))
    theirs = pipeline(
        PROMPT, height=16, width=32, num_frames=9, num_inference_steps=2, guidance_scale=6.0,
        generator=seeded(), max_sequence_length=LENGTH, output_type="pt",
    ).frames[0]  # fmt: skip
    assert theirs.shape == (9, 3, 16, 32)
    drawn = Clip(theirs * 2 - 1, (1,) * 9).sample(3, stride=None).fit(16, 24, "crop")
    torch.testing.assert_close(ours[1].frames, drawn.frames, rtol=0, atol=1e-5)
    assert (ours[0].frames - ours[1].frames).abs().max() > 1e-3
    assert (ours[1].durations_ms, ours[1].loop, ours[1].name) == (clip.durations_ms, clip.loop, clip.name)


def test_a_sampler_with_noise_of_its_own_repeats_as_well(pipeline, clip):
    pipeline.scheduler = CogVideoXDPMScheduler.from_config(pipeline.scheduler.config)
    method = CogVideoX(pipeline, num_steps=2)
    alone = next(method.edit(clip, [PROMPT], seeded()))
    *_, last = method.edit(clip, ["a cat", PROMPT], seeded())
    assert torch.equal(alone.frames, last.frames)


def test_size_and_number_of_frames_can_be_chosen(pipeline, clip, monkeypatch):
    seen = []
    method = CogVideoX(pipeline, num_frames=17, height=32, width=16, num_steps=1)
    draw = method._draw
    monkeypatch.setattr(method, "_draw", lambda *args: seen.append(draw(*args)) or seen[-1])
    (drawn,) = method.edit(clip, [PROMPT], seeded())
    assert seen[0].shape == (17, 3, 32, 16)
    assert drawn.frames.shape == clip.frames.shape


def test_progress_counts_steps(pipeline, clip):
    seen = []
    method = CogVideoX(pipeline, num_steps=2)
    list(method.edit(clip, ["a cat", "a ball"], seeded(), lambda *report: seen.append(report)))
    assert seen == [("sampling", done, 4) for done in range(1, 5)]


@pytest.mark.parametrize(("drawn", "wanted", "kept"), [
    (9, 3, [0, 3, 6]), (4, 4, [0, 1, 2, 3]), (2, 4, [0, 0, 1, 1]), (49, 2, [0, 24]),
])  # fmt: skip
def test_frames_are_spread_over_all_that_were_drawn(drawn, wanted, kept):
    frames = torch.linspace(-1, 1, drawn).view(-1, 1, 1, 1).expand(-1, 3, 8, 8).contiguous()
    like = Clip(torch.zeros(wanted, 3, 8, 8), tuple(range(10, 10 + wanted)), loop=None, name="like")
    made = as_clip(frames, like)
    torch.testing.assert_close(made.frames, frames[kept])
    assert (made.durations_ms, made.loop, made.name) == (like.durations_ms, None, "like")


def test_it_is_an_editor_without_a_backbone(pipeline):
    method = CogVideoX(pipeline)
    assert isinstance(method, Editor) and not isinstance(method, Tunable)


def test_numbers_that_are_not_finite_are_reported(pipeline, clip):
    pipeline.vae.decoder.conv_out.conv.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="dtype is too narrow"):
        next(CogVideoX(pipeline, num_steps=1).edit(clip, [PROMPT], seeded()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_steps": 0}, "num_steps is 0, it must be at least 1"),
        ({"num_frames": 16}, "num_frames is 16, it must be one more than a multiple of 8"),
        ({"num_frames": 1}, "num_frames is 1, it"),
        ({"height": 100}, "height is 100, it must be a multiple of 16"),
        ({"width": 8}, "width is 8, it must be a multiple of 16"),
    ],
)
def test_settings_out_of_range(pipeline, settings, message):
    with pytest.raises(InputError, match=message):
        CogVideoX(pipeline, **settings)
