import pytest
import torch
from torch.nn import functional

from giftune.errors import InputError
from giftune.losses.contrastive import DecoupledContrastive


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def features(rng):
    return torch.randn(3, 2, 6, 4, 4, generator=rng)


def make(**settings) -> DecoupledContrastive:
    torch.manual_seed(0)
    return DecoupledContrastive(6, hidden=8, width=5, **settings)


def by_hand(loss, features, queue):
    """Symmetric in nothing: which of the two frames is first is known from the generator."""
    order = torch.Generator().manual_seed(1)
    total = 0.0
    for clip in features:
        i, j = torch.randperm(len(clip), generator=order)[:2]
        z = loss.head(clip.mean((2, 3)))
        similar = functional.cosine_similarity(z[i], z[j], dim=0)
        total = total - similar / loss.tau
        if len(queue):
            others = functional.cosine_similarity(z[i][None], queue)
            total = total + (others / loss.tau).exp().sum().log()
    return total / len(features)


def test_equals_its_formula(features, rng):
    loss = make()
    queue = torch.randn(7, 5, generator=rng)
    loss.queue[-7:], loss.filled[...] = functional.normalize(queue, dim=-1), 7
    expected = by_hand(loss, features, queue)
    torch.testing.assert_close(loss(features, torch.Generator().manual_seed(1)), expected)


def test_the_queue_is_first_in_first_out_without_gradient_and_without_the_clips_of_the_step(rng):
    loss = make(queue_length=5)
    seen = []
    for step in range(4):
        features = torch.randn(2, 3, 6, 4, 4, generator=rng)
        before = loss.others()
        expected = by_hand(loss, features, before)
        found = loss(features, torch.Generator().manual_seed(1))
        torch.testing.assert_close(found, expected)  # so no clip of the step is among the negatives
        after = loss.others()
        assert len(after) == min(5, 2 * (step + 1)) and not loss.queue.requires_grad
        assert after[:-2].equal(before[len(before) + 2 - len(after) :])
        torch.testing.assert_close(after.norm(dim=-1), torch.ones(len(after)))
        seen.append(after[-2:])
    assert loss.others().equal(torch.cat(seen)[-5:])
    found.backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in loss.parameters())


def test_the_queue_is_resumed(features):
    loss, resumed = make(queue_length=8), make(queue_length=8)
    loss.fill(features[:, 0])
    resumed.load_state_dict(loss.state_dict())
    costs = [part(features, torch.Generator().manual_seed(1)) for part in (loss, resumed)]
    assert costs[0].equal(costs[1])


def test_alike_frames_cost_less(features):
    def cost(clips):
        loss = make()
        loss.fill(torch.eye(6)[:, :, None, None])
        return loss(clips, torch.Generator().manual_seed(1))

    assert cost(features[:, :1].expand(-1, 2, -1, -1, -1)) < cost(features)


def test_a_bank_stays_what_it_was_filled_with(features):
    loss = make(negatives="bank")
    loss.fill(features[:, 0])
    kept = loss.others()
    loss(features, torch.Generator().manual_seed(1))
    assert len(kept) == 3 and loss.others().equal(kept)


def test_without_negatives_one_frame_is_pulled_to_another_that_stays(features):
    loss = make(negatives="none")
    features = features.requires_grad_()
    value = loss(features, torch.Generator().manual_seed(1))
    first, second = features.mean((3, 4)).unbind(1)
    expected = -functional.cosine_similarity(first, second) / 0.1
    torch.testing.assert_close(value, expected.mean())
    value.backward()
    moved = features.grad.abs().amax((2, 3, 4)) > 0
    assert moved.sum(1).tolist() == [1, 1, 1] and not list(loss.parameters())


def test_a_still_has_no_pair(features):
    assert make()(features[:, :1], torch.Generator()) == 0


def test_refuses():
    with pytest.raises(InputError, match="tau is 0"):
        make(tau=0.0)
