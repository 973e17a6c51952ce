import pytest
import torch

from giftune.attention.patterns import first_frame, per_frame
from giftune.backbone.latents import encode
from giftune.backbone.stable_diffusion import load_backbone
from giftune.backbone.text import embed_words
from giftune.errors import InputError
from giftune.methods.workspace import Workspace, last_steps, noise_like, require_sampling
from giftune.sampling.inversion import invert
from giftune.unet.inflate import inflate


@pytest.fixture
def backbone(folders):
    return load_backbone(folders["sd1"], device="cpu")


def test_latents_are_those_of_the_autoencoder_and_come_from_the_cache_next_time(backbone, clip, tmp_path):
    mean, std = Workspace(backbone, tmp_path).posterior(clip)
    expected = encode(backbone.vae, clip.frames)
    torch.testing.assert_close(mean[0], expected.mean)
    torch.testing.assert_close(std[0], expected.std)
    backbone.vae.encode = None  # whoever calls it fails
    again, _ = Workspace(backbone, tmp_path).posterior(clip)
    assert torch.equal(again, mean)
    with pytest.raises(TypeError):
        Workspace(backbone).posterior(clip)


def test_an_inversion_is_kept_for_one_network_and_number_of_steps(backbone, clip, tmp_path):
    network = inflate(backbone.unet, per_frame, temporal=False)
    workspace, steps = Workspace(backbone, tmp_path), []
    mean, _ = workspace.posterior(clip)

    def count(stage, done, total):
        steps.append((stage, done, total))

    found = workspace.inverted(network, mean, 3, count)
    expected = invert(workspace.denoiser(network, [""]), mean, backbone.schedule, 3)
    torch.testing.assert_close(found, expected)
    assert steps == [("inverting", done, 3) for done in (1, 2, 3)]
    assert torch.equal(workspace.inverted(network, mean, 3, count), found) and len(steps) == 3
    workspace.inverted(network, mean, 2, count)
    assert len(steps) == 5
    parameter = network.unet.conv_out.weight.requires_grad_(True)
    workspace.inverted(network, mean, 3, count)
    with torch.no_grad():
        parameter.mul_(1.5)
    changed = workspace.inverted(network, mean, 3, count)
    assert len(steps) == 11 and not torch.allclose(changed, found)


def test_an_inversion_is_kept_at_every_timestep_that_is_asked_for(backbone, clip, tmp_path):
    network, workspace = inflate(backbone.unet, per_frame, temporal=False), Workspace(backbone, tmp_path)
    mean, _ = workspace.posterior(clip)
    walked = []
    denoise = workspace.denoiser(network, [""])
    last = invert(denoise, mean, backbone.schedule, 4, lambda _, latents: walked.append(latents[0]))
    timesteps = backbone.schedule.timesteps(4).tolist()
    found = workspace.inverted(network, mean, 4, at=timesteps)
    torch.testing.assert_close(found, torch.stack(walked[::-1]))
    torch.testing.assert_close(found[0], last[0])
    torch.testing.assert_close(workspace.inverted(network, mean, 4, at=timesteps[2:]), found[2:])


def test_another_pattern_is_another_inversion(folders, clip, tmp_path):
    found = []
    for pattern in (per_frame, first_frame):
        backbone = load_backbone(folders["sd1"], device="cpu")
        workspace = Workspace(backbone, tmp_path)
        network = inflate(backbone.unet, pattern, temporal=False)
        found.append(workspace.inverted(network, workspace.posterior(clip)[0], 2))
    assert not torch.allclose(*found)


def test_each_prompt_is_drawn_in_its_batch_and_progress_counts_all_steps(backbone, clip):
    workspace, batches, steps = Workspace(backbone), [], []
    mean, _ = workspace.posterior(clip)

    def plan(batch):
        batches.append(list(batch))
        start = torch.cat([mean + index for index in range(len(batch))])
        return lambda latents, t: torch.zeros_like(latents), start

    clips = workspace.draw(
        clip, ["a", "b", "c"], 2, 4, plan, lambda *progress: steps.append(progress), slice(1, None)
    )
    first = next(clips)
    assert batches == [["a", "b"]]  # no more than was asked for
    assert len(list(clips)) == 2 and batches == [["a", "b"], ["c"]]
    assert steps == [("sampling", done, 6) for done in range(1, 7)]
    assert first.durations_ms == clip.durations_ms and first.frames.shape == clip.frames.shape


def test_predictions_are_float32_whatever_the_network_is_kept_in(folders):
    backbone = load_backbone(folders["sd1"], device="cpu", dtype="bfloat16")
    workspace = Workspace(backbone)
    network = inflate(backbone.unet, per_frame, temporal=False)
    latents = torch.randn(1, 4, 2, 2, 3, generator=torch.Generator().manual_seed(0))
    assert workspace.predict(network, latents, 5, workspace.text(["a cat"])).dtype == torch.float32


def test_words_come_behind_the_encoded_prompt(backbone):
    prompts = ["a cat", "two pandas run", ""]
    encoded, words = Workspace(backbone, words=True).text(prompts).chunk(2, dim=-1)
    torch.testing.assert_close(encoded, Workspace(backbone).text(prompts))
    expected = embed_words(backbone.tokenizer, backbone.text_encoder, prompts)
    torch.testing.assert_close(words, expected)
    assert words[0, 2].any() and not words[2, 2:].any()  # behind begin and end


def test_noise_is_of_the_seed(backbone, clip):
    mean, _ = Workspace(backbone).posterior(clip)
    one, two, three = (noise_like(mean, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, two) and not torch.equal(one, three) and one.shape == mean.shape


@pytest.mark.parametrize("sizes", [(0, 5), (1, 0), (1, 5, 2000)])
def test_what_cannot_be_sampled_is_refused(backbone, sizes):
    with pytest.raises(InputError):
        require_sampling(Workspace(backbone), *sizes)


def test_the_last_steps_are_the_share_that_noise_was_added_for():
    assert list(range(10))[last_steps(10, 0.35)] == [7, 8, 9]
    assert list(range(10))[last_steps(10, 1.0)] == list(range(10))
    for strength in (0.0, 0.05, 1.2):
        with pytest.raises(InputError, match=f"strength is {strength}"):
            last_steps(10, strength)
