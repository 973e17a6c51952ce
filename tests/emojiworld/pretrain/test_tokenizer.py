from pathlib import Path

from transformers import CLIPTokenizer

from giftune.emojiworld.captions import words
from giftune.emojiworld.pretrain.tokenizer import MAX_LENGTH, build_tokenizer


def test_every_word_of_the_grammar_is_one_token(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(words(), tmp_path)
    assert all(tokenizer.tokenize(word) == [word + "</w>"] for word in words())


def test_other_text_falls_apart_into_known_pieces(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(["rabbit", "grass"], tmp_path)
    pieces = tokenizer.tokenize("zebra 你好")
    assert len(pieces) > 2 and tokenizer.unk_token not in pieces
    assert "".join(pieces).startswith("zebra</w>")


def test_saved_files_load_as_a_clip_tokenizer(tmp_path: Path) -> None:
    built = build_tokenizer(["rabbit", "grass"], tmp_path)
    loaded = CLIPTokenizer.from_pretrained(tmp_path)
    text = "a rabbit on the grass"
    assert loaded(text).input_ids == built(text).input_ids
    assert (
        loaded(text).input_ids[0] == loaded.bos_token_id and loaded(text).input_ids[-1] == loaded.eos_token_id
    )
    assert loaded.model_max_length == MAX_LENGTH
