import torch

from giftune.emojiworld.pretrain.autoencoder import AutoencoderTraining, _crops, _gradient_error


def test_crops_are_on_the_latent_grid_and_taken_from_their_picture() -> None:
    ramp = torch.arange(64.0).expand(1, 3, 64, 64)
    corners = {int(_crops(ramp, 32)[0, 0, 0, 0]) for _ in range(60)}
    assert len(corners) > 4 and all(corner % 4 == 0 for corner in corners)


def test_gradient_error_ignores_a_constant_and_sees_a_ramp() -> None:
    assert _gradient_error(torch.full((1, 1, 8, 8), 3.0)) == 0
    torch.testing.assert_close(_gradient_error(torch.arange(8.0).expand(1, 1, 8, 8)), torch.tensor(1.0))


def test_latents_are_a_quarter_of_the_side() -> None:
    model = AutoencoderTraining(10).model
    assert model.encode(torch.zeros(1, 3, 64, 64)).latent_dist.mean.shape == (1, 4, 16, 16)
