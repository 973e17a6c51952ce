import torch

from giftune.unet.image_model import ImageModel
from giftune.unet.inflate import inflate


def test_is_the_network_before_it_was_inflated_frame_by_frame(make_unet, batch, awaken):
    latents, t, text = batch
    plain, unet = make_unet(), make_unet()
    image = ImageModel(unet)
    video = inflate(unet, temporal_conv=True, norm="pooled")
    awaken(video)
    expected = torch.stack([plain(frame, t, text).sample for frame in latents.unbind(2)], dim=2)
    found = image(latents, t, text)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not found.requires_grad and (video(*batch) - found).abs().max() > 1e-2


def test_words_behind_the_text_are_not_for_it(make_unet, batch):
    latents, t, text = batch
    image = ImageModel(make_unet())
    torch.testing.assert_close(
        image(latents, t, torch.cat([text, text + 1], dim=-1)), image(latents, t, text)
    )


def test_shares_its_tensors(make_unet, batch):
    unet = make_unet()
    image = ImageModel(unet)
    inflate(unet).to(torch.float64)
    own = dict(unet.named_parameters())
    assert all(parameter is own[name] for name, parameter in image.unet.named_parameters())
    assert not any("temporal" in name for name, _ in image.unet.named_parameters())
    before = image(*(x.double() if x.is_floating_point() else x for x in batch))
    with torch.no_grad():
        own["conv_out.bias"].add_(1)
    after = image(*(x.double() if x.is_floating_point() else x for x in batch))
    torch.testing.assert_close(after, before + 1)
