"""The tokenizer of CLIP, for checkpoints that come without one."""

import gzip
from importlib.util import find_spec
from pathlib import Path

from transformers import CLIPTokenizer

END_OF_WORD = "</w>"
VOCABULARY_SIZE = 49408
MAX_LENGTH = 77


def clip_tokenizer(pad_token: str) -> CLIPTokenizer:
    """Build the tokenizer of Stable Diffusion from the merges of CLIP that open_clip carries.

    All CLIP text encoders share this vocabulary (Radford et al. 2021, section 2.4): the bytes, the bytes that
    end a word, the merges in order, two special tokens. Stable Diffusion 1.x pads with "<|endoftext|>", 2.x
    with "!".
    """
    merges = _read_merges()
    letters = _byte_letters()
    tokens = [*letters, *(letter + END_OF_WORD for letter in letters), *(a + b for a, b in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocabulary, merges, pad_token=pad_token, model_max_length=MAX_LENGTH)


def _read_merges() -> list[tuple[str, str]]:
    # find_spec does not run the package, whose import takes seconds
    spec = find_spec("open_clip")
    assert spec is not None and spec.origin is not None, "open_clip_torch is a dependency of giftune"
    path = Path(spec.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    num_merges = VOCABULARY_SIZE - 2 * 256 - 2
    pairs = (line.split() for line in lines[1 : num_merges + 1])  # the first line is a version
    return [(first, second) for first, second in pairs]


def _byte_letters() -> list[str]:
    """One printable letter for each of the 256 bytes, in the vocabulary's order (byte-level BPE of GPT-2)."""
    printable = [
        *range(0x21, 0x7F),
        *range(0xA1, 0xAD),
        *range(0xAE, 0x100),
    ]  # without spaces and soft hyphen
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
