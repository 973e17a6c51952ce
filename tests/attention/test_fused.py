import pytest
import torch

from giftune.attention.fused import fused_attention


def plain(query, key, value, scale):
    weights = torch.softmax(scale * query.double() @ key.double().transpose(-1, -2), dim=-1)
    return weights @ value.double()


@pytest.fixture
def inputs(dtype):
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 8))
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


@pytest.mark.parametrize(
    ("dtype", "rounding"), [(torch.float32, 1e-6), (torch.bfloat16, 2**-8), (torch.float16, 2**-11)]
)
@pytest.mark.parametrize("scale", [None, 0.7])
def test_is_softmax_of_the_product_rounded_once(inputs, dtype, rounding, scale):
    found = fused_attention(*inputs, scale=scale)
    wanted = plain(*inputs, scale=8**-0.5 if scale is None else scale)
    assert found.dtype == dtype
    assert ((found.double() - wanted).abs() <= rounding * wanted.abs() + 1e-6).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_autocast_does_not_narrow_it(inputs):
    with torch.autocast("cpu", torch.bfloat16):
        found = fused_attention(*inputs)
    assert torch.equal(found, fused_attention(*inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_those_of_the_product(inputs, dtype):
    for tensor in inputs:
        tensor.requires_grad_()
    found = torch.autograd.grad(fused_attention(*inputs).sum(), inputs)
    wanted = torch.autograd.grad(plain(*inputs, scale=8**-0.5).sum(), inputs)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=2**-7 if dtype == torch.bfloat16 else 1e-5, atol=1e-5)
