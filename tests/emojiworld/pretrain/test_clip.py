from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import caption, words
from giftune.emojiworld.pretrain import clip as module
from giftune.emojiworld.pretrain import scenes as scenes_module
from giftune.emojiworld.pretrain.clip import (
    CaptionedPictures,
    ClipTraining,
    contrastive,
    train_clip,
    zero_shot_accuracy,
)
from giftune.emojiworld.pretrain.scenes import LABELS, load_scenes
from giftune.emojiworld.pretrain.tokenizer import build_tokenizer


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scenes_module, "CHUNK", 8)
    return load_scenes(8, 3, 64, tmp_path / "scenes", workers=1)


def test_equals_open_clips_own_loss_when_no_two_look_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    image, text = F.normalize(torch.randn(2, 6, 16, generator=generator), dim=-1)
    ours = contrastive(20 * image @ text.T, torch.arange(6))
    torch.testing.assert_close(ours, open_clip.loss.ClipLoss()(image, text, torch.tensor(20.0)))


def test_pairs_that_look_alike_are_all_right() -> None:
    logits = torch.tensor([[9.0, 9.0, 0.0], [9.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    shared, apart = (contrastive(logits, torch.tensor(looks)) for looks in ([0, 0, 1], [0, 1, 2]))
    expected = -(2 * np.log(np.exp(9) / (2 * np.exp(9) + 1)) + np.log(np.exp(9) / (np.exp(9) + 2))) / 3
    assert shared.item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(shared, apart)
    sharper = logits + torch.diag(torch.full((3,), 3.0))
    assert contrastive(sharper, torch.tensor([0, 1, 2])) < contrastive(sharper, torch.tensor([0, 0, 1]))


def test_captions_and_looks_follow_the_labels(scenes, tmp_path: Path) -> None:
    tokenizer = build_tokenizer(words(), tmp_path / "tokenizer")
    data = CaptionedPictures(scenes, tokenizer)
    torch.manual_seed(0)
    for index in range(8):
        _, tokens, _ = data[index]
        assert scenes.labels[index]["subject"] in tokenizer.decode(tokens, skip_special_tokens=True)
    for i in range(8):
        for j in range(8):
            alike = all(scenes.labels[i][n] == scenes.labels[j][n] for n in module.VISIBLE)
            assert (data.looks[i] == data.looks[j]) == alike
    assert len({tuple(data[0][1].tolist()) for _ in range(20)}) > 1


def test_a_few_pictures_can_be_learnt_by_heart(scenes, tmp_path: Path) -> None:
    tokenizer = build_tokenizer(words(), tmp_path / "tokenizer")
    torch.manual_seed(0)
    training = ClipTraining(len(tokenizer), max_steps=20)
    training.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    batch = next(iter(DataLoader(CaptionedPictures(scenes, tokenizer), batch_size=8)))
    optimizer = torch.optim.AdamW(training.parameters(), lr=1e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = training.training_step(batch, 0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


class KnowsAll(nn.Module):
    """Pictures and captions to the same point for the same subject, background and style."""

    def __init__(self, scenes):
        super().__init__()
        self.scenes = scenes

    def encode_text(self, texts, normalize):
        return torch.stack([self._point(text) for text in texts])

    def encode_image(self, pixels, normalize):
        labels = [{k: v for k, v in label.items() if k != "motion"} for label in self.scenes.labels]
        return torch.stack([self._point(caption(**label)) for label in labels[: len(pixels)]])

    def _point(self, text):
        found = [name in text.split() for name in LABELS["subject"]]
        found += [BACKGROUNDS[name].place in text for name in LABELS["background"]]
        styles = [name != "plain" and name in text for name in LABELS["style"]]
        styles[LABELS["style"].index("plain")] = not any(styles)
        return F.normalize(torch.tensor(found + styles).float(), dim=0)


def test_zero_shot_accuracy_of_a_perfect_and_of_a_constant_model(scenes) -> None:
    model = KnowsAll(scenes)
    assert set(zero_shot_accuracy(model, list, scenes).values()) == {1.0}
    model.encode_image = lambda pixels, normalize: model.encode_text(
        [caption("rabbit", "moon", "sketch")] * len(pixels), True
    )
    figures = zero_shot_accuracy(model, list, scenes)
    for name, constant in (("subject", "rabbit"), ("background", "moon"), ("style", "sketch")):
        assert figures[name] == np.mean([label[name] == constant for label in scenes.labels])


@pytest.mark.slow
def test_open_clip_loads_what_is_written(scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    monkeypatch.setattr(module, "fit", lambda training, *_: trained.append(training))
    folder = tmp_path / "clip"
    train_clip(tmp_path, scenes, steps=2, folder=folder, batch_size=8)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    texts = ["a rabbit is jumping on the grass", caption("fox", "snow", "sketch")]
    expected = build_tokenizer(words(), tmp_path / "again")(
        texts, padding="max_length", return_tensors="pt"
    ).input_ids
    assert torch.equal(tokenize(texts), expected)
    pixels = preprocess(Image.fromarray(scenes.pictures[0]))
    torch.testing.assert_close(
        pixels, torch.from_numpy(scenes.pictures[0]).movedim(-1, 0) / 127.5 - 1, atol=1e-5, rtol=0
    )
    ours = trained[0].model.eval()
    with torch.no_grad():
        for loaded, made in (
            (model.encode_text(expected), ours.encode_text(expected)),
            (model.encode_image(pixels[None]), ours.encode_image(pixels[None])),
        ):
            torch.testing.assert_close(loaded, made, atol=2e-2, rtol=2e-2)
