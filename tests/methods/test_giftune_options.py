"""What makes tuning and editing smaller or faster, against the plain way."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from giftune.attention.patterns import per_frame
from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.diffusion.windows import Windows
from giftune.emojiworld.world import make_clip
from giftune.errors import InputError
from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.temporal import TemporalConsistency
from giftune.methods.giftune import GifTune
from giftune.sampling.dpm_solver import invert_dpm_solver, sample_dpm_solver
from giftune.sampling.solvers import DDIM, DPM_SOLVER
from giftune.training.tuner import Tuner
from giftune.unet.lora import Lora, lora_layers

GOLDEN = Path(__file__).parents[1] / "golden"


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def long_clip(clip):
    frames = torch.rand(7, *clip.frames.shape[1:], generator=generator(3)) * 2 - 1
    return Clip(frames, (40,) * 7)


def awaken(method):
    """As if it had been tuned."""
    with torch.no_grad():
        for name, parameter in method.network.named_parameters():
            if parameter.requires_grad and name.endswith(("temporal.to_out.weight", "lora_up")):
                parameter.normal_(std=0.1, generator=generator(5))
    return method


def edited(method, clip):
    return next(iter(method.edit(clip, ["a panda"], generator()))).frames


@pytest.mark.parametrize("frames", [3, 24])
def test_a_window_that_holds_the_clip_changes_nothing(make_method, clip, frames):
    plain, windowed = awaken(make_method()), awaken(make_method(window=Windows(frames, 1)))
    one, two = (m.step(m.prepare(clip, "a cat"), generator()) for m in (plain, windowed))
    assert one.prediction.equal(two.prediction) and one.target.equal(two.target)
    assert edited(plain, clip).equal(edited(windowed, clip))


def test_frames_that_see_only_themselves_do_not_notice_windows(make_method, long_clip):
    settings = {"pattern": per_frame, "temporal": False}
    found = edited(make_method(window=Windows(4, 1), **settings), long_clip)
    torch.testing.assert_close(found, edited(make_method(**settings), long_clip), atol=1e-4, rtol=1e-4)


def test_no_more_than_a_window_is_seen_at_once(make_method, long_clip):
    method, seen = awaken(make_method(window=Windows(4, 1))), set()
    method.network.register_forward_pre_hook(lambda _, inputs: seen.add(inputs[0].shape[2]))
    found = edited(method, long_clip)
    method.step(method.prepare(long_clip, "a cat"), generator())
    assert seen == {4} and len(found) == 7


def test_each_step_tunes_on_one_window(make_method, long_clip):
    """Its own frames are those of the source, in a row; frame 0 in front of them is only looked at."""
    method = make_method(window=Windows(4, 1), posterior="mean")
    batch, starts = method.prepare(long_clip, "a cat"), set()
    for seed in range(8):
        step, again = (method.step(batch, generator(seed)) for _ in range(2))
        assert step.prediction.equal(again.prediction)
        num_frames = step.x0.shape[2]
        (start,) = [s for s in range(7) if batch.mean[:, :, s : s + num_frames].equal(step.x0)]
        assert step.prediction.shape == step.target.shape == step.noisy.shape == step.source.shape
        assert (start, num_frames) in {(0, 4), (2, 3), (4, 3)}
        starts.add(start)
    assert len(starts) > 1


def test_low_rank_starts_where_whole_matrices_start(make_method, clip, tmp_path):
    plain, low = make_method(), make_method(lora=Lora(2))
    torch.testing.assert_close(edited(low, clip), edited(plain, clip), atol=1e-4, rtol=1e-4)
    learnt = {name.rpartition(".")[0] for name in low.trainable()}
    assert learnt == {name.rpartition(".")[0] for name in plain.trainable()}
    parameters = dict(low.network.named_parameters())
    assert {parameters[name].dtype for name in low.trainable()} == {torch.float32}
    step = low.step(low.prepare(clip, "a cat"), generator())
    (step.prediction - step.target).square().mean().backward()
    layers = lora_layers(low.network)
    assert layers and all(x.lora_up.grad is not None and x.weight.grad is None for x in layers)


def test_low_rank_weights_return(make_method, clip, tmp_path):
    method, path = awaken(make_method(lora=Lora(2))), tmp_path / "weights.safetensors"
    method.save(path)
    assert all("lora" in name or name.endswith("bias") for name in load_file(path))
    fresh = make_method(lora=Lora(2), seed=9)
    fresh.load(path)
    assert edited(fresh, clip).equal(edited(method, clip))
    for other in (make_method(lora=Lora(2, 1.0)), make_method()):
        with pytest.raises(InputError, match="lora"):
            other.load(path)


def test_the_solver_inverts_and_samples(make_method, clip):
    method = make_method(solver=DPM_SOLVER)
    work, latents = method.workspace, method.prepare(clip, "").mean
    start = invert_dpm_solver(work.denoiser(method.network, [""]), latents, method.schedule, 4)
    drawn = sample_dpm_solver(work.denoiser(method.network, ["a panda"], 3.0), start, method.schedule, 4)
    with torch.no_grad():
        torch.testing.assert_close(edited(method, clip), work.decode(drawn)[0])
    assert not torch.allclose(edited(make_method(), clip), edited(method, clip), atol=1e-2)


@pytest.mark.slow
def test_ten_steps_of_second_order_bring_the_source_back_as_twenty_of_first_do():
    """With a network that has learnt to denoise."""
    world = make_clip("rabbit", "grass", "plain", "jump", 4, 0, 64)
    lost = []
    for solver, steps in ((DPM_SOLVER, 10), (DDIM, 20)):
        method = GifTune(load_backbone("emojiworld", device="cpu"), solver=solver)
        latents, _ = method.workspace.posterior(world.clip)
        denoise = method.workspace.denoiser(method.network, [""])
        noise = solver.invert(denoise, latents, method.schedule, steps)
        lost.append((solver.sample(denoise, noise, method.schedule, steps) - latents).square().mean())
    assert lost[0] < lost[1]


def test_inversions_are_kept_by_solver_and_window(make_method, long_clip, tmp_path):
    for settings in ({}, {"solver": DPM_SOLVER}, {"window": Windows(4, 1)}):
        list(make_method(cache=tmp_path, **settings).edit(long_clip, ["a cat"], generator()))
    assert len(list((tmp_path / "inversions").iterdir())) == 3


@pytest.mark.parametrize(("free", "checkpoints"), [(1000, True), (10**12, False)])
def test_memory_is_saved_where_it_is_short(make_method, clip, monkeypatch, free, checkpoints):
    monkeypatch.setattr("giftune.methods.giftune.free_memory", lambda device: free)
    method, plain = awaken(make_method(gradient_checkpointing="auto")), awaken(make_method())
    steps = [m.step(m.prepare(clip, "a cat"), generator()) for m in (method, plain)]
    assert method.network.unet.is_gradient_checkpointing is checkpoints
    assert not plain.network.unet.is_gradient_checkpointing
    for step in steps:
        step.prediction.square().mean().backward()
    for name in method.trainable():
        gradients = [m.network.get_parameter(name).grad for m in (method, plain)]
        torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)


def test_the_golden_losses_hold_with_every_fast_option_that_is_exact(make_method, tmp_path):
    """One window over the clip, checkpoints, and the fused optimiser, for the run of tests/test_golden.py."""
    golden = [float(line.split()[1]) for line in (GOLDEN / "losses.txt").read_text().splitlines()]
    frames = torch.rand(4, 3, 32, 32, generator=generator(1)) * 2 - 1
    options = {"window": Windows(4), "gradient_checkpointing": True}
    method = make_method(seed=2, **options)
    loss = WeightedSum({"reconstruction": (Reconstruction(), 1.0), "temporal": (TemporalConsistency(), 0.1)})
    optimizer = partial(torch.optim.AdamW, lr=1e-2, weight_decay=0.01, fused=True)
    batch = method.prepare(Clip(frames, (40,) * 4), "a cat runs")
    Tuner(max_steps=20).fit(method, batch, loss, optimizer, tmp_path, seed=3)
    found = [json.loads(line)["loss"] for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert found == pytest.approx(golden, rel=1e-4)


def test_compiling_changes_no_name(make_method):
    """What it computes is compared in tests/unet/test_compiled.py."""
    assert make_method(compile="default").trainable() == make_method().trainable()


def test_refuses(make_method):
    with pytest.raises(InputError, match="gradient_checkpointing is 'often'"):
        make_method(gradient_checkpointing="often")
    with pytest.raises(InputError, match="compile is 'fast'"):
        make_method(compile="fast")
