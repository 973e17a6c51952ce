from pathlib import Path

import torch
from torch.nn import functional as F

from giftune.emojiworld.captions import words
from giftune.emojiworld.held_out import is_held_out
from giftune.emojiworld.pretrain.scenes import LABELS
from giftune.emojiworld.pretrain.text_encoder import Captions, TextEncoderTraining
from giftune.emojiworld.pretrain.tokenizer import build_tokenizer


def test_captions_say_what_their_classes_say_and_no_held_out_pair(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(words(), tmp_path)
    data = Captions(tokenizer, 40)
    for item in (data[i] for i in range(len(data))):
        said = {name: LABELS[name][item[name]] for name in LABELS}
        text = tokenizer.decode(item["tokens"], skip_special_tokens=True)
        assert said["subject"] in text and said["background"] in text
        assert (said["style"] in text) == (said["style"] != "plain") and not is_held_out(**said)
    assert torch.equal(data[3]["tokens"], data[3]["tokens"])


def test_loss_asks_every_token_after_the_caption(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(words(), tmp_path)
    training = TextEncoderTraining(tokenizer, max_steps=10)
    training.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    items = [Captions(tokenizer, 3)[i] for i in range(3)]
    batch = {key: torch.stack([item[key] for item in items]) for key in items[0]}
    expected = torch.zeros(())
    for name, head in training.heads.items():
        losses = [
            F.cross_entropy(head(hidden), item[name])
            for item in items
            for hidden in training.model(item["tokens"][None]).last_hidden_state[0][
                list(item["tokens"]).index(tokenizer.eos_token_id) :
            ]
        ]
        expected = expected + torch.stack(losses).mean()
    torch.testing.assert_close(training.training_step(batch, 0), expected)
