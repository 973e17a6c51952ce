import pytest
import torch

from giftune.training.module import TuningModule, step_generator


@pytest.fixture
def module(toy, loss, make_optimizer):
    module = TuningModule(toy(), loss, make_optimizer, seed=3)
    module.log = lambda *_, **__: None  # no trainer is attached
    module.log_dict = lambda *_, **__: None
    return module


def test_each_step_has_randomness_of_its_own():
    draws = [torch.randn(4, generator=step_generator(*key)) for key in ((1, 0), (1, 1), (2, 0), (1, 0))]
    assert draws[0].equal(draws[3])
    assert not draws[0].equal(draws[1]) and not draws[0].equal(draws[2]) and not draws[1].equal(draws[2])


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
