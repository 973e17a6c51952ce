"""Train the embedded text encoder to know what a caption says; the text-to-image training keeps it frozen.

Stable Diffusion's comes from CLIP. Trained from nothing together with the U-Net, a text encoder taught it
backgrounds and styles at once but no subject for 2,300 steps.
"""

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from giftune.emojiworld.captions import sample_caption
from giftune.emojiworld.held_out import is_held_out
from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.pretrain.fit import warm_up_hold_decay
from giftune.emojiworld.pretrain.scenes import LABELS
from giftune.emojiworld.pretrain.tokenizer import MAX_LENGTH

TEXT_WIDTH = 128


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.eos_token_id,
        )
    )


class TextEncoderTraining(pl.LightningModule):
    """Every token after the caption must tell its subject, background and style, by a linear map."""

    def __init__(self, tokenizer: CLIPTokenizer, max_steps: int, learning_rate: float = 1e-3):
        super().__init__()
        self.model = build_text_encoder(tokenizer)
        self.heads = torch.nn.ModuleDict({k: torch.nn.Linear(TEXT_WIDTH, len(v)) for k, v in LABELS.items()})
        self.end = tokenizer.eos_token_id
        self.max_steps, self.learning_rate = max_steps, learning_rate

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Float[Tensor, ""]:
        hidden = self.model(batch["tokens"]).last_hidden_state
        after = batch["tokens"] == self.end
        rows = after.nonzero()[:, 0]
        losses = {
            name: F.cross_entropy(head(hidden[after]), batch[name][rows]) for name, head in self.heads.items()
        }
        self.log_dict(losses, prog_bar=True)
        return torch.stack(list(losses.values())).sum()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return warm_up_hold_decay(self.parameters(), self.learning_rate, self.max_steps, 1e-2)


class Captions(Dataset):
    """Random captions of seen pairs, with what they say as class indices."""

    def __init__(self, tokenizer: CLIPTokenizer, count: int):
        self.tokenizer, self.count = tokenizer, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Int[Tensor, "*n"]]:
        rng = np.random.default_rng((index, 7))
        while True:
            said = {name: str(rng.choice(names)) for name, names in LABELS.items()}
            if not is_held_out(**said):
                break
        text = sample_caption(**said, motion=str(rng.choice(list(MOTIONS))), rng=rng)
        tokens = self.tokenizer(text, padding="max_length", truncation=True, return_tensors="pt").input_ids[0]
        classes = {name: torch.tensor(LABELS[name].index(value)) for name, value in said.items()}
        return {"tokens": tokens, **classes}
