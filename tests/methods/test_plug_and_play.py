import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from einops import rearrange

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.errors import InputError
from giftune.methods.base import Editor
from giftune.methods.plug_and_play import PlugAndPlay

PROMPT = "a red panda is surfing"


@pytest.fixture
def make(folders):
    def build(kind="sd1", **settings) -> PlugAndPlay:
        settings = {
            "feature_layer": 1,
            "first_attention_layer": 2,
            "num_steps": 4,
            "guidance": 3.0,
            **settings,
        }
        return PlugAndPlay(load_backbone(folders[kind], device="cpu"), **settings)

    return build


def draw(method, clip, *prompts):
    return [edited.frames for edited in method.edit(clip, prompts, torch.Generator())]


class ReleasedAttention:
    """The authors' program: in a batch of three the first third's Q and K overwrite the others'."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        query, key = attn.to_q(hidden_states), attn.to_k(hidden_states)
        value, third = attn.to_v(hidden_states), len(query) // 3
        for x in (query, key):
            x[third : 2 * third] = x[:third]
            x[2 * third :] = x[:third]
        query, key, value = map(attn.head_to_batch_dim, (query, key, value))
        mixed = torch.bmm(attn.get_attention_scores(query, key), value)
        return attn.to_out[0](attn.batch_to_head_dim(mixed))


def released_convolution(resnet):
    """`resnet.forward` in the authors' program, for the blocks of Stable Diffusion."""

    def forward(hidden, temb):
        inner = resnet.conv1(resnet.nonlinearity(resnet.norm1(hidden)))
        inner = inner + resnet.time_emb_proj(resnet.nonlinearity(temb))[:, :, None, None]
        inner = resnet.conv2(resnet.nonlinearity(resnet.norm2(inner)))
        third = len(inner) // 3
        inner[third : 2 * third] = inner[:third]
        inner[2 * third :] = inner[:third]
        return resnet.conv_shortcut(hidden) + inner

    return forward


@torch.no_grad()
def released(folder, method, clip, feature_steps, attention_steps, inversion_steps, num_steps):
    """Inversion and sampling of every frame by itself, on a plain U-Net and diffusers' scheduler."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    levels, frames = scheduler.alphas_cumprod, []
    empty, text = method.workspace.text([""]), method.workspace.text([PROMPT])
    for latents in rearrange(method.workspace.posterior(clip)[0], "1 c f h w -> f 1 c h w"):
        scheduler.set_timesteps(inversion_steps)
        stored, at, before = {}, latents, scheduler.final_alpha_cumprod
        for t in reversed(scheduler.timesteps.tolist()):
            noise = unet(at, t, empty).sample
            if scheduler.config.prediction_type == "v_prediction":
                noise = levels[t] ** 0.5 * noise + (1 - levels[t]) ** 0.5 * at
            clean = (at - (1 - before) ** 0.5 * noise) / before**0.5
            stored[t] = at = levels[t] ** 0.5 * clean + (1 - levels[t]) ** 0.5 * noise
            before = levels[t]
        scheduler.set_timesteps(num_steps)
        at = stored[scheduler.timesteps[0].item()]
        resnet, attention = unet.up_blocks[0].resnets[1], unet.up_blocks[1].attentions
        usual, processors = resnet.forward, [a.transformer_blocks[0].attn1.processor for a in attention]
        for step, t in enumerate(scheduler.timesteps.tolist()):
            resnet.forward = released_convolution(resnet) if step < feature_steps else usual
            for transformer, processor in zip(attention, processors, strict=True):
                chosen = ReleasedAttention() if step < attention_steps else processor
                transformer.transformer_blocks[0].attn1.set_processor(chosen)
            batch = torch.cat([stored[t], at, at])
            _, unconditional, conditional = unet(batch, t, torch.cat([empty, empty, text])).sample.chunk(3)
            guided = unconditional + method.guidance * (conditional - unconditional)
            at = scheduler.step(guided, t, at).prev_sample
        resnet.forward = usual
        for transformer, processor in zip(attention, processors, strict=True):
            transformer.transformer_blocks[0].attn1.set_processor(processor)
        frames.append(at)
    return method.workspace.decode(rearrange(torch.cat(frames), "f c h w -> 1 c f h w"))[0]


@pytest.mark.parametrize(
    ("kind", "features_until", "attention_until", "inversion_steps"),
    [("sd1", 0.8, 0.5, None), ("sd1", 0.4, 0.7, 12), ("sd1", 0.0, 0.0, None), ("sd2", 1.0, 1.0, None)],
)
def test_the_authors_program_frame_by_frame(
    make, folders, clip, kind, features_until, attention_until, inversion_steps
):
    steps = 6
    method = make(
        kind,
        num_steps=steps,
        features_until=features_until,
        attention_until=attention_until,
        inversion_steps=inversion_steps,
    )
    assert isinstance(method, Editor)
    counts = int(features_until * steps), int(attention_until * steps)
    expected = released(folders[kind], method, clip, *counts, inversion_steps or steps, steps)
    (found,) = draw(method, clip, PROMPT)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("taken", ["features_until", "attention_until"])
def test_what_is_taken_from_the_source_counts(make, clip, taken):
    nothing = {"features_until": 0.0, "attention_until": 0.0}
    (without,) = draw(make(**nothing), clip, PROMPT)
    (with_it,) = draw(make(**{**nothing, taken: 1.0}), clip, PROMPT)
    assert (with_it - without).abs().max() > 1e-3


def test_each_frame_is_a_picture_of_its_own(make, clip):
    method = make()
    (together,) = draw(method, clip, PROMPT)
    alone = [draw(method, clip[i : i + 1], PROMPT)[0] for i in range(len(clip))]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_nothing_changes_where_the_edit_is_the_source(make, clip):
    """At the first step both are the inverted noise: what is copied under the same text is there already."""
    method = make(features_until=1.0, attention_until=1.0, guidance=1.0)
    source = method._source(clip, None)
    t = method.timesteps[0]
    steered = method.workspace.denoiser(method._beside(source), [""])(source[t][None], t)
    plain = method.workspace.denoiser(method.network, [""])(source[t][None], t)
    torch.testing.assert_close(steered, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_the_source_returns(make, clip):
    """With its own text and no guidance everything leads back, with an error that falls with the step."""
    errors = []
    for steps in (10, 100):
        method = make(num_steps=steps, features_until=1.0, attention_until=1.0, guidance=1.0)
        with torch.no_grad():
            for parameter in method.network.unet.conv_out.parameters():
                parameter.mul_(0.1)  # a random network is less smooth in time than a trained one
        (back,) = draw(method, clip, "")
        decoded = method.workspace.decode(method.workspace.posterior(clip)[0])[0]
        errors.append(((back - decoded).square().mean() / decoded.square().mean()).sqrt())
    assert errors[1] < 0.4 * errors[0] and errors[1] < 0.05


def test_edits_keep_the_timing_and_do_not_depend_on_the_batch(make, clip):
    prompts = ["a panda", "a red ball", "the beach"]
    two = list(make(batch_size=2).edit(clip, prompts, torch.Generator()))
    for first, second in zip(draw(make(), clip, *prompts), two, strict=True):
        assert second.durations_ms == clip.durations_ms and second.loop == clip.loop
        torch.testing.assert_close(first, second.frames, atol=1e-4, rtol=1e-4)


def test_the_network_is_as_before(make, clip):
    method = make()

    def hooks():
        return sum(len(module._forward_hooks) for module in method.network.modules())

    processors = dict(method.network.unet.attn_processors)
    edits = method.edit(clip, [PROMPT, "a cat"], torch.Generator())
    next(edits)
    assert hooks() == 0  # between two edits already
    edits.close()

    def fail(stage, step, _):
        if stage == "sampling" and step == 2:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(method.edit(clip, [PROMPT], torch.Generator(), fail))
    handle = method.network.unet.conv_out.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        draw(method, clip, PROMPT)
    handle.remove()
    assert hooks() == 0 and method.network.unet.attn_processors == processors


def test_the_inverted_latents_are_remembered(make, clip, tmp_path):
    stages = []
    first = make(cache=tmp_path)
    (expected,) = first.edit(clip, [PROMPT], torch.Generator(), lambda *told: stages.append(told))
    assert stages == [
        *(("inverting", i, 4) for i in range(1, 5)),
        *(("sampling", i, 4) for i in range(1, 5)),
    ]
    stages.clear()
    again = make(cache=tmp_path, features_until=0.8)
    (found,) = again.edit(clip, [PROMPT], torch.Generator(), lambda stage, *_: stages.append(stage))
    assert set(stages) == {"sampling"} and found.frames.equal(expected.frames)
    end = first.workspace.inverted(first.network, first.workspace.posterior(clip)[0], 4)
    assert end.equal(first._source(clip, None)[first.timesteps[0]][None])


def test_refuses(make):
    for settings, sentence in (
        ({"features_until": 1.5}, "features_until is 1.5"),
        ({"attention_until": -0.1}, "attention_until is -0.1"),
        ({"feature_layer": 4}, "feature_layer is 4, .* layers 0 to 3"),
        ({"first_attention_layer": 4}, "self-attention are 2, 3"),
        ({"inversion_steps": 7}, "inversion_steps is 7, .* num_steps=4"),
        ({"inversion_steps": 0}, "num_steps is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            make(**settings)
    with pytest.raises(InputError, match="multiples of 8"):
        draw(make(), Clip(torch.zeros(2, 3, 20, 24), (10, 10)), PROMPT)
