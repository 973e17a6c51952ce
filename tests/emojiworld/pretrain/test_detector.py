import numpy as np
import pytest
import torch

from giftune.emojiworld.detector import CELLS, Detector, Maps, peaks
from giftune.emojiworld.pretrain.crowds import Crowds
from giftune.emojiworld.pretrain.detector import (
    DetectorTraining,
    Targets,
    _wobble,
    detection_figures,
    focal_loss,
    matched,
    target_maps,
)
from giftune.emojiworld.sprites import SUBJECTS

FOX, PIG = list(SUBJECTS).index("fox"), list(SUBJECTS).index("pig")


@pytest.fixture
def crowds() -> Crowds:
    """Two pictures of noise: a fox before a pig in the same cell; and a pig with a hidden fox."""
    rng = np.random.default_rng(0)
    return Crowds(
        pictures=rng.integers(0, 255, (2, 64, 64, 3), dtype=np.uint8),
        kinds=np.array([[FOX, PIG, -1], [PIG, FOX, -1]]),
        centres=np.array([[[0.3, 0.3]] * 2 + [[0, 0]], [[0.8, 0.2], [0.5, 0.5], [0, 0]]], np.float32),
        nearness=np.array([[0.9, 0.5, 0.0], [0.9, 0.5, 0.0]], np.float32),
        shares=np.array([[1.0, 0.6, 0.0], [1.0, 0.34, 0.0]], np.float32),
    )


def test_what_a_perfect_detector_says_is_read_back_as_what_is_there(crowds: Crowds) -> None:
    item = Targets(crowds)[1]
    logits = torch.logit(item["heat"], eps=1e-6)
    kind = torch.nn.functional.one_hot(item["kind"].clamp(min=0), len(SUBJECTS)).movedim(-1, 0).float()
    ((one,),) = peaks(Maps(logits[None], kind[None], item["offset"][None]), 0.5)  # the fox is hidden
    assert one.kind == "pig" and (one.x, one.y) == (pytest.approx(0.8), pytest.approx(0.2))


def test_the_nearer_one_has_the_cell(crowds: Crowds) -> None:
    kind = Targets(crowds)[0]["kind"]
    assert kind[4, 4] == FOX and (kind >= 0).sum() == 1
    assert Targets(crowds._replace(nearness=-crowds.nearness))[0]["kind"][4, 4] == PIG


def test_bumps_meet_without_growing() -> None:
    centres = torch.tensor([[0.4, 0.4], [0.53, 0.4], [0.9, 0.99]])
    heat, kind, offset = target_maps(torch.tensor([FOX, PIG, -1]), centres)
    assert heat[6, 6] == heat[6, 8] == heat.max() == 1 and 0 < heat[6, 7] < 1
    assert heat[15, 14] < 1e-6 and (kind >= 0).sum() == 2
    assert offset[:, 6, 8].tolist() == pytest.approx([0.53 * CELLS - 8.5, 0.4 * CELLS - 6.5], abs=1e-5)


def test_focal_loss_is_the_paper_s_loop() -> None:
    torch.manual_seed(0)
    logits, heat = torch.randn(2, 4, 4), torch.rand(2, 4, 4)
    heat[0, 1, 2] = heat[1, 3, 3] = 1.0
    total = 0.0
    for logit, y in zip(logits.flatten(), heat.flatten(), strict=True):
        p = 1 / (1 + torch.exp(-logit))
        total -= (1 - p) ** 2 * torch.log(p) if y == 1 else (1 - y) ** 4 * p**2 * torch.log(1 - p)
    torch.testing.assert_close(focal_loss(logits, heat), total / 2)
    assert focal_loss(logits, torch.zeros(2, 4, 4)).isfinite()


def test_a_few_pictures_can_be_learnt_by_heart(crowds: Crowds) -> None:
    torch.manual_seed(0)
    training = DetectorTraining(max_steps=60)
    training.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    data = Targets(crowds)
    batch = {key: torch.stack([data[0][key], data[1][key]]) for key in data[0]}
    optimizer = torch.optim.AdamW(training.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = training.training_step(batch, 0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_pictures_without_subjects_train_too(crowds: Crowds) -> None:
    training = DetectorTraining(max_steps=2)
    training.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    item = Targets(crowds._replace(kinds=np.full((2, 3), -1)))[0]
    loss = training.training_step(
        {key: value[None].repeat_interleave(2, 0) for key, value in item.items()}, 0
    )
    assert loss.isfinite() and loss.requires_grad


def test_pairs_are_within_six_pixels_and_each_in_one() -> None:
    found = torch.tensor([[10.0, 10.0], [12.0, 10.0], [40.0, 40.0]])
    true = torch.tensor([[11.9, 10.0], [40.0, 46.1], [5.0, 10.0]])
    assert matched(found, true) == [(1, 0), (0, 2)]
    assert matched(found, torch.empty(0, 2)) == []


def test_figures_count_place_and_name(crowds: Crowds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says a fox at (0.3, 0.3) of everything: right but for the pig behind it, then wrong."""
    centre = torch.full((2, CELLS, CELLS), -9.0)
    centre[:, 4, 4] = 9.0
    kind = torch.zeros(2, len(SUBJECTS), CELLS, CELLS)
    kind[:, FOX] = 1.0
    monkeypatch.setattr(
        Detector, "forward", lambda *_: Maps(centre, kind, torch.full((2, 2, CELLS, CELLS), 0.3))
    )
    figures = detection_figures(Detector(), crowds)
    assert figures == {
        "count": 0.5, "precision": 0.5, "recall": pytest.approx(1 / 3), "kind": 1.0,
    }  # fmt: skip


def test_wobble_moves_things_a_little_and_paints_nothing() -> None:
    torch.manual_seed(0)
    flat = torch.full((4, 3, 64, 64), 0.3)
    torch.testing.assert_close(_wobble(flat), flat)
    ramp = torch.linspace(-1, 1, 64).expand(4, 3, 64, 64)  # 1 is as many pixels as the side has halves
    moved = (_wobble(ramp) - ramp)[..., 8:-8].abs() * 31.5
    assert 0.1 < moved.mean() < 1.5 and moved.max() < 8
