"""A random BLIP-2 in miniature, in the layout of the published one: one folder with all files."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessor,
    OPTConfig,
    PreTrainedTokenizerFast,
)

from giftune.backbone._quiet import quiet

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = ["a", "cat", "panda", "ball", "is", "runs", "surfing", "on", "the", "wave", "beach", "red", "blue"]
IMAGE = "<image>"
QUERIES = 4


def build_blip2(folder: Path, seed: int = 0) -> Path:
    """BLIP-2 with OPT as its language model and its weights in several files, as in the published folder."""
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS, IMAGE])}
    torch.manual_seed(seed)
    model = Blip2ForConditionalGeneration(_config(vocabulary)).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():  # so that what it says begins with words, which depend on the picture
        special = [vocabulary[token] for token in (*SPECIAL, IMAGE)]
        model.get_input_embeddings().weight[special] = 0
    with quiet():
        model.save_pretrained(folder, max_shard_size="60KB")
    _processor(vocabulary).save_pretrained(folder)
    return folder


def _config(vocabulary: dict[str, int]) -> Blip2Config:
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16}
    vision = Blip2VisionConfig(**layers, intermediate_size=32, image_size=28, patch_size=14)
    qformer = Blip2QFormerConfig(**layers, vocab_size=8, intermediate_size=32, encoder_hidden_size=16)
    text = OPTConfig(
        **layers, vocab_size=len(vocabulary), ffn_dim=32, word_embed_proj_dim=16, max_position_embeddings=64,
        bos_token_id=vocabulary["</s>"], eos_token_id=vocabulary["</s>"], pad_token_id=vocabulary["<pad>"],
    )  # fmt: skip
    return Blip2Config(
        vision_config=vision.to_dict(), qformer_config=qformer.to_dict(), text_config=text.to_dict(),
        num_query_tokens=QUERIES, image_token_index=vocabulary[IMAGE],
    )  # fmt: skip


def _processor(vocabulary: dict[str, int]) -> Blip2Processor:
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="</s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=[IMAGE],
    )  # fmt: skip
    pictures = BlipImageProcessor(size={"height": 28, "width": 28})
    return Blip2Processor(pictures, wrapped, num_query_tokens=QUERIES)
