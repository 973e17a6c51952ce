import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from transformers import CLIPTokenizer

from giftune.backbone.tokenizer import clip_tokenizer

PROMPTS = [
    "",
    "a photo of a cat",
    "A man's surfing a WAVE, 4k; don't we'll   they're",
    "12345 +-*/ (brackets) [more] #hash @at 50%",
    "naïve café über ångström",
    "パンダ 서핑 панда 🐼🏄",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
]


@pytest.fixture(scope="module")
def reference() -> SimpleTokenizer:
    return SimpleTokenizer()


@pytest.fixture(scope="module", params=["<|endoftext|>", "!"])
def tokenizer(request: pytest.FixtureRequest) -> CLIPTokenizer:
    return clip_tokenizer(request.param)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_equal_to_the_tokenizer_of_clip(
    tokenizer: CLIPTokenizer, reference: SimpleTokenizer, prompt: str
) -> None:
    expected = [reference.sot_token_id, *reference.encode(prompt), reference.eot_token_id]
    assert tokenizer(prompt).input_ids == expected


def test_published_token_ids() -> None:
    assert clip_tokenizer("<|endoftext|>")("a photo of a cat").input_ids == [
        49406, 320, 1125, 539, 320, 2368, 49407,
    ]  # fmt: skip


def test_2x_pads_as_open_clip_does(reference: SimpleTokenizer) -> None:
    padded = clip_tokenizer("!")(PROMPTS, padding="max_length", return_tensors="pt").input_ids
    torch.testing.assert_close(padded, reference(PROMPTS))


def test_1x_pads_with_the_end_of_text() -> None:
    ids = clip_tokenizer("<|endoftext|>")("a cat", padding="max_length").input_ids
    assert len(ids) == 77 and set(ids[3:]) == {49407}


def test_the_vocabulary_is_complete(tokenizer: CLIPTokenizer) -> None:
    assert len(tokenizer) == 49408
    assert sorted(tokenizer.get_vocab().values()) == list(range(49408))
