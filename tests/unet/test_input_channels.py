import torch
from diffusers import UNet2DConditionModel

from giftune.unet.input_channels import add_input_channels
from tests.checkpoints import SD1


def test_new_channels_are_not_seen_at_first_but_can_learn(rng):
    unet = UNet2DConditionModel(**SD1).eval()
    latents, extra = torch.randn(2, 4, 8, 8, generator=rng), torch.randn(2, 8, 8, 8, generator=rng)
    text, t = torch.randn(2, 7, 16, generator=rng), torch.tensor([3, 900])
    with torch.no_grad():
        before = unet(latents, t, text).sample
    add_input_channels(unet, 8)
    assert unet.config.in_channels == unet.conv_in.in_channels == 12
    seen = torch.cat([latents, extra], dim=1)
    after = unet(seen, t, text).sample
    torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
    after.square().sum().backward()
    assert unet.conv_in.weight.grad[:, 4:].abs().sum() > 0
