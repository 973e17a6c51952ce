import pytest
import torch

from giftune.training.module import TuningModule, step_generator, warmed


@pytest.fixture
def module(toy, loss, make_optimizer):
    return TuningModule(toy(), loss, make_optimizer, seed=3)


def test_each_step_has_randomness_of_its_own():
    keys = [
        (1, 0),
        (1, 1),
        (2, 0),
        (11, 0),
        (1, 10),
        (1, 0, 1),
        (1, 0, 2),
        (1, 1, 1),
        (1, 0, 0, 1),
        (1, 0, 1, 1),
    ]
    draws = {key: tuple(torch.randn(4, generator=step_generator(*key)).tolist()) for key in keys}
    assert len(set(draws.values())) == len(keys)
    for again in ((1, 0), (1, 0, 0), (1, 0, 0, 0)):
        assert tuple(torch.randn(4, generator=step_generator(*again)).tolist()) == draws[1, 0]


def test_the_rate_warms_up_in_a_line():
    assert [warmed(step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert [warmed(step, 0) for step in range(3)] == [1.0, 1.0, 1.0]


def test_the_loss_is_the_weighted_sum_and_its_parts(module, loss):
    result = module.training_step(module.method.prepare(None, ""), 0)
    expected, parts = loss(module.method.step(module.method.prepare(None, ""), step_generator(3, 0)))
    torch.testing.assert_close(result["loss"], expected)
    assert result["parts"] == {name: value.item() for name, value in parts.items()}


def test_the_state_is_what_learns(module):
    assert list(module.state_dict()) == ["network.learnt"] and not module.strict_loading
    (group,) = module.configure_optimizers().param_groups
    assert group["params"] == [module.network["learnt"]]


def test_gradients_are_clipped_like_in_torch(module):
    learnt = module.network["learnt"]
    learnt.grad = torch.tensor([3.0, 4.0])
    optimizer = module.configure_optimizers()
    module.configure_gradient_clipping(optimizer, None)
    assert learnt.grad.tolist() == [3.0, 4.0]
    module.configure_gradient_clipping(optimizer, 1.0)
    torch.testing.assert_close(learnt.grad, torch.tensor([0.6, 0.8]))


def test_bad_numbers_stop_before_anything_changes(module):
    module.method.poison_step = 0
    with pytest.raises(FloatingPointError, match="loss reconstruction is nan at step 0"):
        module.training_step(module.method.prepare(None, ""), 0)
    module.network["learnt"].grad = torch.tensor([1.0, float("inf")])
    with pytest.raises(FloatingPointError, match="gradient's norm is inf at step 0"):
        module.configure_gradient_clipping(module.configure_optimizers(), 1.0)
