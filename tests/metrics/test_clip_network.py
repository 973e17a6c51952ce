"""Against open_clip and transformers called directly on the same weights."""

import warnings

import open_clip
import pytest
import torch
from open_clip.tokenizer import HFTokenizer
from torch.nn.functional import normalize
from transformers import CLIPConfig, CLIPModel

from giftune.emojiworld.captions import words
from giftune.emojiworld.pretrain.tokenizer import build_tokenizer
from giftune.metrics.clip_network import CutWarning, TransformersClip
from giftune.metrics.features import load_clip
from giftune.metrics.views import arrange

LONG = "cat " * 74 + "and a very red hat"


@pytest.fixture(scope="module")
def clip(clip_folder):
    return load_clip(str(clip_folder))


@pytest.fixture(scope="module")
def reference(clip_folder):
    return open_clip.create_model(f"local-dir:{clip_folder}").eval()


@torch.no_grad()
def test_frames_as_open_clip_embeds_them(clip, reference, noise):
    frames = noise(4)
    mean, std = (torch.tensor(x).reshape(3, 1, 1) for x in ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4]))
    seen = ((arrange(frames, "square", 32) + 1) / 2 - mean) / std
    hidden = []
    reference.visual.ln_post.register_forward_hook(lambda *call: hidden.append(call[-1]))
    expected = reference.encode_image(seen, normalize=True)
    torch.testing.assert_close(clip.images(frames, "square"), expected, atol=1e-5, rtol=1e-5)
    # what transformers calls pooler_output: the class token after the last norm
    pooler_output = normalize(hidden[0][:, 0], dim=1)
    torch.testing.assert_close(clip.pooled(frames, "square"), pooler_output, atol=1e-5, rtol=0)
    assert reference.logit_scale.exp() == clip.logit_scale


@torch.no_grad()
def test_prompts_as_open_clip_embeds_them(clip, reference, clip_folder):
    prompts = ["a cat is running", "a dog, sleeping"]
    tokens = open_clip.get_tokenizer(f"local-dir:{clip_folder}")(prompts)
    torch.testing.assert_close(clip.texts(prompts), reference.encode_text(tokens, normalize=True))


def test_frames_are_embedded_once_until_they_change(clip, noise, monkeypatch):
    passes = []
    handle = clip.visual.register_forward_hook(lambda *call: passes.append(1))
    frames = noise()
    first = clip.images(frames)
    clip.pooled(frames)
    assert len(passes) == 1
    clip.images(frames, "bottom_square")
    clip.images(frames.clone())
    assert len(passes) == 3
    frames.mul_(-1)
    assert not torch.allclose(clip.images(frames), first)
    handle.remove()


def test_the_cut_part_of_a_long_prompt_is_shown_once(clip):
    with pytest.warns(UserWarning, match="more than 75 tokens.*: 'a very red hat'"):
        clip.texts([LONG])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clip.texts([LONG, "cat " * 75])


def test_the_cut_part_with_a_tokenizer_of_transformers(tmp_path):
    build_tokenizer(words(), tmp_path)
    tokenizer = HFTokenizer(str(tmp_path), context_length=6)
    with pytest.warns(UserWarning, match="more than 4 tokens.*: 'on the grass'"):
        CutWarning(tokenizer)(["a rabbit is jumping on the grass"])


@torch.no_grad()
def test_a_model_of_transformers_gives_output_objects(noise):
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = CLIPModel(
        CLIPConfig(
            text_config=small, vision_config={**small, "image_size": 32, "patch_size": 16}, projection_dim=8
        )
    ).eval()
    tokenizer = open_clip.SimpleTokenizer(context_length=77)
    network = TransformersClip(model, tokenizer, (0.5,) * 3, (0.5,) * 3, "tiny")
    frames, prompts = noise(2, 32, 32), ["a cat", "a red dog"]
    output = model(input_ids=tokenizer(prompts), pixel_values=frames)
    torch.testing.assert_close(network.images(frames), output.image_embeds)
    torch.testing.assert_close(network.texts(prompts), output.text_embeds)
    logits = network.logit_scale * network.images(frames) @ network.texts(prompts).T
    torch.testing.assert_close(logits, output.logits_per_image)
    with pytest.warns(UserWarning, match="a very red hat"):
        network.texts([LONG])
