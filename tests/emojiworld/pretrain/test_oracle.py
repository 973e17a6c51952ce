import numpy as np
import torch

from giftune.emojiworld.oracle import CLASSES
from giftune.emojiworld.pretrain.oracle import LabelledPictures, OracleTraining, _disturb
from giftune.emojiworld.pretrain.scenes import Scenes


def test_a_few_pictures_can_be_learnt_by_heart() -> None:
    rng = np.random.default_rng(0)
    labels = [{"subject": "fox", "background": "snow", "style": "plain"},
              {"subject": "pig", "background": "moon", "style": "sketch"}]  # fmt: skip
    scenes = Scenes(
        rng.integers(0, 255, (2, 64, 64, 3), dtype=np.uint8), labels, np.full((2, 2), 0.5, np.float32)
    )
    data = LabelledPictures(scenes)
    batch = {key: torch.stack([data[0][key], data[1][key]]) for key in data[0]}
    assert [CLASSES["subject"][i] for i in batch["subject"]] == ["fox", "pig"]
    training = OracleTraining(max_steps=20)
    training.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    optimizer = torch.optim.AdamW(training.parameters(), lr=3e-3)
    torch.manual_seed(0)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = training.training_step(batch, 0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def testdisturbance_is_mild() -> None:
    torch.manual_seed(0)
    smooth = torch.linspace(-1, 1, 64).expand(8, 3, 64, 64)
    assert (_disturb(smooth) - smooth).abs().mean() < 0.1
