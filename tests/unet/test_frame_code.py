import pytest
import torch
from diffusers.models.embeddings import SinusoidalPositionalEmbedding

from giftune.errors import InputError
from giftune.unet.frame_code import frame_code


def test_is_the_code_of_animatediff():
    theirs = SinusoidalPositionalEmbedding(embed_dim=12, max_seq_length=30)
    torch.testing.assert_close(frame_code(30, 12), theirs.pe[0])


def test_a_frame_has_the_same_code_in_a_longer_clip():
    assert frame_code(4, 8).equal(frame_code(9, 8)[:4])


def test_refuses_an_odd_number_of_channels():
    with pytest.raises(InputError, match="channels is 5"):
        frame_code(3, 5)
