"""Train the embedded CLIP, an ordinary `open_clip` model, on EmojiWorld's pictures and captions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPTokenizer

from giftune.emojiworld.captions import caption, sample_caption, words
from giftune.emojiworld.pretrain.fit import fit, warm_up_hold_decay
from giftune.emojiworld.pretrain.oracle import _disturb
from giftune.emojiworld.pretrain.scenes import LABELS, Scenes
from giftune.emojiworld.pretrain.tokenizer import MAX_LENGTH, build_tokenizer

VISIBLE = ("subject", "background", "style")  # a still picture does not tell the motion
SHARPEST = float(np.log(100))  # of the logits' scale, as in Radford et al. 2021, section 2.5


def clip_config(vocabulary_size: int, size: int = 64) -> dict[str, Any]:
    """What `open_clip_config.json` holds; `hf_tokenizer_name` sends open_clip to the files beside it."""
    vision = {"image_size": size, "patch_size": 8, "layers": 6, "width": 160, "head_width": 32}
    text = {
        "context_length": MAX_LENGTH,
        "vocab_size": vocabulary_size,
        "hf_tokenizer_name": "emojiworld",
        "width": 128,
        "heads": 4,
        "layers": 3,
    }
    half = [0.5] * 3
    return {
        "model_cfg": {"embed_dim": 128, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"mean": half, "std": half, "interpolation": "bicubic", "resize_mode": "squash"},
    }


class ClipTraining(pl.LightningModule):
    """Contrastive (Radford et al. 2021, figure 3), except that pairs which look alike are all positive.

    Captions of one batch often differ in the motion or the phrasing alone, so the targets are shared evenly
    among those with the same subject, background and style (Khosla et al. 2020, eq. 2).
    """

    def __init__(self, vocabulary_size: int, max_steps: int, learning_rate: float = 1e-3, size: int = 64):
        super().__init__()
        self.model = CLIP(**clip_config(vocabulary_size, size)["model_cfg"])
        self.max_steps, self.learning_rate = max_steps, learning_rate

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Float[Tensor, ""]:
        pictures, tokens, looks = batch
        image = self.model.encode_image(_disturb(pictures), normalize=True).float()
        text = self.model.encode_text(tokens, normalize=True).float()
        logits = self.model.logit_scale.clamp(max=SHARPEST).exp() * image @ text.T
        loss = contrastive(logits, looks)
        self.log_dict({"loss": loss, "scale": self.model.logit_scale.detach().exp()}, prog_bar=True)
        return loss

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return warm_up_hold_decay(self.model.parameters(), self.learning_rate, self.max_steps, 0.05)


def contrastive(logits: Float[Tensor, "b b"], looks: Int[Tensor, "b"]) -> Float[Tensor, ""]:
    """Symmetric cross-entropy; pictures and captions with one number in `looks` belong together."""
    same = (looks[:, None] == looks[None, :]).float()
    targets = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


class CaptionedPictures(Dataset):
    """(picture, token ids, number of its look); a caption is drawn anew at every visit."""

    def __init__(self, scenes: Scenes, tokenizer: CLIPTokenizer):
        self.scenes, self.tokenizer = scenes, tokenizer
        self.known: dict[str, Int[Tensor, " n"]] = {}
        looks = [tuple(label[name] for name in VISIBLE) for label in scenes.labels]
        numbers = {look: i for i, look in enumerate(sorted(set(looks)))}
        self.looks = [numbers[look] for look in looks]

    def __len__(self) -> int:
        return len(self.looks)

    def __getitem__(self, index: int) -> tuple[Float[Tensor, "3 h w"], Int[Tensor, " n"], int]:
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        text = sample_caption(**self.scenes.labels[index], rng=rng)
        if text not in self.known:
            padded = self.tokenizer(text, padding="max_length", truncation=True, return_tensors="pt")
            self.known[text] = padded.input_ids[0]
        picture = torch.from_numpy(self.scenes.pictures[index]).movedim(-1, 0).float() / 127.5 - 1
        return picture, self.known[text], self.looks[index]


def train_clip(work: Path, scenes: Scenes, steps: int, folder: Path, batch_size: int = 128) -> None:
    """Train in `work`/clip, going on from its checkpoint, and write a folder for open_clip's `local-dir:`."""
    tokenizer = build_tokenizer(words(), folder)
    size = scenes.pictures.shape[1]
    training = ClipTraining(len(tokenizer), steps, size=size)
    data = DataLoader(
        CaptionedPictures(scenes, tokenizer), batch_size=batch_size, shuffle=True, drop_last=True
    )
    fit(training, data, steps, work / "clip")
    config = json.dumps(clip_config(len(tokenizer), size), indent=2)
    (folder / "open_clip_config.json").write_text(config + "\n")
    half = {name: value.half().contiguous() for name, value in training.model.state_dict().items()}
    save_file(half, folder / "open_clip_model.safetensors")


@torch.no_grad()
def zero_shot_accuracy(
    model: Any, tokenize: Callable[[list[str]], Tensor], scenes: Scenes, batch_size: int = 100
) -> dict[str, float]:
    """Share of pictures whose attribute is the nearest one, each named by all captions that have it.

    `model` and `tokenize` are what `open_clip` makes of the folder that `train_clip` wrote.
    """
    looks = [(s, b, t) for s in LABELS["subject"] for b in LABELS["background"] for t in LABELS["style"]]
    captions = [caption(*look) for look in looks]
    texts = [captions[i : i + batch_size] for i in range(0, len(captions), batch_size)]
    embedded = torch.cat([model.encode_text(tokenize(part), normalize=True) for part in texts])
    pixels = torch.from_numpy(scenes.pictures).movedim(-1, 1)
    images = torch.cat(
        [model.encode_image(x.float() / 127.5 - 1, normalize=True) for x in pixels.split(batch_size)]
    )
    figures = {}
    for position, name in enumerate(VISIBLE):
        named = torch.tensor([LABELS[name].index(look[position]) for look in looks])
        means = [embedded[named == i].mean(dim=0) for i in range(len(LABELS[name]))]
        nearest = (images @ F.normalize(torch.stack(means), dim=1).T).argmax(dim=1).numpy()
        figures[name] = float((nearest == scenes.classes(name)).mean())
    return figures
