import warnings

import pytest
import torch
from diffusers import StableDiffusionPipeline

from giftune.backbone.text import embed_words, encode_prompts

PROMPTS = ["a panda is surfing on the wave", "", "A red Ball!", "naïve 7 🐼"]


@pytest.mark.parametrize("mask", [False, True])
def test_equal_to_the_pipeline(pipeline: StableDiffusionPipeline, mask: bool) -> None:
    pipeline.text_encoder.config.use_attention_mask = mask
    ours = encode_prompts(pipeline.tokenizer, pipeline.text_encoder, PROMPTS)
    expected, _ = pipeline.encode_prompt(PROMPTS, torch.device("cpu"), 1, False)
    assert ours.shape == (4, 77, 16)
    torch.testing.assert_close(ours, expected)


def test_the_empty_prompt_is_the_unconditional_one(pipeline: StableDiffusionPipeline) -> None:
    _, unconditional = pipeline.encode_prompt("a cat", torch.device("cpu"), 1, True)
    torch.testing.assert_close(encode_prompts(pipeline.tokenizer, pipeline.text_encoder, [""]), unconditional)


def test_what_is_cut_is_shown(pipeline: StableDiffusionPipeline) -> None:
    prompt = "cat " * 75 + "panda on the beach"
    with pytest.warns(UserWarning, match="more than 75 tokens.*ignored: 'panda on the beach'"):
        ours = encode_prompts(pipeline.tokenizer, pipeline.text_encoder, [prompt])
    expected, _ = pipeline.encode_prompt(prompt, torch.device("cpu"), 1, False)
    torch.testing.assert_close(ours, expected)


def test_what_fits_is_not_mentioned(pipeline: StableDiffusionPipeline) -> None:
    with warnings.catch_warnings(action="error"):
        encode_prompts(pipeline.tokenizer, pipeline.text_encoder, ["cat " * 75])


def test_the_encoder_bounds_a_tokenizer_without_limit(pipeline: StableDiffusionPipeline) -> None:
    expected = encode_prompts(pipeline.tokenizer, pipeline.text_encoder, PROMPTS)
    pipeline.tokenizer.model_max_length = int(1e30)
    torch.testing.assert_close(encode_prompts(pipeline.tokenizer, pipeline.text_encoder, PROMPTS), expected)


def test_no_graph_is_kept(pipeline: StableDiffusionPipeline) -> None:
    assert not encode_prompts(pipeline.tokenizer, pipeline.text_encoder, ["a cat"]).requires_grad


def test_words_are_the_embedded_tokens_normalised_up_to_the_end(pipeline: StableDiffusionPipeline) -> None:
    found = embed_words(pipeline.tokenizer, pipeline.text_encoder, PROMPTS)
    table = pipeline.text_encoder.get_input_embeddings().weight
    for prompt, words in zip(PROMPTS, found, strict=True):
        ids = pipeline.tokenizer(prompt).input_ids
        centred = table[ids] - table[ids].mean(dim=1, keepdim=True)
        expected = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
        torch.testing.assert_close(words[: len(ids)], expected, rtol=1e-4, atol=1e-4)
        assert words.shape == (77, 16) and not words[len(ids) :].any()
    assert not found.requires_grad
