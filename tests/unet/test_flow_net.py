import pytest
import torch

from giftune.errors import InputError
from giftune.unet.flow_net import FlowNet


@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 8)])
def test_each_flow_has_half_the_size_of_the_finer_one(height, width, rng):
    flows = FlowNet(width=8)(
        torch.randn(2, 4, height, width, generator=rng),
        torch.randn(2, 16, height // 2, width // 2, generator=rng),
    )
    for level, flow in enumerate(flows):
        assert flow.shape == (2, 2, height // 2**level, width // 2**level) and flow.abs().max() < 1


def test_with_zero_it_starts_as_no_flow(rng):
    latents, injected = torch.randn(1, 4, 8, 8, generator=rng), torch.randn(1, 16, 4, 4, generator=rng)
    assert not FlowNet(width=8, zero=True)(latents, injected)[0].any()
    assert FlowNet(width=8)(latents, injected)[0].any()


def test_every_layer_is_used(rng):
    network = FlowNet(width=8)
    flow, _, _ = network(torch.randn(2, 4, 8, 8, generator=rng), torch.randn(2, 16, 4, 4, generator=rng))
    flow.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_latents_must_fit(rng):
    with pytest.raises(InputError, match=r"latents are 6 x 8 .* multiples of 4"):
        FlowNet(width=8)(torch.randn(1, 4, 6, 8, generator=rng), torch.randn(1, 16, 3, 4, generator=rng))
